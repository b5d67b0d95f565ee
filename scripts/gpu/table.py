"""Everything that was measured as one table, an engine a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.gpu.asked import difference, psnr, questions
from scripts.gpu.measured import ROWS, Measured
from services.local.gpus import Gpu

Row = tuple[str, Sequence[str]]


def as_table(found: Sequence[Measured], gpus: Sequence[Gpu], *, dry: bool, notes: Sequence[str] = ()) -> str:
    """Markdown; of a dry run it says that no GPU was used. `notes` stand below."""
    head = "; ".join(gpu.text for gpu in gpus)
    if dry:
        head = "DRY RUN: the processor alone, no GPU was used. The figures say nothing of one."
    lines = [head, "", f"| | {' | '.join(each.name for each in found)} |", f"| --- |{' --- |' * len(found)}"]
    lines += [f"| {label} | {' | '.join(cells)} |" for label, cells in _rows(found)]
    lines += [f"\n{note}" for note in notes]
    lines += [f"\n{each.name} FAILED: {each.failure}" for each in found if each.failure]
    return "\n".join(lines)


def _rows(found: Sequence[Measured]) -> Iterator[Row]:
    yield "start, s (first, again with its plans)", [_numbers(each.starts, "{:.1f}") for each in found]
    for model in _keys(found, "engines"):
        yield f"what computes {model}", [each.engines.get(model, "") for each in found]
    for model in _keys(found, "rates"):
        for rows in ROWS:
            label = f"{model}, rows a second at {rows}"
            yield label, [_number(each.rates.get(model, {}).get(rows), "{:.1f}") for each in found]
    first = found[0]
    for model, question in questions().items():
        if not any(model in each.answers for each in found):
            continue
        label = f"{model}, furthest and mean from {first.name}, {question.unit}"
        yield label, [_apart(model, first, each) for each in found]
    for family in _keys(found, "jobs"):
        yield f"job of {family}, 9.4 s of 720p, s", [_number(each.jobs.get(family), "{:.2f}") for each in found]
        label = f"job of {family}, worst and mean frame against {first.name}"
        yield label, [_video(family, first, each) for each in found]
    for model in _keys(found, "in_job"):
        yield f"{model} in jobs, ms a request", [_number(each.in_job.get(model), "{:.2f}") for each in found]
    label = "memory of the GPUs, MiB: before, loaded, most"
    yield label, [_numbers(each.memory, "{}") or ("" if each.failure else "no GPU") for each in found]


def _keys(found: Sequence[Measured], name: str) -> list[str]:
    """Of all engines, in the order in which they came."""
    return list(dict.fromkeys(key for each in found for key in getattr(each, name)))


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _numbers(values: Sequence[float], form: str) -> str:
    return ", ".join(form.format(value) for value in values)


def _apart(model: str, first: Measured, each: Measured) -> str:
    if each is first or model not in each.answers or model not in first.answers:
        return ""
    return difference(first.answers[model], each.answers[model])


def _video(family: str, first: Measured, each: Measured) -> str:
    if each is first or family not in each.videos or family not in first.videos:
        return ""
    return psnr(first.videos[family], each.videos[family])

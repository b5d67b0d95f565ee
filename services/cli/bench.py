"""`chorus models bench NAME`: how fast an imported family is served, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from typing import Annotated, Final

import typer

from services.errors import ChorusError, ErrorKind
from services.jobs.engines import ENGINES
from services.jobs.families import family_cards
from services.jobs.imported import IMPORTED, ImportedFamily
from services.local.bench import Measured, measure, sizes_of
from services.local.own_stack import usable_stack
from services.local.settings import LocalSettings
from services.triton import TritonClient

_CALL_SECONDS: Final = 60
_HEAD: Final = "faces  requests/s   faces/s  ms a face  the net alone  Triton adds   share"


def bench(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A family that was imported")],
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to measure, all sizes together")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table")] = False,
) -> None:
    """Measure the served model through Triton, with 1, 4, 8 and 16 faces a request."""
    settings: LocalSettings = context.obj
    try:
        family = _imported(name)
        with _triton(settings) as triton:
            engine = ENGINES.text_of([name])
            measured = list(measure(family, triton, seconds=seconds))
    except ChorusError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from error
    typer.echo((_as_json if as_json else _as_table)(family, engine, measured))


def _imported(name: str) -> ImportedFamily:
    family = IMPORTED.find(name)
    if family is None and name in family_cards():
        raise ChorusError(ErrorKind.INVALID_INPUT, "bench-not-imported", name=name)
    if family is None:
        raise ChorusError(ErrorKind.NOT_FOUND, "import-unknown", name=name)
    return family


@contextmanager
def _triton(settings: LocalSettings) -> Iterator[TritonClient]:
    """The one at CHORUS_TRITON_URL, or of the running stack, or of one that runs for the time of the block."""
    with ExitStack() as stack:
        address, tls = settings.triton_url, settings.triton_tls
        if not address:
            running = stack.enter_context(usable_stack(settings, lambda line: typer.echo(line, err=True)))
            address, tls = running.triton, None
        yield stack.enter_context(closing(TritonClient(address, tls=tls, timeout_seconds=_CALL_SECONDS)))


def _as_json(family: ImportedFamily, engine: str, measured: Sequence[Measured]) -> str:
    rows = [
        {**asdict(each), "triton_ms_per_face": each.triton_ms_per_face, "triton_share": each.triton_share}
        for each in measured
    ]
    return json.dumps({"family": family.name, "licence": family.licence, "engine": engine, "measured": rows})


def _as_table(family: ImportedFamily, engine: str, measured: Sequence[Measured]) -> str:
    lines = [
        f"{family.name}: {family.description}; licence: {family.licence}; engine: {engine or 'not known'}",
        _HEAD,
    ]
    for each in measured:
        lines.append(
            f"{each.rows:5} {each.requests_per_second:11.2f} {each.requests_per_second * each.rows:9.1f} "
            f"{each.ms_per_face:10.2f} {each.model_ms_per_face:14.2f} {each.triton_ms_per_face:12.2f} "
            f"{each.triton_share:7.1%}"
        )
    done = {each.rows for each in measured}
    if left_out := [str(rows) for rows in sizes_of(family) if rows not in done]:
        lines.append(f"No time was left for {', '.join(left_out)} faces: --seconds gives more")
    if family.most_rows == 1:
        lines.append("This net takes one face a request")
    return "\n".join(lines)

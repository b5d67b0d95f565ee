"""The one table of all rounds, and whether memory and descriptors rise over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from rich.markup import escape
from rich.table import Table

from tests.chaos.census import STEADY, Held
from tests.chaos.rounds import Round

_FEWEST: Final = 20
_WARM: Final = 4
_MIB_FACTOR, _MIB_MORE, _DESCRIPTORS_MORE = 1.25, 40.0, 8.0


def table(title: str, rounds: Sequence[Round], first: Mapping[str, Held], refused: Mapping[str, int]) -> Table:
    """Faults, jobs, recoveries, memory and descriptors."""
    shown = Table(
        "", "", title=f"{escape(title)}: {len(rounds)} rounds in {sum(each.seconds for each in rounds):.0f} s"
    )
    times: dict[str, list[float]] = {}
    for each in rounds:
        for fault in each.faults:
            times.setdefault(fault, []).append(each.recovery)
    for fault, recoveries in sorted(times.items()):
        row = f"{len(recoveries)}, recovered in {median(recoveries):.1f} s, {max(recoveries):.1f} s at most"
        shown.add_row(fault, row)
    jobs = [job for each in rounds for job in each.jobs]
    ends = Counter(job["state"] if job["state"] != "failed" else f"failed: {job['error']['code']}" for job in jobs)
    shown.add_row("jobs", ", ".join(f"{number} {end}" for end, number in ends.items()))
    attempts = Counter(job["attempt"] for job in jobs)
    shown.add_row("attempts", ", ".join(f"{number} with {tries}" for tries, number in sorted(attempts.items())))
    shown.add_row(
        "requests refused, then sent again", ", ".join(f"{n} {code}" for code, n in refused.items()) or "none"
    )
    recoveries = [each.recovery for each in rounds]
    shown.add_row("recovery", f"median {median(recoveries):.1f} s, {max(recoveries):.1f} s at most")
    shown.add_row("a round", f"median {median(each.seconds for each in rounds):.1f} s")
    for kind in STEADY:
        then, (early, late) = first.get(kind, Held()), _quarters(rounds, kind)
        shown.add_row(
            f"{kind}: MiB, descriptors",
            f"{then.mib:.0f}, {then.descriptors} at first; medians {early.mib:.0f}, {early.descriptors} in the first"
            f" quarter, {late.mib:.0f}, {late.descriptors} in the last",
        )
    return shown


def rising(rounds: Sequence[Round]) -> list[str]:
    """Kinds that hold more and more; nothing can be said of a few rounds."""
    if len(rounds) < _FEWEST:
        return []
    found = []
    for kind in STEADY:
        early, late = _quarters(rounds, kind)
        if late.mib > _MIB_FACTOR * early.mib + _MIB_MORE or late.descriptors > early.descriptors + _DESCRIPTORS_MORE:
            found.append(f"{kind} holds more and more: {early} in the first quarter, {late} in the last")
    return found


def _quarters(rounds: Sequence[Round], kind: str) -> tuple[Held, Held]:
    """The medians of the first and of the last quarter, the very first rounds left out where there are many."""
    warm = rounds[_WARM:] if len(rounds) > 2 * _WARM else rounds
    quarter = max(1, len(warm) // 4)
    return _middle(warm[:quarter], kind), _middle(warm[-quarter:], kind)


def _middle(rounds: Sequence[Round], kind: str) -> Held:
    held = [each.held.get(kind, Held()) for each in rounds]
    return Held(
        round(median(each.processes for each in held)),
        median(each.mib for each in held),
        round(median(each.descriptors for each in held)),
    )

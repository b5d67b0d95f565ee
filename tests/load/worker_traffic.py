"""The traffic of many workers, made from the recording of one."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.jobs.engine import names
from tests.load.recording import Transaction
from tests.load.replay import Meanwhile, Measured, Script, replay
from tests.real_servers import Postgres

_RAREST: Final = 0.15
_CLAIM: Final = "FOR UPDATE SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class Habit:
    """A transaction that a worker repeats."""

    example: Transaction
    per_second: float


def habits(transactions: Iterable[Transaction], seconds: float) -> list[Habit]:
    """What is repeated in a recording of that length, by thread and wording."""
    alike: dict[tuple[str, ...], list[Transaction]] = defaultdict(list)
    for each in transactions:
        # In a worker's first minute only.
        if each.statements and "dynamic_scheduler_loop" not in each.thread:
            kind = re.sub(r"[\d_]+$|Thread-\d+ ", "", each.thread)
            alike[(kind, *(statement[:60] for statement, _ in each.statements))].append(each)
    found = [Habit(group[-1], len(group) / seconds) for group in alike.values()]
    return sorted((each for each in found if each.per_second >= _RAREST), key=lambda each: -each.per_second)


def act(
    server: Postgres, url: str, repeated: Sequence[Habit], *, workers: int, seconds: float, job_id: str = ""
) -> Measured:
    """As many workers do what was recorded of one, each with a job of its own: 1, 2, ..."""
    scripts = []
    for habit in repeated:
        script = Script().write(r"\set job :client_id + 1")
        known = {job_id: "job"} if job_id else {}
        owner = _owner(habit.example)
        scripts.append((script.add(habit.example, {**known, **({owner: "job"} if owner else {})}), habit.per_second))
    rate = sum(habit.per_second for habit in repeated) * workers
    weighted = [(script, max(1, round(100 * per_second))) for script, per_second in scripts]
    return replay(server, url, weighted, clients=workers, meanwhile=partial(time.sleep, seconds), rate=rate)


def claim(
    server: Postgres, url: str, recorded: Sequence[Transaction], *, clients: int, meanwhile: Meanwhile
) -> Measured:
    """Every client takes jobs one after another as fast as it can, those that `meanwhile` gives."""
    example = next(
        found for found in recorded if found.thread.endswith(names.QUEUE) and found.has(_CLAIM) and found.has("UPDATE")
    )
    place = next(n for n, (statement, _) in enumerate(example.statements) if _CLAIM in statement)
    script = Script().write(r"\set workflow_uuid 0").begin()
    for statement, values in example.statements[:place]:
        script.statement(statement, values, {})
    script.statement(*example.statements[place], {}, end=r" \aset").write(r"\if :workflow_uuid <> 0")
    for statement, values in example.statements[place + 1 :]:
        job_id = next(str(value) for value in values.values() if re.fullmatch(r"[0-9a-f]{32}\.\d+", str(value)))
        script.statement(statement, values, {job_id: "workflow_uuid"})
    script.write(r"\endif").commit()
    return replay(server, url, [(script, 1)], clients=clients, meanwhile=meanwhile, rate=0)


def _owner(transaction: Transaction) -> str | None:
    for _, values in transaction.statements:
        if isinstance(values, dict) and values.get("owner"):
            return str(values["owner"])
    return None

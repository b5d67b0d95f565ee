"""A batch as every door shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from services.jobs import moments
from services.jobs.model import JobState, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One driving audio and its jobs, counted by state."""

    id: str
    audio_name: str
    audio_id: str
    owner: str
    priority: Priority
    created_at: datetime
    counts: Mapping[JobState, int]


def batch_of(row: sa.Row[Any], counts: Mapping[str, Counter[JobState]]) -> Batch:
    """Of its row, and its jobs by state."""
    found = counts.get(row.id, Counter())
    return Batch(
        id=row.id,
        audio_name=row.audio_name,
        audio_id=row.audio_id,
        owner=row.owner,
        priority=Priority(row.priority),
        created_at=moments.moment_of(row.created_ms),
        counts={state: found[state] for state in JobState},
    )

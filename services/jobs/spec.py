"""All that a worker needs to render one output: stored with the job, and handed to its render child, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from services.jobs.options import RenderOptions


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class JobSpec:
    """One output that was asked for."""

    job_id: str
    batch_id: str
    video_key: str
    video_name: str
    """As the user named it, for messages"""
    audio_key: str
    audio_name: str
    output_key: str
    poster_key: str
    options: RenderOptions


_FORMER_OPTIONS: Final = frozenset({"pixel_format"})
"""Of earlier releases, which `delivery` has replaced; jobs that were queued then may still wait"""
_SPEC: Final[TypeAdapter[JobSpec]] = TypeAdapter(JobSpec)


def spec_to_json(spec: JobSpec) -> dict[str, Any]:
    """Plain JSON values; the one form in which a spec is stored and sent."""
    document: dict[str, Any] = _SPEC.dump_python(spec, mode="json")
    return document


def spec_from_json(document: Mapping[str, Any]) -> JobSpec:
    """The spec that spec_to_json wrote, in this release or one before; ValueError for anything else."""
    options = {name: value for name, value in document.get("options", {}).items() if name not in _FORMER_OPTIONS}
    return _SPEC.validate_python({**document, "options": options})

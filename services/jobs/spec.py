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


_SPEC: Final[TypeAdapter[JobSpec]] = TypeAdapter(JobSpec)


def spec_to_json(spec: JobSpec) -> dict[str, Any]:
    """Plain JSON values; the one form in which a spec is stored and sent."""
    document: dict[str, Any] = _SPEC.dump_python(spec, mode="json")
    return document


def spec_from_json(document: Mapping[str, Any]) -> JobSpec:
    """The spec that spec_to_json wrote; ValueError for anything else."""
    return _SPEC.validate_python(dict(document))

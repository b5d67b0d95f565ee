"""What is found out about the faces of an upload, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from services.errors import ChorusError

FINDINGS_VERSION: Final = 3
"""Raise it when the rules change: what was stored by older ones is found out again."""


class PreflightState(StrEnum):
    """How far the look for faces is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Verdict(StrEnum):
    """Whether an upload can be rendered."""

    FACE = "face"
    SEVERAL_FACES = "several_faces"
    NO_FACE = "no_face"
    TOO_LONG = "too_long"


class Caution(StrEnum):
    """Why an output may look less good than hoped for."""

    SMALL_FACE = "small_face"
    TURNED_AWAY = "turned_away"
    OCCLUDED = "occluded"
    FACE_MISSING = "face_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceChoice:
    """One of the faces of a video that may be chosen to speak."""

    rank: int
    """What RenderOptions.face takes; 0 is used by default"""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom as fractions of the picture's width and height"""
    share: float
    """Of all frames, 0..1"""
    first_second: float
    """When it is first seen"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is known once the video was analysed; equal content, equal findings."""

    verdict: Verdict
    faces: Sequence[FaceChoice] = ()
    cautions: Sequence[Caution] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Findings:
        """The inverse of dataclasses.asdict, after a way through JSON."""
        return cls(
            verdict=Verdict(stored["verdict"]),
            faces=tuple(FaceChoice(**{**each, "box": tuple(each["box"])}) for each in stored["faces"]),
            cautions=tuple(map(Caution, stored["cautions"])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The look for faces in one upload."""

    media_id: str
    state: PreflightState
    frames_done: int = 0
    frames_total: int = 0
    findings: Findings | None = None
    """Once it is done; before, those of a first look, if there was one"""
    error: ChorusError | None = None
    """Why it failed"""

    @property
    def has_ended(self) -> bool:
        """True when nothing changes any more."""
        return self.state not in (PreflightState.WAITING, PreflightState.RUNNING)

    @property
    def provisional(self) -> bool:
        """True when the findings are those of a few frames: the whole video may say something else."""
        return self.findings is not None and self.state is not PreflightState.DONE

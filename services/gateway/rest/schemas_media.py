"""The bodies of the REST door for uploads and for the look for their faces."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.gateway.rest.schemas import Body, JobErrorBody
from services.library.findings import Caution, PreflightState, Verdict
from services.library.media import Media
from services.library.resumable import Purpose
from services.preprocess.summary import SoundNote


class MediaBody(Body):
    """An uploaded recording."""

    id: str
    name: str
    kind: Literal["video", "audio", "still"]
    bytes: int
    sha256: str
    seconds: float
    has_audio: bool
    width: int | None
    height: int | None
    frame_rate: str | None = Field(description="An exact fraction, as in 30000/1001")
    owner: str = Field(description="A login name, anon-... for a browser without one, or empty for a program")
    created_at: datetime
    has_thumbnail: bool
    sound_notes: list[SoundNote] = Field(
        description="Of a recording: nobody speaks in it, it is clipped, its channels cancel out, its centre is heard"
    )
    sound_track: int | None = Field(description="Which of several tracks of sound is heard, from 1")


class MediaPageBody(Body):
    """A page of uploads; total counts all that match."""

    items: list[MediaBody]
    total: int


class ResumableUploadBody(Body):
    """A resumable upload."""

    id: str
    name: str
    offset: int = Field(description="Bytes that have arrived")
    length: int
    expires_at: datetime
    media_id: str | None = Field(description="Once it is whole and accepted")
    purpose: Purpose


class FaceChoiceBody(Body):
    """A face that may be chosen to speak."""

    rank: int = Field(description="What options.face and faces take")
    box: tuple[float, float, float, float] = Field(description="Left, top, right, bottom as fractions of the picture")
    share: float = Field(description="Of all frames")
    first_second: float


class FindingsBody(Body):
    """What is known of the faces of an upload."""

    verdict: Verdict
    faces: list[FaceChoiceBody]
    cautions: list[Caution]


class PreflightBody(Body):
    """The look for faces in an upload."""

    media_id: str
    state: PreflightState
    frames_done: int
    frames_total: int
    findings: FindingsBody | None = Field(description="Once it is done; before, those of a first look")
    provisional: bool = Field(description="The findings are those of a few frames; the whole video may say otherwise")
    error: JobErrorBody | None


def media_body(media: Media) -> MediaBody:
    """An upload as REST shows it."""
    return MediaBody.model_validate(media)

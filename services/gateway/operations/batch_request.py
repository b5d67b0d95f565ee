"""What is asked with a batch, and the jobs that it becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.jobs.families import family_cards
from services.jobs.model import Priority
from services.jobs.options import FACE_RANKS, RenderOptions
from services.jobs.spec import JobSpec, spec_to_json
from services.library.keys import media_key, output_key, poster_key
from services.library.limits import BATCH_VIDEOS, NAME_LENGTH
from services.library.media import Media
from services.library.names import output_names


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """One driving audio and the videos that shall speak it."""

    audio_id: str
    video_ids: Sequence[str]
    options: RenderOptions
    idempotency_key: str | None = None
    """Chosen by the client: a repeated request with it makes no second batch"""
    owner: str = ""
    faces: Mapping[str, int] = field(default_factory=dict)
    """Rank of the face to use, by video id; the others use options.face"""
    priority: Priority = Priority.NORMAL

    @property
    def digest(self) -> str:
        """Equal for equal requests, whatever their key."""
        request = [self.audio_id, list(self.video_ids), asdict(self.options), dict(self.faces)]
        if self.priority is not Priority.NORMAL:  # so that digests of older releases stay equal
            request.append(self.priority)
        return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()

    def check(self) -> None:
        """INVALID_INPUT for what can be refused without looking at the uploads."""
        if not 1 <= len(self.video_ids) <= BATCH_VIDEOS:
            raise ChorusError(ErrorKind.INVALID_INPUT, "batch-size", limit=BATCH_VIDEOS, number=len(self.video_ids))
        if self.options.family not in family_cards():
            choices = ", ".join(family_cards())
            raise ChorusError(ErrorKind.INVALID_INPUT, "family-unknown", family=self.options.family, choices=choices)
        if len(self.idempotency_key or "") > NAME_LENGTH:
            raise ChorusError(ErrorKind.INVALID_INPUT, "idempotency-key-too-long", limit=NAME_LENGTH)
        if max(self.faces.values(), default=0) >= FACE_RANKS:
            raise ChorusError(ErrorKind.INVALID_INPUT, "face-rank-too-high", limit=FACE_RANKS - 1)
        if strange := set(self.faces) - set(self.video_ids):
            raise ChorusError(ErrorKind.INVALID_INPUT, "face-without-video", media=min(strange))


def check_kinds(audio: Media, videos: Sequence[Media]) -> None:
    """INVALID_INPUT names the file that has no sound or no picture."""
    if not audio.has_audio:
        raise ChorusError(ErrorKind.INVALID_INPUT, "no-sound", name=audio.name)
    for video in videos:
        if video.kind == "audio":
            raise ChorusError(ErrorKind.INVALID_INPUT, "no-picture", name=video.name)


def job_rows(
    batch_id: str, audio: Media, videos: Sequence[Media], request: BatchRequest, created_ms: int
) -> list[dict[str, Any]]:
    """The rows of table `jobs`, one for each video, in order."""
    rows = []
    names = output_names([video.name for video in videos], audio.name)
    for position, (video, name) in enumerate(zip(videos, names, strict=True)):
        job_id = f"{batch_id}.{position}"
        spec = JobSpec(
            job_id=job_id,
            batch_id=batch_id,
            video_key=media_key(video.sha256),
            video_name=video.name,
            audio_key=media_key(audio.sha256),
            audio_name=audio.name,
            output_key=output_key(job_id),
            poster_key=poster_key(job_id),
            options=replace(request.options, face=request.faces.get(video.id, request.options.face)),
        )
        rows.append(
            {
                "id": job_id,
                "batch_id": batch_id,
                "position": position,
                "name": name,
                "video_id": video.id,
                "video_name": video.name,
                "audio_id": audio.id,
                "audio_name": audio.name,
                "spec": spec_to_json(spec),
                "created_ms": created_ms,
                "traceparent": _hand_over(spec, alone=len(videos) == 1) or None,
            }
        )
    return rows


def _hand_over(spec: JobSpec, *, alone: bool) -> str:
    """What a job's workers go on with: the trace of its request, or one of its own where a request asks for several."""
    about = {"chorus.batch.id": spec.batch_id, "chorus.job.id": spec.job_id}
    return telemetry.hand_over("enqueue job", about, own_trace=not alone)

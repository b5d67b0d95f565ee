"""`chorus run`: uploads, one batch, its progress, the downloads; a client of the REST API and nothing else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

import httpx

from services.accepted_files import PICTURE_SUFFIXES
from services.cli.display import Display, open_display
from services.errors import ChorusError, ErrorKind, error_from_json
from services.jobs.model import Priority
from services.local.run_file import RunningStack
from services.preprocess.summary import SoundNote
from services.printable import printable
from services.tls.identity import local_context

_PIECE: Final = 1 << 20
_POLL_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 120.0
_SOUND_NOTES: Final[Mapping[str, str]] = {
    SoundNote.NO_SPEECH: "no speech was found: the mouth will stay shut",
    SoundNote.CLIPPED: "badly clipped, it was recorded too loud: the lips may follow less well",
    SoundNote.OPPOSITE_PHASE: "left and right cancel each other: their difference is heard",
    SoundNote.CENTRE: "of its channels the centre is heard",
}


class AfterAudio(StrEnum):
    """What an output does when the speech is over before the video."""

    END = "end"
    REST = "rest"


class Silence(StrEnum):
    """What an output shows in the pauses of the speech."""

    REST = "rest"
    SOURCE = "source"


class Delivery(StrEnum):
    """Where an output plays."""

    COMPATIBLE = "compatible"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What the user typed."""

    audio: Path
    videos: tuple[Path, ...]
    output_dir: Path
    options: Mapping[str, str | float]
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True)
class _Item:
    """One video on its way to its output."""

    video: Path
    output: Path
    label: str


def run_batch(stack: RunningStack, request: RunRequest) -> int:
    """Render every video of the request into its output folder; the number of videos that failed.

    Raises ChorusError when nothing could be made of any of them: the audio is refused, the folder not writable.
    """
    items = plan_outputs(request)
    _make_folder(request.output_dir)
    timeout = httpx.Timeout(30.0, read=300.0)
    # Patient, because the API may just be starting again; no proxy of the environment, the stack is on this machine.
    transport = httpx.HTTPTransport(
        retries=6, verify=local_context(Path(stack.certificate)) if stack.certificate else True
    )
    with (
        httpx.Client(
            base_url=stack.address,
            headers={"Authorization": f"Bearer {stack.token}"} if stack.token else {},
            timeout=timeout,
            trust_env=False,
            transport=transport,
        ) as http,
        open_display() as display,
    ):
        for item in items:
            display.add(item.label)
        audio = _upload(http, request.audio)
        for note in sound_notes(audio):
            display.say(f"{printable(request.audio.name)}: {note}")
        uploaded = list(_upload_videos(http, items, display))
        failed = len(items) - len(uploaded)
        if uploaded:
            body = {
                "audio_id": audio["id"],
                "video_ids": [media_id for _, media_id in uploaded],
                "options": request.options,
                "priority": request.priority,
            }
            with _errors_as_ours("order"):
                batch = _checked(http.post("/v1/batches", json=body, headers={"Idempotency-Key": uuid4().hex})).json()
            failed += _follow(http, batch["id"], [item for item, _ in uploaded], display)
    return failed


def plan_outputs(request: RunRequest) -> list[_Item]:
    """Every video with the file that it becomes; folders are opened, no two outputs and no source share a path."""
    videos = [path for video in request.videos for path in files_of(video)]
    taken = {path.resolve() for path in (request.audio, *videos)}
    items = []
    counts: Counter[str] = Counter()
    for video in videos:
        number = 1
        while (output := request.output_dir / _numbered(video.stem, number, ".mp4")).resolve() in taken:
            number += 1
        taken.add(output.resolve())
        counts[video.name] += 1
        items.append(_Item(video, output, _label(video.name, counts[video.name])))
    return items


def files_of(video: Path) -> Sequence[Path]:
    """A file itself, the videos and photos of a folder, in order; the folder, to be refused, when there are none."""
    if not video.is_dir():
        return [video]
    return sorted(path for path in video.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES) or [video]


def left_out(videos: Sequence[Path]) -> list[Path]:
    """The files of folders among `videos` that are of no kind that can be used; hidden ones are not mentioned."""
    inside = (path for video in videos if video.is_dir() for path in sorted(video.iterdir()))
    return [
        path
        for path in inside
        if path.is_file() and path.suffix.lower() not in PICTURE_SUFFIXES and not path.name.startswith(".")
    ]


def sound_notes(media: Mapping[str, Any]) -> list[str]:
    """What a person should know of a recording before it is spoken, in words."""
    notes = [_SOUND_NOTES[note] for note in media["sound_notes"] if note in _SOUND_NOTES]
    track = media["sound_track"]
    return notes if track is None else [*notes, f"track {track} of its sound is heard"]


def _numbered(stem: str, number: int, suffix: str) -> str:
    return f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"


def _label(name: str, number: int) -> str:
    shown = printable(name)
    return shown if number == 1 else f"{shown} ({number})"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChorusError(
            ErrorKind.INVALID_INPUT, "folder-not-made", folder=str(folder), reason=str(error.strerror)
        ) from error


def _upload_videos(http: httpx.Client, items: Sequence[_Item], display: Display) -> Iterator[tuple[_Item, str]]:
    for item in items:
        try:
            yield item, _upload(http, item.video)["id"]
        except ChorusError as error:
            display.fail(item.label, error.message)


def _upload(http: httpx.Client, path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file, _errors_as_ours("upload", path):
            pieces = iter(lambda: file.read(_PIECE), b"")
            answer = _checked(http.post("/v1/media", params={"name": path.name}, content=pieces))
    except OSError as error:
        raise ChorusError(
            ErrorKind.INVALID_INPUT, "file-unreadable", file=str(path), reason=str(error.strerror)
        ) from error
    return dict(answer.json())


def _follow(http: httpx.Client, batch_id: str, items: Sequence[_Item], display: Display) -> int:
    """Show the batch until it ends, fetching each output as soon as it is there; the number of failed jobs."""
    failed = 0
    open_jobs = dict(enumerate(items))
    try:
        while open_jobs:
            for job in _jobs_of(http, batch_id):
                item = open_jobs.get(job["index"])
                if item is None:
                    continue
                if job["state"] in ("succeeded", "failed", "cancelled"):
                    del open_jobs[job["index"]]
                    failed += not _finish(http, job, item, display)
                else:
                    display.update(item.label, job["progress"], job["state"])
            if open_jobs:
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        with _errors_as_ours("cancel"):
            _checked(http.post(f"/v1/batches/{batch_id}/cancel"))
        for item in open_jobs.values():
            display.fail(item.label, "cancelled")
        raise
    return failed


def _jobs_of(http: httpx.Client, batch_id: str) -> list[dict[str, Any]]:
    """The batch's jobs; patient while the API is being started again."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            answer = http.get(f"/v1/batches/{batch_id}")
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise ChorusError(ErrorKind.UNAVAILABLE, "chorus-gone", reason=str(error)) from error
            time.sleep(_POLL_SECONDS)
        else:
            return list(_checked(answer).json()["jobs"])


def _finish(http: httpx.Client, job: Mapping[str, Any], item: _Item, display: Display) -> bool:
    if job["state"] != "succeeded":
        display.fail(item.label, (job["error"] or {}).get("message") or str(job["state"]))
        return False
    try:
        with _errors_as_ours("download"):
            _download(http, f"/v1/jobs/{job['id']}/output", item.output)
    except (ChorusError, OSError) as error:
        display.fail(item.label, f"{printable(str(item.output))} could not be fetched: {error}")
        return False
    display.succeed(item.label, item.output)
    return True


def _download(http: httpx.Client, url: str, output: Path) -> None:
    part = output.with_name(f".{output.name}.{uuid4().hex[:8]}.part")
    try:
        with http.stream("GET", url) as answer, part.open("wb") as file:
            if answer.is_error:
                answer.read()
            _checked(answer)
            for piece in answer.iter_bytes(_PIECE):
                file.write(piece)
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _errors_as_ours(call: Literal["upload", "download", "cancel", "order"], file: Path | None = None) -> Iterator[None]:
    """Tell which call broke off, an upload with its file."""
    try:
        yield
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise ChorusError(
            ErrorKind.UNAVAILABLE, "call-broke-off", call=call, file=str(file or ""), reason=reason
        ) from error


def _checked(answer: httpx.Response) -> httpx.Response:
    """The answer itself, or the error that it carries."""
    if answer.is_success:
        return answer
    try:
        raise error_from_json(answer.json()["error"])
    except (ValueError, KeyError, TypeError) as cause:
        raise ChorusError(
            ErrorKind.INTERNAL,
            "answer-unusable",
            address=str(answer.request.url),
            status=answer.status_code,
            text=answer.text[:200],
        ) from cause

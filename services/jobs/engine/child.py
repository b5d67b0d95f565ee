"""One render child process: in a process group of its own, watched, and never left behind."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

from services import telemetry
from services.errors import ChorusError, ErrorKind, error_from_json
from services.jobs.engine.live import progress_from_json
from services.jobs.engine.stalls import StallWatch, stalled
from services.jobs.model import Progress
from services.zygote import Zygote

_TICK_SECONDS: Final = 0.5
_LINE_LIMIT: Final = 1 << 20
_END_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The child's last words when all went well."""

    frames: int
    seconds: float
    """Of rendering"""
    video_seconds: float
    """Of output"""
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inferences:
    """The child's calls to Triton since it last told of them: model, rows, seconds, kind of error or nothing."""

    calls: Sequence[tuple[str, int, float, str]]


@dataclass(frozen=True, slots=True)
class Spans:
    """What the child tells of its trace since it last did."""

    documents: Sequence[telemetry.Document]


Message = Progress | Inferences | Spans | Succeeded


class RenderChild:
    """Gives a child of `zygote` one JSON document on stdin; a context manager whose end kills its process group."""

    def __init__(self, zygote: Zygote, request: Mapping[str, Any], *, video_name: str) -> None:
        self._video_name = video_name
        self._child = zygote.child()
        self._request = json.dumps(request).encode()

    def __enter__(self) -> RenderChild:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._child.end()

    def messages(self, stalls: StallWatch) -> Iterator[Message | None]:
        """What the child says, and None about twice a second in between; ends with Succeeded.

        Raises the child's own ChorusError; DEADLINE when it has stalled; UNAVAILABLE when it was killed, INTERNAL when
        it ended by itself without a word.
        """
        self._send_request()
        for line in self._lines():
            message = None if line is None else self._parse(line)
            if isinstance(message, Progress):
                stalls.note(message)
            yield message
            if isinstance(message, Succeeded):
                return
            if (seconds := stalls.look()) is not None:
                raise stalled(self._video_name, seconds)
        raise self._death()

    def _send_request(self) -> None:
        # A child that died already says why on stdout or by its exit code.
        with suppress(BrokenPipeError):
            self._child.stdin.write(self._request)
            self._child.stdin.close()

    def _lines(self) -> Iterator[bytes | None]:
        """Lines of stdout until its end; None when a moment passed without one."""
        stdout, rest = self._child.stdout.fileno(), b""
        while True:
            if not select.select([stdout], [], [], _TICK_SECONDS)[0]:
                yield None
                continue
            piece = os.read(stdout, 1 << 16)
            if not piece:
                return
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > _LINE_LIMIT:
                raise ChorusError(ErrorKind.INTERNAL, "render-answer-unusable", name=self._video_name)
            yield from lines

    def _parse(self, line: bytes) -> Message:
        try:
            message = json.loads(line)
            if "progress" in message:
                return progress_from_json(message["progress"])
            if "succeeded" in message:
                return _succeeded(message["succeeded"])
            if "inferences" in message:
                calls = message["inferences"]
                return Inferences([(str(name), int(rows), float(took), str(kind)) for name, rows, took, kind in calls])
            if "spans" in message:
                return Spans(list(message["spans"]))
            failure = error_from_json(message["failed"])
        except (ValueError, KeyError, TypeError) as error:
            raise ChorusError(ErrorKind.INTERNAL, "render-answer-unusable", name=self._video_name) from error
        raise failure

    def _death(self) -> ChorusError:
        try:
            code = self._child.wait(_END_SECONDS)
        except TimeoutError:
            return ChorusError(ErrorKind.INTERNAL, "render-silent", name=self._video_name)
        if code < 0:
            # Killed from outside, most often for memory: worth another try, which costs nothing that was finished.
            name = signal.Signals(-code).name
            return ChorusError(ErrorKind.UNAVAILABLE, "render-killed", name=self._video_name, signal=name)
        return ChorusError(ErrorKind.INTERNAL, "render-ended", name=self._video_name, exit_code=code)


def _succeeded(value: Mapping[str, Any]) -> Succeeded:
    return Succeeded(
        frames=int(value["frames"]),
        seconds=float(value["seconds"]),
        video_seconds=float(value["video_seconds"]),
        stages={str(stage): float(seconds) for stage, seconds in value["stages"].items()},
    )

"""Many clients at once: they upload, start batches, watch, ask and list by REST and gRPC, and note how long it took."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from chorus_client import Chorus, ChorusError
from tests.load.inputs import made_different
from tests.running_stack import RunningStack

_BATCH_JOBS: Final = 5
_LOOK_SECONDS: Final = 1.0

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Notes:
    """What all clients have seen; safe to share by threads."""

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of each kind of request, errors left out"""
    errors: Counter[str] = field(default_factory=Counter)
    job_ids: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def timed(self, kind: str, call: Callable[[], Answer]) -> Answer:
        """The call's answer; how long it took, or that it failed, is noted."""
        begun = time.monotonic()
        try:
            answer = call()
        except (httpx.HTTPError, ChorusError) as error:
            with self._lock:
                self.errors[f"{kind}: {type(error).__name__}"] += 1
            raise
        with self._lock:
            self.milliseconds[kind].append(1000 * (time.monotonic() - begun))
        return answer

    def started(self, job_ids: Sequence[str]) -> None:
        """A batch was accepted with these jobs."""
        with self._lock:
            self.job_ids.extend(job_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where an installation listens."""

    rest: str
    rpc: str

    @contextmanager
    def http(self) -> Iterator[httpx.Client]:
        """REST, with errors as exceptions."""
        raising = {"response": [httpx.Response.raise_for_status]}
        with httpx.Client(base_url=self.rest, timeout=60, trust_env=False, event_hooks=raising) as client:
            yield client


def doors_of(stack: RunningStack) -> Doors:
    """Of the one api of the stack."""
    (api,) = stack.processes("services.gateway")
    return Doors(rest=stack.address, rpc=f"127.0.0.1:{api.environ()['CHORUS_GRPC_PORT']}")


def drive(doors: Doors, audio: Path, video: Path, *, jobs: int, clients: int, seconds: float) -> Notes:
    """Start so many jobs from so many clients at once, each with a video of its own, and follow them to their end.

    Raises what a client met, or TimeoutError after `seconds`.
    """
    notes, end = Notes(), time.monotonic() + seconds
    shares = [jobs // clients + (number < jobs % clients) for number in range(clients)]
    with ThreadPoolExecutor(clients, thread_name_prefix="client") as pool:
        done = [
            pool.submit(
                _BY_NUMBER[number % 2], doors, notes, (audio, made_different(video, number)), share, number, end
            )
            for number, share in enumerate(shares)
        ]
        for each in done:
            each.result()
    return notes


def _use_rest(doors: Doors, notes: Notes, files: tuple[Path, Path], share: int, number: int, end: float) -> None:
    with doors.http() as http:
        audio, video = (notes.timed("upload REST", partial(_upload, http, each)) for each in files)
        for size in _sizes(share):
            body = {"audio_id": audio, "video_ids": [video] * size}
            batch = notes.timed("create REST", partial(http.post, "/v1/batches", json=body)).json()
            notes.started([job["id"] for job in batch["jobs"]])
            _follow(partial(_ask_rest, http, notes, batch["id"], number), end)
            notes.timed("download REST", partial(http.get, f"/v1/jobs/{batch['jobs'][0]['id']}/output"))


def _upload(http: httpx.Client, path: Path) -> str:
    return str(http.post("/v1/media", params={"name": path.name}, content=path.read_bytes()).json()["id"])


def _ask_rest(http: httpx.Client, notes: Notes, batch_id: str, number: int) -> bool:
    """Some clients watch, some ask, some list."""
    if number % 3 == 0:
        with http.stream("GET", f"/v1/batches/{batch_id}/events") as events:
            return any(line == "event: finished" for line in events.iter_lines())
    if number % 3 == 1:
        jobs = notes.timed("get REST", lambda: http.get(f"/v1/batches/{batch_id}")).json()["jobs"]
    else:
        jobs = notes.timed("list REST", lambda: http.get("/v1/jobs", params={"batch": batch_id})).json()["items"]
    return _all_ended([job["state"] for job in jobs])


def _use_rpc(doors: Doors, notes: Notes, files: tuple[Path, Path], share: int, number: int, end: float) -> None:
    with Chorus(doors.rpc) as chorus:
        audio, video = (notes.timed("upload gRPC", partial(chorus.upload, each)) for each in files)
        for size in _sizes(share):
            batch = notes.timed(
                "create gRPC", partial(chorus.create_batch, audio.id, [video.id] * size, priority="high")
            )
            notes.started([job.id for job in batch.jobs])
            _follow(partial(_ask_rpc, chorus, notes, batch.id, number), end)


def _ask_rpc(chorus: Chorus, notes: Notes, batch_id: str, number: int) -> bool:
    jobs: Sequence[Any] = ()
    if number % 3 == 0:
        *_, jobs = chorus.watch_batch(batch_id)
    elif number % 3 == 1:
        jobs = notes.timed("get gRPC", lambda: chorus.get_batch(batch_id)).jobs
    else:
        jobs = notes.timed("list gRPC", lambda: list(chorus.list_jobs(batch_id=batch_id)))
    return _all_ended([job.state for job in jobs])


def _sizes(share: int) -> list[int]:
    return [min(_BATCH_JOBS, share - begun) for begun in range(0, share, _BATCH_JOBS)]


def _all_ended(states: Sequence[str]) -> bool:
    return all(state in ("succeeded", "failed", "cancelled") for state in states)


def _follow(has_ended: Callable[[], bool], end: float) -> None:
    while not has_ended():
        if time.monotonic() > end:
            raise TimeoutError("the jobs were not done in time")
        time.sleep(_LOOK_SECONDS)


_BY_NUMBER: Final = (_use_rest, _use_rpc)

"""A stack that things are done to, what it stands on, and what it is asked for."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import psutil

from chorus_client import Chorus, ChorusError
from services.storage import Storage
from tests.chaos.clock import Clock, make_clock
from tests.chaos.own_disk import on_own_disk, seen_from_outside
from tests.folders import files_below
from tests.running_stack import RunningStack, running_stack
from tests.states import Servers

_INSIST_SECONDS: Final = 240.0
# Shorter than by default, so that a round takes seconds; as long as a loaded machine needs.
_PATIENCE: Final = {
    "CHORUS_HANG_SECONDS": "15",
    "CHORUS_START_STALL_SECONDS": "30",
    "CHORUS_STALL_SECONDS": "30",
    "CHORUS_RENDER_STALL_SECONDS": "30",
    "CHORUS_PUBLISH_STALL_SECONDS": "30",
    "CHORUS_REQUESTS_PER_MINUTE": "1000000",
    # Its home is smaller than the mark, below which it would be told that it is full before it is.
    "CHORUS_LEAST_FREE_BYTES": "0",
}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class World:
    """One stack on one kind of state."""

    stack: RunningStack
    """Its home as it is seen from here"""
    rpc: str
    """host:port of gRPC"""
    home: Path
    """Its home as its own processes see it; in the environment of all of them, and of no others"""
    servers: Servers | None
    """PostgreSQL and a bucket; None on SQLite and a folder"""
    bucket: Storage | None
    clock: Clock | None
    has_own_disk: bool
    copies: Path
    """A folder for what is downloaded"""
    impossible: Mapping[str, str]
    """What this machine does not allow, and why"""
    refused: Counter[str] = field(default_factory=Counter)
    """Requests that were refused in words and then sent again, by code"""

    @property
    def root(self) -> int:
        """Process id of the supervisor."""
        return self.stack.process.pid

    @property
    def inside(self) -> Sequence[str]:
        """What goes before a command so that it sees what the stack sees."""
        return ("nsenter", f"--target={self.root}", "--user", "--mount", "--preserve-credentials") * self.has_own_disk

    def stored(self) -> list[str]:
        """Of all that lies in the store, half-written files of a folder included."""
        if self.bucket is not None:
            return list(self.bucket.keys(""))
        folder = self.stack.home / "data" / "artifacts"
        return [str(path.relative_to(folder)) for path in files_below(folder)]

    def shared_memory(self) -> list[str]:
        """Names of what its processes share; nothing is known of it without a disk of its own."""
        folder = seen_from_outside(Path("/dev/shm"), self.root)
        return sorted(path.name for path in folder.iterdir()) if self.has_own_disk else []

    def start_batch(self, audio: Path, videos: Sequence[Path], *, by_rest: bool) -> list[str]:
        """The ids of the jobs, of one batch, however often it had to be asked for."""
        key = uuid.uuid4().hex
        if by_rest:
            with self.stack.http as http:
                audio_id, *video_ids = (self._insist(partial(_upload, http, each)) for each in (audio, *videos))
                body = {"audio_id": audio_id, "video_ids": video_ids}
                headers = {"Idempotency-Key": key}
                batch = self._insist(lambda: _asked(http.post("/v1/batches", json=body, headers=headers)))
                return [job["id"] for job in batch["jobs"]]
        with Chorus(self.rpc, deadline_seconds=_INSIST_SECONDS) as chorus:
            media = [self._insist(partial(chorus.upload, each)) for each in (audio, *videos)]
            ids = [each.id for each in media]
            made = self._insist(lambda: chorus.create_batch(ids[0], ids[1:], idempotency_key=key))
            return [job.id for job in made.jobs]

    def ask(self, path: str, **query: Any) -> Any:
        """What REST answers to GET, however often it had to be asked."""
        with self.stack.http as http:
            return self._insist(lambda: _asked(http.get(path, params=query)))

    def download(self, job_id: str) -> Path:
        """A copy of its output, however often it had to be asked for; the next one takes its place."""

        def ask() -> bytes:
            with self.stack.http as http:
                return http.get(f"/v1/jobs/{job_id}/output").raise_for_status().content

        path = self.copies / "output.mp4"
        path.write_bytes(self._insist(ask))
        return path

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list of REST."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.ask(path, limit=500, offset=len(found))
            found += page["items"]
            if len(found) >= page["total"] or not page["items"]:
                return found

    def jobs(self) -> list[dict[str, Any]]:
        """All that there are."""
        return self.all("/v1/jobs")

    def is_ready(self) -> bool:
        """Whether the api is, with all that jobs need, and the supervisor says of nothing that it is down."""
        try:
            with self.stack.http as http:
                ready = http.get("/readyz", timeout=5).status_code == 200
                parts = http.get("/v1/dependencies", timeout=15).raise_for_status().json()
        except httpx.HTTPError:
            return False
        down = json.loads((self.stack.home / "run" / "stack.json").read_text())["down"]
        return ready and all(part["ready"] for part in parts) and not down

    def _insist(self, call: Callable[[], Answer]) -> Answer:
        """The answer, asked for again and again as somebody does who wants it done; what was refused is counted."""
        end = time.monotonic() + _INSIST_SECONDS
        while True:
            try:
                return call()
            except httpx.HTTPStatusError as error:
                code = error.response.json()["error"]["code"] if error.response.status_code < 500 else ""
                self._refused(code or str(error.response.status_code))
                last: Exception = error
            except ChorusError as error:
                self._refused(error.code)
                last = error
            except httpx.HTTPError as error:
                last = error
            if time.monotonic() > end:
                raise TimeoutError(f"not answered in {_INSIST_SECONDS:g} s: {last!r}") from last
            time.sleep(0.3)

    def _refused(self, code: str) -> None:
        self.refused[code] += 1


def _asked(answer: httpx.Response) -> Any:
    answer.raise_for_status()
    return answer.json()


def _upload(http: httpx.Client, path: Path) -> str:
    return str(_asked(http.post("/v1/media", params={"name": path.name}, content=path.read_bytes()))["id"])


@contextmanager
def made_world(folder: Path, servers: Servers | None) -> Iterator[World]:
    """A stack below `folder`, on SQLite and a folder or on what `servers` have."""
    home = folder / "home"
    home.mkdir()
    disk, clock = on_own_disk(home), make_clock(folder)
    impossible = {name: why for name, why in (("disk", disk), ("clock", clock)) if isinstance(why, str)}
    state = {f"CHORUS_{name.upper()}": value for name, value in servers.new_state().items()} if servers else {}
    changes = {**_PATIENCE, **state, "CHORUS_HOME": str(home)}
    if isinstance(clock, Clock):
        changes |= clock.environment
    with running_stack(folder, changes, within=() if isinstance(disk, str) else disk) as stack:
        seen = home if isinstance(disk, str) else seen_from_outside(home, stack.process.pid)
        stack = replace(stack, home=seen)
        (api,) = stack.processes("services.gateway")
        yield World(
            stack=stack,
            rpc=f"127.0.0.1:{psutil.Process(api.pid).environ()['CHORUS_GRPC_PORT']}",
            home=home,
            servers=servers,
            bucket=Storage(state["CHORUS_STORE_URL"], folder / "copies") if servers else None,
            clock=clock if isinstance(clock, Clock) else None,
            has_own_disk=not isinstance(disk, str),
            copies=folder,
            impossible=impossible,
        )

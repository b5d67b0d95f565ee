"""Starts the whole stack as a user does (`chorus up`) and talks to it over REST."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from services.local.ports import free_port

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
READY_SECONDS = 90.0
# Made once: every client that made its own would take 27 ms of a core from the stack that it watches.
_TRUSTED = ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack of its own in a folder of its own."""

    home: Path
    address: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=60, verify=_TRUSTED)

    def upload(self, path: Path, name: str | None = None) -> httpx.Response:
        with path.open("rb") as file, self.http as http:
            return http.post("/v1/media", files={"file": (name or path.name, file)})

    def media_id(self, path: Path, name: str | None = None) -> str:
        response = self.upload(path, name)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    def create_batch(self, audio: Path, videos: list[Path], **options: object) -> dict[str, Any]:
        body = {"audio_id": self.media_id(audio), "video_ids": [self.media_id(v) for v in videos], "options": options}
        with self.http as http:
            response = http.post("/v1/batches", json=body)
        assert response.status_code == 201, response.text
        return dict(response.json())

    def job(self, job_id: str) -> dict[str, Any]:
        with self.http as http:
            return dict(http.get(f"/v1/jobs/{job_id}").json())

    def wait_for(self, job_id: str, *, seconds: float = 120) -> dict[str, Any]:
        """The finished job; fails the test when it does not finish in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            job = self.job(job_id)
            if job["state"] in ("succeeded", "failed", "cancelled"):
                return job
            time.sleep(0.3)
        raise AssertionError(f"{job_id} did not finish: {job}\n{self.log()[-6000:]}")

    def wait_until(self, job_id: str, stage: str, *, frames: int = 1, seconds: float = 90) -> None:
        """Until the job is in that stage and has done so many frames of it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            progress = self.job(job_id)["progress"] or {}
            if progress.get("stage") == stage and progress["frames_done"] >= frames:
                return
            time.sleep(0.1)
        raise AssertionError(f"{job_id} was never {stage}: {self.job(job_id)}\n{self.log()[-6000:]}")

    def download(self, job_id: str, path: Path) -> Path:
        with self.http as http:
            response = http.get(f"/v1/jobs/{job_id}/output")
        assert response.status_code == 200, response.text
        path.write_bytes(response.content)
        return path

    def log(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.home.rglob("chorus.log")))

    def processes(self, *words: str) -> list[psutil.Process]:
        """Processes below `chorus up` whose command line has every one of `words`."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                line = " ".join(child.cmdline())
            except psutil.Error:
                continue
            if all(word in line for word in words):
                found.append(child)
        return found

    def kill(self, *words: str) -> None:
        """kill -9 of exactly the processes that match."""
        victims = self.processes(*words)
        assert victims, f"no process matches {words}"
        for victim in victims:
            victim.send_signal(signal.SIGKILL)


@contextmanager
def running_stack(
    home: Path,
    changes: Mapping[str, str] | None = None,
    *,
    within: Sequence[str] = (),
    ready_seconds: float = READY_SECONDS,
) -> Iterator[RunningStack]:
    """`chorus up` on a free port with all its state below `home`; stopped, and checked to have stopped, at the end.

    `changes` to its environment may put the state elsewhere; `within` is a command that becomes what follows it.
    """
    port = free_port()
    environment = {**os.environ, "CHORUS_HOME": str(home), **(changes or {})}
    command = [*within, str(Path(sys.executable).parent / "chorus"), "up", "--port", str(port)]
    output = (home / "up.out").open("wb")
    process = subprocess.Popen(command, env=environment, cwd=home, stdout=output, stderr=subprocess.STDOUT)
    stack = RunningStack(home=home, address=f"http://127.0.0.1:{port}", process=process, environment=environment)
    try:
        _wait_until_ready(stack, ready_seconds)
        yield stack
    finally:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        finally:
            process.kill()
            process.wait()
            output.close()
            _, alive = psutil.wait_procs(children, timeout=5)
            for child in alive:
                child.kill()
    assert not alive, f"`chorus up` left processes behind: {alive}"


def _wait_until_ready(stack: RunningStack, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and stack.process.poll() is None:
        # Not /readyz: that is the api's own, and the others may still be starting.
        if "Chorus is ready" in (stack.home / "up.out").read_text():
            return
        time.sleep(0.3)
    raise AssertionError(f"not ready: {(stack.home / 'up.out').read_text()}\n{stack.log()[-6000:]}")

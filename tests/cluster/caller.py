"""Another team's service: what it sends to Chorus, and what it sees of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.cluster import TOKEN
from tests.running_stack import SAMPLES

_RETRY_SECONDS = 60


class Caller:
    """REST through the proxy, each call on a connection of its own, so that it may reach any replica."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """One request; HTTPError when there was no answer, or none that is good."""
        with httpx.Client(
            base_url=self._address, timeout=30, trust_env=False, headers={"Authorization": f"Bearer {TOKEN}"}
        ) as http:
            answer = http.request(method, path, **content)
        answer.raise_for_status()
        return answer

    def insist(self, method: str, path: str, **content: Any) -> httpx.Response:
        """The same, tried again for a minute, as a caller does that wants it done."""
        end = time.monotonic() + _RETRY_SECONDS
        while True:
            try:
                return self.ask(method, path, **content)
            except httpx.HTTPError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.3)

    def upload(self, path: Path, name: str) -> str:
        """The id of the media."""
        return str(self.insist("POST", "/v1/media", params={"name": name}, content=path.read_bytes()).json()["id"])

    def start_batch(self, audio: Path, videos: int, *, first: int = 0) -> list[str]:
        """The ids of the jobs of a batch: the samples in turn."""
        samples = [SAMPLES / "astronaut.mp4", SAMPLES / "portrait.jpg"]
        taken = [samples[number % 2] for number in range(first, first + videos)]
        ids = [self.upload(path, f"{number}{path.suffix}") for number, path in enumerate(taken, first)]
        body = {"audio_id": self.upload(audio, "speech.wav"), "video_ids": ids}
        key = {"Idempotency-Key": f"{first}-{time.time_ns()}"}
        batch = self.insist("POST", "/v1/batches", json=body, headers=key).json()
        return [job["id"] for job in batch["jobs"]]

    def jobs(self, ids: list[str]) -> list[dict[str, Any]]:
        """The jobs, in their order."""
        listed = self.insist("GET", "/v1/jobs", params={"limit": 500}).json()["items"]
        found = {job["id"]: job for job in listed}
        return [found[each] for each in ids]


def until(reached: Callable[[], Any], seconds: float) -> float:
    """How long it took; a failed request is none."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        with suppress(httpx.HTTPError):
            if reached():
                return time.monotonic() - begun
        time.sleep(0.2)
    raise AssertionError("it did not come true in time")


class Load:
    """Requests without a pause, until it is told to stop; what failed is kept."""

    def __init__(self) -> None:
        self.answered: dict[str, int] = {}
        self.failed: list[str] = []
        self._stop = threading.Event()

    @contextmanager
    def running(self, calls: dict[str, Callable[[], object]]) -> Iterator[None]:
        """Each call by its name in a thread of its own while the block runs."""
        threads = [threading.Thread(target=self._repeat, args=each, daemon=True) for each in calls.items()]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)

    def _repeat(self, name: str, call: Callable[[], object]) -> None:
        while not self._stop.is_set():
            try:
                call()
            except Exception as error:
                self.failed.append(f"{time.strftime('%H:%M:%S')} {name}: {error!r}")
            else:
                self.answered[name] = self.answered.get(name, 0) + 1
            time.sleep(0.05)

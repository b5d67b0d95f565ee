"""Steady work for a soak: a few clients that upload, render, look, download and delete, at a pace that leaves room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from chorus_client import Chorus
from tests.load.clients import Doors, Notes
from tests.load.inputs import made_different

CLIENTS: Final = 4
ROUND_SECONDS: Final = 24.0
"""Each client begins a round that often, unless its last one took longer"""
_WAIT_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.5
_UNDER_WAY: Final = ("queued", "running")


def work_steadily(doors: Doors, audio: Path, video: Path, *, seconds: float) -> Notes:
    """Work for so long and leave nothing behind; raises what a client met."""
    notes, begun = Notes(), time.monotonic()
    with ThreadPoolExecutor(CLIENTS + 1, thread_name_prefix="client") as pool:
        over = threading.Event()
        listener = pool.submit(_listen, doors, over)
        clients = [
            pool.submit(_client, (_one_by_rest, _one_by_rpc)[number % 2], doors, notes, (audio, video), number, seconds)
            for number in range(CLIENTS)
        ]
        try:
            for client in clients:
                client.result()
        finally:
            over.set()
        listener.result()
    assert time.monotonic() - begun < seconds + 2 * _WAIT_SECONDS
    return notes


def _client(
    work: Callable[[Doors, Notes, Path, Path], None],
    doors: Doors,
    notes: Notes,
    files: tuple[Path, Path],
    number: int,
    seconds: float,
) -> None:
    audio, video = files
    end, rounds = time.monotonic() + seconds, 0
    while (begun := time.monotonic()) < end:
        own = made_different(video, number + CLIENTS * rounds)
        work(doors, notes, audio, own)
        own.unlink()
        rounds += 1
        time.sleep(max(0.0, ROUND_SECONDS - (time.monotonic() - begun)))


def _one_by_rest(doors: Doors, notes: Notes, audio: Path, video: Path) -> None:
    """On connections of its own, as a browser that comes and goes."""
    with doors.http() as http:
        notes.timed("page", partial(http.get, "/"))
        ids = [notes.timed("upload", partial(_upload, http, each)) for each in (audio, video)]
        body = {"audio_id": ids[0], "video_ids": [ids[1]]}
        batch = notes.timed("create batch", partial(http.post, "/v1/batches", json=body)).json()
        job_id = batch["jobs"][0]["id"]
        notes.started([job_id])
        end = time.monotonic() + _WAIT_SECONDS
        while (job := notes.timed("get job", partial(http.get, f"/v1/jobs/{job_id}")).json())["state"] in _UNDER_WAY:
            assert time.monotonic() < end, job
            time.sleep(_LOOK_SECONDS)
        assert job["state"] == "succeeded", job
        notes.timed("download", partial(http.get, f"/v1/jobs/{job_id}/output"))
        notes.timed("list jobs", partial(http.get, "/v1/jobs"))
        notes.timed("delete job", partial(http.delete, f"/v1/jobs/{job_id}"))
        http.delete(f"/v1/media/{ids[1]}")


def _one_by_rpc(doors: Doors, notes: Notes, audio: Path, video: Path) -> None:
    """Watching instead of asking."""
    with Chorus(doors.rpc) as chorus:
        sound, film = (notes.timed("upload", partial(chorus.upload, each)) for each in (audio, video))
        batch = notes.timed("create batch", partial(chorus.create_batch, sound.id, [film.id]))
        job_id = batch.jobs[0].id
        notes.started([job_id])
        *_, jobs = chorus.watch_batch(batch.id)
        assert [job.state for job in jobs] == ["succeeded"], jobs
        notes.timed("delete job", partial(chorus.delete_job, job_id))
        chorus.delete_media(film.id)


def _listen(doors: Doors, over: threading.Event) -> None:
    """Somebody who has the log open all the time, and opens it again every minute."""
    while not over.is_set():
        end = time.monotonic() + 60
        with doors.http() as http, http.stream("GET", "/v1/log/follow") as lines:
            for _ in lines.iter_lines():
                if over.is_set() or time.monotonic() > end:
                    break


def _upload(http: httpx.Client, path: Path) -> str:
    return str(http.post("/v1/media", params={"name": path.name}, content=path.read_bytes()).json()["id"])

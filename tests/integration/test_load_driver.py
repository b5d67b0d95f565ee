"""The clients of `make load` on a small scale: doors and worker are real, the renders are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateway_stack import make_settings, open_gateway, running_worker
from tests.load.clients import Doors, drive
from tests.load.outcome import find_jobs, table


def test_every_job_of_many_clients_is_done_once(tmp_path: Path) -> None:
    audio, video = tmp_path / "speech.wav", tmp_path / "clip.mp4"
    audio.write_bytes(b"speech")
    video.write_bytes(b"clip")
    (tmp_path / "stack").mkdir()
    settings = make_settings(tmp_path / "stack", worker_slots=4)
    with open_gateway(settings) as gateway, running_worker(settings):
        doors = Doors(rest=str(gateway.http.base_url), rpc=gateway.rpc_address)
        notes = drive(doors, audio, video, jobs=8, clients=6, seconds=60)
        jobs = find_jobs(doors, notes)
        assert len(jobs) == 8
        kinds = {f"{what} {door}" for what in ("create", "get", "list", "upload") for door in ("REST", "gRPC")}
        assert kinds <= notes.milliseconds.keys()
        assert not notes.errors
        shown = table(jobs, notes, seconds=2, video_seconds=1, more={"more": "yes"})
        assert next(iter(shown.columns[1].cells)) == "4.00"
        notes.job_ids.append("lost")
        with pytest.raises(AssertionError, match="lost"):
            find_jobs(doors, notes)

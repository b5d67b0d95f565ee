"""The gateway's pure rules: states, requests, what a job says about itself, and what its processes load."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dbos
import pytest
from dbos import WorkflowStatusString

from services.errors import ChorusError, ErrorKind
from services.folders import lock_file
from services.gateway.operations.batch_request import BatchRequest, check_kinds
from services.gateway.rest import schemas
from services.gateway.rest.schemas import NewBatchBody
from services.gateway.v1 import gateway_pb2
from services.jobs import watching as watching_module
from services.jobs.engine import names
from services.jobs.engine.live import Live, live_from_text, live_to_json
from services.jobs.model import Job, JobState, Progress, Stage
from services.jobs.options import RenderOptions
from services.jobs.watching import Watch
from services.library.incoming import IncomingFile
from services.library.limits import BATCH_VIDEOS
from services.library.media import Media

REQUEST = BatchRequest(audio_id="a", video_ids=["v", "w"], options=RenderOptions())
JOB = Job(
    id="b.0",
    batch_id="b",
    index=0,
    name="anna - speech.mp4",
    video_name="anna.mov",
    video_id="v",
    audio_name="speech.wav",
    audio_id="a",
    owner="anna",
    state=JobState.FAILED,
    progress=Progress(stage=Stage.RENDERING, frames_done=1, frames_total=2),
    attempt=3,
    error=ChorusError(ErrorKind.NO_FACE, "as-told", text="anna.mov shows no face"),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    started_at=None,
    finished_at=None,
    output_bytes=None,
)


def test_every_status_of_dbos_has_a_state() -> None:
    assert set(names.STATE_OF_STATUS) == {status.value for status in WorkflowStatusString}
    assert set(names.STATE_OF_STATUS.values()) == set(JobState)
    assert names.statuses_of(JobState.QUEUED) == ["DELAYED", "ENQUEUED"]


def test_the_private_call_for_taking_over_still_exists() -> None:
    assert callable(dbos.DBOS._recover_pending_workflows)


@pytest.mark.parametrize("live", [Live(), Live(progress=JOB.progress, error=JOB.error, output_bytes=7)])
def test_what_a_job_says_survives_its_storage(live: Live) -> None:
    text = dbos.DBOSPortableJSONSerializer().serialize(live_to_json(live))
    assert live_from_text(text) == live
    assert live_from_text(None) == Live()


def test_the_error_of_an_older_worker_is_read_in_its_words() -> None:
    stored = live_to_json(Live(error=JOB.error))
    older = {key: value for key, value in stored.items() if key not in ("error_code", "error_values")}
    assert live_from_text(json.dumps(older)) == Live(error=JOB.error)


def test_equal_requests_have_equal_digests() -> None:
    assert replace(REQUEST, idempotency_key="k", video_ids=("v", "w")).digest == REQUEST.digest
    changes: list[dict[str, Any]] = [
        {"audio_id": "b"},
        {"video_ids": ["w", "v"]},
        {"options": RenderOptions(crf=1)},
    ]
    assert len({replace(REQUEST, **change).digest for change in changes} | {REQUEST.digest}) == 4


@pytest.mark.parametrize("count", [0, BATCH_VIDEOS + 1])
def test_a_batch_has_a_size(count: int) -> None:
    with pytest.raises(ChorusError, match="1 to 500 videos"):
        replace(REQUEST, video_ids=["v"] * count).check()


def test_a_still_may_speak_and_a_video_may_be_the_voice() -> None:
    video = Media(
        id="v",
        name="v.mp4",
        kind="video",
        bytes=1,
        sha256="",
        seconds=1,
        has_audio=True,
        owner="",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        has_thumbnail=False,
    )
    check_kinds(video, [video, replace(video, kind="still", has_audio=False)])


def test_a_job_as_rest_shows_it() -> None:
    body = schemas.job_body(JOB).model_dump(mode="json")
    text = "anna.mov shows no face"
    assert body["error"] == {"kind": "no_face", "code": "as-told", "message": text, "values": {"text": text}}
    assert body["progress"]["stage"] == "rendering"
    assert body["created_at"] == "2026-01-01T00:00:00Z"
    assert schemas.job_body(replace(JOB, error=None)).error is None


def test_every_door_offers_every_option() -> None:
    options = {field.name for field in fields(RenderOptions)}
    assert set(gateway_pb2.RenderOptions.DESCRIPTOR.fields_by_name) == options
    described = NewBatchBody.model_json_schema()["$defs"]["RenderOptions"]["properties"]
    assert set(described) == options
    assert all(each.get("description") for each in described.values())
    assert (described["crf"]["minimum"], described["crf"]["maximum"]) == (0, 35)


def test_many_watchers_share_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "_LOOK_SECONDS", 0.2)
    states = iter([JobState.QUEUED, JobState.RUNNING, JobState.RUNNING, JobState.SUCCEEDED])
    looks: list[str] = []

    def find(job_id: str) -> Job:
        looks.append(job_id)
        return replace(JOB, state=next(states))

    watch = Watch(find, lambda job: job.state is JobState.SUCCEEDED)

    async def follow() -> list[JobState]:
        return [job.state async for job in watch.follow("b.0")]

    async def follow_twice() -> list[list[JobState]]:
        return list(await asyncio.gather(follow(), follow()))

    assert [states[-1] for states in asyncio.run(follow_twice())] == [JobState.SUCCEEDED, JobState.SUCCEEDED]
    assert len(looks) == 4


class _Endless:
    """A disk that takes everything."""

    def check(self, name: str = "", *, scratch: int = 0, store: int = 0) -> None:
        pass


def test_an_upload_is_gone_after_its_block_whatever_happens(tmp_path: Path) -> None:
    refusal = pytest.raises(ChorusError, match=r"x\.mp4 is larger than the limit of 10 bytes")
    with refusal, IncomingFile(tmp_path, "x.mp4", 10, _Endless()) as upload:
        upload.write(b"123456")
        upload.write(b"123456")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_has_one_holder(tmp_path: Path) -> None:
    taken = ChorusError(ErrorKind.CONFLICT, "scratch-in-use", folder="the thing")
    first = lock_file(tmp_path / "lock", taken)
    with pytest.raises(ChorusError, match="Another worker uses the scratch folder the thing"):
        lock_file(tmp_path / "lock", taken)
    first.close()
    lock_file(tmp_path / "lock", taken).close()


def test_the_doors_load_neither_numpy_nor_ffmpeg_nor_triton() -> None:
    program = (
        "import sys, uvicorn, services.gateway.__main__, services.gateway.rest.app, services.gateway.rpc.servicer;"
        "import services.gateway.web.mount;"
        "heavy = {'numpy', 'cv2', 'av', 'tritonclient', 'services.media'} & set(sys.modules);"
        "sys.exit(' '.join(heavy) or 0)"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (child.returncode, child.stderr) == (0, "")

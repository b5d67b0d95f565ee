"""Jobs through the real REST door, SQLite and a real worker process; only the rendering itself is pretended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from services.acting import Actor, Role, acting_as
from services.errors import ChorusError
from services.gateway.operations.batch_request import BatchRequest
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.gateway.web.catalogue import open_words
from services.gateway.web.job_facts import failure_text
from services.jobs.options import RenderOptions
from tests.folders import files_below
from tests.gateway_stack import (
    Gateway,
    is_alive,
    make_settings,
    open_gateway,
    open_operations,
    running_worker,
    wait_until,
)
from tests.states import NewState

# What a test asks of operations itself, it asks as the system.
pytestmark = pytest.mark.usefixtures("as_system")


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = make_settings(tmp_path_factory.mktemp("gateway"), **new_state())
    with open_gateway(settings) as doors, running_worker(settings):
        yield doors


def scratch_files(gateway: Gateway) -> list[Path]:
    return [path for path in files_below(gateway.settings.scratch) if path.name != "worker.lock"]


def test_a_batch_is_rendered_and_its_outputs_are_served(gateway: Gateway) -> None:
    batch = gateway.start_batch("anna.mp4", "ben.mov")
    jobs = [gateway.wait_for(job["id"], "succeeded", "failed") for job in batch["jobs"]]
    assert [job["state"] for job in jobs] == ["succeeded", "succeeded"]
    assert [job["name"] for job in jobs] == ["anna - speech.mp4", "ben - speech.mp4"]
    assert [job["attempt"] for job in jobs] == [1, 1]
    assert jobs[0]["created_at"] <= jobs[0]["started_at"] <= jobs[0]["finished_at"]
    assert jobs[0]["output_bytes"] == len("anna.mp4") * 1000
    assert gateway.http.get(f"/v1/jobs/{jobs[0]['id']}/output").content == b"anna.mp4" * 1000
    assert gateway.http.get(f"/v1/jobs/{jobs[0]['id']}/poster").content == b"poster"
    assert gateway.http.get(f"/v1/batches/{batch['id']}").json()["counts"]["succeeded"] == 2
    wait_until(lambda: not scratch_files(gateway))


def test_progress_is_seen_while_a_job_runs(gateway: Gateway) -> None:
    job_id = gateway.start_job("slow-3.mp4")
    wait_until(lambda: (gateway.job(job_id)["progress"] or {}).get("frames_done") == 3)
    job = gateway.job(job_id)
    assert job["state"] == "running"
    assert job["progress"] == {
        "stage": "rendering",
        "frames_done": 3,
        "frames_total": 10,
        "frames_per_second": 20.0,
        "seconds_left": None,
    }
    gateway.wait_for(job_id, "succeeded")


def test_events_end_with_finished(gateway: Gateway) -> None:
    job_id = gateway.start_job("slow-1.mp4")
    with gateway.http.stream("GET", f"/v1/jobs/{job_id}/events") as answer:
        lines = [line for line in answer.iter_lines() if line]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert set(names[:-1]) == {"progress"}
    assert names[-1] == "finished"
    assert json.loads(lines[-1].removeprefix("data: "))["state"] == "succeeded"
    assert gateway.http.get("/v1/jobs/nobody/events").status_code == 404


def test_a_running_job_is_cancelled_and_its_child_killed(gateway: Gateway) -> None:
    job_id = gateway.start_job("slow-30.mp4")
    gateway.wait_for(job_id, "running")
    (child,) = wait_until(lambda: gateway.renders(job_id))
    assert gateway.http.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    wait_until(lambda: not is_alive(child), 3)
    wait_until(lambda: not scratch_files(gateway))
    assert gateway.job(job_id)["state"] == "cancelled"
    again = gateway.http.post(f"/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["error"]["kind"]) == (409, "conflict")


def test_a_queued_job_is_cancelled_at_once_and_can_be_retried(gateway: Gateway) -> None:
    busy = gateway.start_batch("slow-30.mp4", "slow-30.mp4", "anna.mp4")
    first, second, queued = (job["id"] for job in busy["jobs"])
    gateway.wait_for(first, "running")
    gateway.wait_for(second, "running")
    assert gateway.job(queued)["state"] == "queued"
    assert gateway.http.post(f"/v1/jobs/{queued}/retry").status_code == 409
    counts = gateway.http.post(f"/v1/batches/{busy['id']}/cancel").json()["counts"]
    assert counts == {"queued": 0, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 3}
    assert gateway.renders(queued) == []
    assert gateway.http.post(f"/v1/jobs/{queued}/retry").json()["state"] == "queued"
    assert gateway.wait_for(queued, "succeeded")["attempt"] == 1


def test_a_failed_job_says_why_and_keeps_failing_alike_when_retried(gateway: Gateway) -> None:
    job_id = gateway.start_job("fail.mp4")
    job = gateway.wait_for(job_id, "failed")
    assert job["error"] == {
        "kind": "no_face",
        "code": "no-face",
        "message": "No face was found in fail.mp4: choose a video that shows one, large enough and from the front",
        "values": {"name": "fail.mp4"},
    }
    message = GatewayServiceStub(gateway.channel).GetJob(pb.GetJobRequest(job_id=job_id)).error
    assert MessageToDict(message) == job["error"]
    shown = failure_text(open_words("zh"), gateway.operations.get_job(job_id))
    assert shown == "在“fail.mp4”中没有找到人脸。请选择人脸足够大、正对镜头的视频。"
    assert job["attempt"] == 1
    assert gateway.http.get(f"/v1/jobs/{job_id}/output").json()["error"]["kind"] == "conflict"
    retried = gateway.http.post(f"/v1/jobs/{job_id}/retry").json()
    assert (retried["state"], retried["error"]) == ("queued", None)
    assert gateway.wait_for(job_id, "failed")["attempt"] == 2
    assert gateway.causes(job_id) == ["new", "retried_by_user"]


@pytest.mark.parametrize("video", ["flaky.mp4", "full.mp4"])
def test_an_error_that_passes_is_tried_again(gateway: Gateway, video: str) -> None:
    job_id = gateway.start_job(video)
    job = gateway.wait_for(job_id, "succeeded", "failed")
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert gateway.causes(job_id) == ["new", "error"]


@pytest.mark.parametrize(
    ("video", "kind", "words", "attempts"),
    [
        ("stall.mp4", "deadline", "no progress for 1.5 s", 2),
        ("die.mp4", "unavailable", "was killed (SIGKILL), perhaps because this machine ran out of memory", 2),
        ("crash.mp4", "internal", "code 3", 1),
    ],
)
def test_a_child_that_misbehaves_fails_its_job(
    gateway: Gateway, video: str, kind: str, words: str, attempts: int
) -> None:
    job_id = gateway.start_job(video)
    job = gateway.wait_for(job_id, "failed")
    assert job["error"]["kind"] == kind
    assert words in job["error"]["message"]
    assert video in job["error"]["message"]
    assert job["attempt"] == attempts
    assert not any(map(is_alive, gateway.renders(job_id)))
    wait_until(lambda: not scratch_files(gateway))


def test_deleting_removes_a_finished_job_and_at_last_its_batch(gateway: Gateway) -> None:
    batch = gateway.start_batch("anna.mp4", "slow-30.mp4")
    done, running = (job["id"] for job in batch["jobs"])
    gateway.wait_for(done, "succeeded")
    assert gateway.http.delete(f"/v1/jobs/{running}").status_code == 409
    assert gateway.http.delete(f"/v1/jobs/{done}").status_code == 204
    for address in (f"/v1/jobs/{done}", f"/v1/jobs/{done}/output"):
        assert gateway.http.get(address).status_code == 404
    assert not [key for key in gateway.storage.keys("") if done in key]
    gateway.http.post(f"/v1/jobs/{running}/cancel")
    assert gateway.http.delete(f"/v1/jobs/{running}").status_code == 204
    assert gateway.http.get(f"/v1/batches/{batch['id']}").status_code == 404


def test_an_upload_is_kept_while_a_job_needs_it(gateway: Gateway) -> None:
    video, audio = gateway.upload("slow-30.mp4"), gateway.upload("speech.wav")
    batch = gateway.http.post("/v1/batches", json={"audio_id": audio, "video_ids": [video]}).json()
    assert gateway.http.delete(f"/v1/media/{audio}").json()["error"]["kind"] == "conflict"
    gateway.http.post(f"/v1/batches/{batch['id']}/cancel")
    assert gateway.http.delete(f"/v1/media/{audio}").status_code == 204
    assert gateway.http.get(f"/v1/media/{audio}").status_code == 404
    assert gateway.http.get(f"/v1/media/{video}").status_code == 200


def test_an_owner_has_a_share_of_the_store_and_of_the_queue(gateway: Gateway, tmp_path: Path) -> None:
    shares = {"owner_bytes": 20_000, "owner_jobs": 2, "scratch": tmp_path / "scratch"}
    database, _, operations = open_operations(gateway.settings.model_copy(update=shares))
    maker = Actor(name="eve", role=Role.MAKER, owner="eve")

    def upload(name: str, size: int) -> str:
        with operations.intake.receive(name) as incoming:
            incoming.write(name.encode().ljust(size, b"x"))
            return operations.intake.create(incoming, owner="eve").id

    with acting_as(maker):
        audio, videos = upload("speech.wav", 10), [upload(f"eve {number}.mp4", 10) for number in range(3)]
        request = BatchRequest(audio_id=audio, video_ids=videos[:1], options=RenderOptions(), owner="eve")
        with pytest.raises(ChorusError, match="So many of your jobs"):
            operations.create_batch(replace(request, video_ids=videos))
        batch = operations.create_batch(request)
        (job,) = operations.jobs_of(batch.id)
        assert gateway.wait_for(job.id, "succeeded")["output_bytes"] == 9000
        # 40 bytes of uploads, 9,000 of outputs, and what is begun: 20,000 at most.
        begun = operations.uploads.create("begun.mp4", 6000, owner="eve")
        for more in (4961, 20_000):
            with pytest.raises(ChorusError, match=r"more\.mp4 does not fit: your files take 15040 bytes of 20000"):
                operations.uploads.create("more.mp4", more, owner="eve")
        with pytest.raises(ChorusError, match=r"more\.wav does not fit"):
            upload("more.wav", 10_961)
        with acting_as(Actor(name="anna", role=Role.ADMIN, owner="eve")):
            assert operations.uploads.create("more.mp4", 4961, owner="eve").length == 4961
        operations.outputs.delete_job(job.id)
        operations.uploads.append(begun.id, 0, b"x" * 6000)
        assert operations.uploads.finish(begun.id).bytes == 6000
        assert upload("more.wav", 9_019)
    operations.preflights.close()
    operations.readiness.close()
    operations.drafts.close()
    database.dispose()

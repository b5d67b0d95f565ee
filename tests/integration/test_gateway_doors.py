"""The REST and gRPC doors over real sockets: uploads, refusals, lists, batches."""

from __future__ import annotations

import hashlib
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import Gateway, make_settings, open_gateway, running_worker, wait_until
from tests.states import NewState


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("doors"), **new_state())) as doors:
        yield doors


def stored(gateway: Gateway, folder: str) -> list[str]:
    return list(gateway.storage.keys(folder))


def uploads_in_scratch(gateway: Gateway) -> list[Path]:
    return list((gateway.settings.scratch / "uploads").iterdir())


def test_an_upload_is_described_and_stored_once_by_its_content(gateway: Gateway) -> None:
    content = b"the same content"
    form = gateway.http.post("/v1/media", files={"file": ("多人 clip.mov", content)}).json()
    raw = gateway.http.post("/v1/media", params={"name": "../../etc/Other.mov"}, content=content).json()
    digest = hashlib.sha256(content).hexdigest()
    assert form == {
        "id": form["id"],
        "name": "多人 clip.mov",
        "kind": "video",
        "bytes": len(content),
        "sha256": digest,
        "seconds": pytest.approx(0.96),
        "has_audio": False,
        "width": 640,
        "height": 360,
        "frame_rate": "30000/1001",
        "owner": "",
        "created_at": form["created_at"],
        "has_thumbnail": True,
        "sound_notes": [],
        "sound_track": None,
    }
    assert (raw["name"], raw["sha256"]) == ("Other.mov", digest)
    assert raw["id"] != form["id"]
    assert gateway.http.get(f"/v1/media/{raw['id']}").json() == raw
    assert [key.rsplit("/", 1)[1] for key in stored(gateway, "media")].count(digest) == 1
    assert gateway.http.delete(f"/v1/media/{raw['id']}").status_code == 204
    assert digest in [key.rsplit("/", 1)[1] for key in stored(gateway, "media")]
    assert gateway.http.delete(f"/v1/media/{form['id']}").status_code == 204
    assert digest not in [key.rsplit("/", 1)[1] for key in stored(gateway, "media")]


@pytest.mark.parametrize("as_form", [False, True])
def test_too_large_an_upload_is_refused_and_leaves_nothing(gateway: Gateway, as_form: bool) -> None:
    before = stored(gateway, "media")
    content = bytes(gateway.settings.max_upload_bytes + 200_000)
    for body in (content, iter([content[:2_000_000], content[2_000_000:]])):
        if as_form:
            answer = gateway.http.post("/v1/media", files={"file": ("big.mp4", content)})
        else:
            answer = gateway.http.post("/v1/media", params={"name": "big.mp4"}, content=body)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "too_large")
    assert uploads_in_scratch(gateway) == []
    assert stored(gateway, "media") == before


def test_a_refused_or_broken_upload_leaves_nothing(gateway: Gateway) -> None:
    before = stored(gateway, "media")
    empty = gateway.http.post("/v1/media", params={"name": "empty.mp4"}, content=b"")
    assert (empty.status_code, empty.json()["error"]["message"][:18]) == (422, "empty.mp4 is empty")
    long = gateway.http.post("/v1/media", params={"name": "long.wav"}, content=bytes(101_000))
    message = "long.wav is 101.0 minutes long; the limit is 100 minutes: cut it"
    assert (long.status_code, long.json()["error"]["message"]) == (422, message)
    no_file = gateway.http.post("/v1/media", files={"other": ("a.mp4", b"content")})
    assert "no file in a field named file" in no_file.json()["error"]["message"]
    host, port = gateway.http.base_url.host, gateway.http.base_url.port
    with socket.create_connection((host, port or 0)) as connection:
        head = f"POST /v1/media?name=cut.mp4 HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2000000\r\n\r\n"
        connection.sendall(head.encode() + bytes(1_500_000))
        wait_until(lambda: uploads_in_scratch(gateway))
    wait_until(lambda: not uploads_in_scratch(gateway))
    assert stored(gateway, "media") == before


def test_a_large_upload_does_not_go_through_memory(tmp_path: Path) -> None:
    size = 200_000_000
    with open_gateway(make_settings(tmp_path, max_upload_bytes=size, max_minutes=1e9)) as doors:
        doors.upload("small.mp4")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        piece = bytes(1 << 20)
        doors.http.post("/v1/media", params={"name": "big.mp4"}, content=(piece for _ in range(size >> 20)))
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


def test_batches_refuse_what_cannot_be_rendered(gateway: Gateway) -> None:
    video, audio = gateway.upload("clip.mp4"), gateway.upload("speech.wav")

    def refuse(status: int, **changes: object) -> str:
        answer = gateway.http.post("/v1/batches", json={"audio_id": audio, "video_ids": [video], **changes})
        assert answer.status_code == status, answer.text
        return str(answer.json()["error"]["message"])

    assert refuse(422, audio_id=video) == "clip.mp4 has no sound: choose a recording of speech"
    assert refuse(422, video_ids=[video, audio]) == "speech.wav has no picture: choose a video or a photo"
    assert "There is no upload nobody" in refuse(404, video_ids=[video, "nobody"])
    assert "body.video_ids" in refuse(422, video_ids=[])
    assert "body.video_ids" in refuse(422, video_ids=[video] * 501)
    assert "There is no family other; choose one of default" in refuse(422, options={"family": "other"})
    assert "body.options.crf" in refuse(422, options={"crf": 36})
    assert "body.options.quality" in refuse(422, options={"quality": 1})
    assert gateway.http.get("/v1/batches/nobody").json()["error"]["kind"] == "not_found"
    assert gateway.http.get("/v1/nothing").json()["error"]["kind"] == "not_found"
    assert gateway.http.put("/v1/jobs").json()["error"] == {
        "kind": "invalid_input",
        "code": "request-refused",
        "message": "PUT /v1/jobs: Method Not Allowed",
        "values": {"method": "PUT", "path": "/v1/jobs", "reason": "Method Not Allowed"},
        "retryable": False,
    }


@pytest.mark.parametrize(
    ("asked", "chosen", "language", "words"),
    [
        ("", "", "en", "There is no batch nobody"),
        ("zh-CN,zh;q=0.9", "", "zh", "批次 nobody 不存在。"),
        ("zh-CN,zh;q=0.9", "en", "en", "There is no batch nobody"),
        ("en", "zh", "zh", "批次 nobody 不存在。"),
    ],
)
def test_a_refusal_speaks_the_language_of_the_caller(
    gateway: Gateway, asked: str, chosen: str, language: str, words: str
) -> None:
    headers = {"Accept-Language": asked, "Cookie": f"chorus_language={chosen}"}
    answer = gateway.http.get("/v1/batches/nobody", headers=headers)
    assert (answer.headers["content-language"], answer.headers["vary"]) == (language, "Accept-Language, Cookie")
    assert answer.json()["error"] == {
        "kind": "not_found",
        "code": "batch-unknown",
        "message": words,
        "values": {"batch": "nobody"},
        "retryable": False,
    }
    # What the guard refuses before any route is asked.
    foreign = gateway.http.post("/v1/batches", headers={**headers, "Origin": "http://elsewhere"})
    assert (foreign.status_code, foreign.headers["content-language"]) == (403, language)


def test_an_idempotency_key_makes_one_batch(gateway: Gateway) -> None:
    body = {"audio_id": gateway.upload("speech.wav"), "video_ids": [gateway.upload("clip.mp4")]}
    key = {"Idempotency-Key": "the same"}
    first = gateway.http.post("/v1/batches", json=body, headers=key)
    assert gateway.http.post("/v1/batches", json=body, headers=key).json()["id"] == first.json()["id"]
    other = gateway.http.post("/v1/batches", json={**body, "options": {"crf": 20}}, headers=key)
    assert (other.status_code, other.json()["error"]["kind"]) == (409, "conflict")
    assert gateway.http.post("/v1/batches", json=body).json()["id"] != first.json()["id"]
    gateway.http.post(f"/v1/batches/{first.json()['id']}/cancel")


def test_lists_are_filtered_and_paged(gateway: Gateway) -> None:
    older = gateway.start_batch(*(f"Page {number}.mp4" for number in range(5)))
    newer = gateway.start_batch("Page_x.mp4", "other.mp4")
    gateway.http.post(f"/v1/batches/{older['id']}/cancel")

    def listed(**filters: str | int) -> tuple[list[str], int]:
        body = gateway.http.get("/v1/jobs", params=filters).json()
        return [job["video_name"] for job in body["items"]], body["total"]

    assert listed(name="page", limit=2) == (["Page_x.mp4", "Page 0.mp4"], 6)
    assert listed(name="PAGE", limit=2, offset=5) == (["Page 4.mp4"], 6)
    assert listed(name="page_") == (["Page_x.mp4"], 1)
    assert listed(name="page", state="cancelled")[1] == 5
    assert listed(batch=newer["id"]) == (["Page_x.mp4", "other.mp4"], 2)
    assert listed(batch=newer["id"], state="queued", name="speech")[1] == 2
    assert listed(batch="nobody") == ([], 0)
    assert gateway.http.get("/v1/jobs", params={"state": "odd"}).status_code == 422
    assert gateway.http.get("/v1/jobs", params={"limit": 501}).status_code == 422
    page = gateway.http.get("/v1/batches", params={"limit": 2}).json()
    assert [batch["id"] for batch in page["items"]] == [newer["id"], older["id"]]
    assert page["items"][1]["counts"]["cancelled"] == 5
    assert page["total"] >= 2
    gateway.http.post(f"/v1/batches/{newer['id']}/cancel")


def test_the_grpc_door(gateway: Gateway) -> None:
    stub = GatewayServiceStub(gateway.channel)

    def upload(name: str) -> str:
        parts = (pb.UploadRequest(name=name), pb.UploadRequest(content=name.encode()), pb.UploadRequest(content=b"cd"))
        media = stub.Upload(iter(parts))
        assert (media.name, media.bytes) == (name, len(name) + 2)
        return str(media.id)

    videos = [upload("eva.mp4"), upload("slow-1.mp4")]
    request = pb.CreateBatchRequest(
        audio_id=upload("speech.wav"), video_ids=videos, options=pb.RenderOptions(crf=0, extend="loop")
    )
    with running_worker(gateway.settings):
        batch = stub.CreateBatch(request)
        seen = list(stub.WatchJob(pb.WatchJobRequest(job_id=batch.jobs[1].id), timeout=20))
    assert seen[-1].state == "succeeded"
    assert len(seen) > 1
    content = b"".join(part.content for part in stub.DownloadOutput(pb.DownloadOutputRequest(job_id=batch.jobs[0].id)))
    assert content == b"eva.mp4" * 1000
    rest = stub.DownloadOutput(pb.DownloadOutputRequest(job_id=batch.jobs[0].id, offset=6990))
    assert [(part.content, part.total_bytes) for part in rest] == [(content[6990:], 7000)]
    assert stub.GetBatch(pb.GetBatchRequest(batch_id=batch.id)).counts["succeeded"] == 2
    assert stub.ListJobs(pb.ListJobsRequest(batch_id=batch.id, state="succeeded")).total == 2
    assert batch.id in [each.id for each in stub.ListBatches(pb.ListBatchesRequest()).batches]
    assert stub.ListFamilies(pb.ListFamiliesRequest()).families[0].name == "default"
    stub.DeleteJob(pb.DeleteJobRequest(job_id=batch.jobs[0].id))
    for call, status in (
        (lambda: stub.GetJob(pb.GetJobRequest(job_id=batch.jobs[0].id)), grpc.StatusCode.NOT_FOUND),
        (lambda: stub.RetryJob(pb.RetryJobRequest(job_id=batch.jobs[1].id)), grpc.StatusCode.ABORTED),
        (lambda: stub.CancelJob(pb.CancelJobRequest(job_id=batch.jobs[1].id)), grpc.StatusCode.ABORTED),
        (lambda: stub.ListJobs(pb.ListJobsRequest(state="odd")), grpc.StatusCode.INVALID_ARGUMENT),
        (
            lambda: stub.CreateBatch(
                pb.CreateBatchRequest(audio_id="a", video_ids=["b"], options=pb.RenderOptions(crf=99))
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ):
        with pytest.raises(grpc.RpcError) as refusal:
            call()
        assert refusal.value.code() is status


def test_a_batch_of_500_is_all_or_nothing_and_quick_to_list(gateway: Gateway) -> None:
    video, audio = gateway.upload("many.mp4"), gateway.upload("speech.wav")
    begun = time.monotonic()
    batch = gateway.http.post("/v1/batches", json={"audio_id": audio, "video_ids": [video] * 500}).json()
    assert time.monotonic() - begun < 10
    assert [job["index"] for job in batch["jobs"]] == list(range(500))
    assert len({job["name"] for job in batch["jobs"]}) == 500
    assert gateway.http.post(f"/v1/batches/{batch['id']}/cancel").json()["counts"]["cancelled"] == 500

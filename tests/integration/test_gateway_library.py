"""Uploads, history and disk use over REST and gRPC: everything that the page can do."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.jobs import attempts, tables
from services.library import media as media_module
from tests.gateway_stack import Gateway, make_settings, open_gateway, running_worker, wait_until
from tests.states import NewState

# What a test asks of operations itself, it asks as the system.
pytestmark = pytest.mark.usefixtures("as_system")

ANNA = {"Cookie": "chorus_owner=anon-" + "a" * 32}
BEN = {"Cookie": "chorus_owner=anon-" + "b" * 32}


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = make_settings(tmp_path_factory.mktemp("library"), **new_state())
    with open_gateway(settings) as doors, running_worker(settings):
        yield doors


def upload(gateway: Gateway, name: str, headers: dict[str, str]) -> str:
    answer = gateway.http.post("/v1/media", params={"name": name}, content=name.encode(), headers=headers)
    return str(answer.json()["id"])


def batch(gateway: Gateway, headers: dict[str, str], *names: str, **more: Any) -> dict[str, Any]:
    videos = [upload(gateway, name, headers) for name in names]
    body = {"audio_id": upload(gateway, "speech.wav", headers), "video_ids": videos, **more}
    return dict(gateway.http.post("/v1/batches", json=body, headers=headers).json())


def listed(gateway: Gateway, path: str, headers: dict[str, str], **wanted: Any) -> list[dict[str, Any]]:
    return list(gateway.http.get(path, params={"limit": 500, **wanted}, headers=headers).json()["items"])


def test_each_sees_their_own_uploads_first(gateway: Gateway) -> None:
    anna, ben = upload(gateway, "anna.mp4", ANNA), upload(gateway, "ben.mp4", BEN)
    assert listed(gateway, "/v1/media", ANNA)[0]["id"] == anna
    assert listed(gateway, "/v1/media", BEN)[0]["id"] == ben
    assert anna in [each["id"] for each in listed(gateway, "/v1/media", BEN)]
    assert {each["owner"][-1] for each in listed(gateway, "/v1/media", BEN, owner="me")} == {"b"}
    assert {each["kind"] for each in listed(gateway, "/v1/media", BEN, kind="video")} == {"video"}
    assert gateway.http.get("/v1/media", params={"kind": "odd"}).status_code == 422


def test_content_and_thumbnail_of_an_upload(gateway: Gateway) -> None:
    video, audio = upload(gateway, "clip.mp4", ANNA), upload(gateway, "speech.wav", ANNA)
    part = gateway.http.get(f"/v1/media/{video}/content", headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"lip", "video/mp4")
    assert part.headers["content-disposition"].startswith("inline")
    assert gateway.http.get(f"/v1/media/{video}/thumbnail").content == b"thumbnail"
    assert gateway.http.get(f"/v1/media/{audio}/thumbnail").status_code == 404
    page = upload(gateway, "page.html", ANNA)
    assert gateway.http.get(f"/v1/media/{page}/content").headers["content-type"] == "application/octet-stream"


def test_what_a_recording_lacks_is_said_at_its_upload(gateway: Gateway) -> None:
    address = f"/v1/media/{upload(gateway, 'hum.wav', ANNA)}"
    found = gateway.http.get(address).json()
    assert (found["sound_notes"], found["sound_track"]) == (["no_speech", "clipped"], 2)
    good = gateway.http.get(f"/v1/media/{upload(gateway, 'speech.wav', ANNA)}").json()
    assert (good["sound_notes"], good["sound_track"]) == ([], None)


def test_history_is_filtered_by_owner_and_date(gateway: Gateway) -> None:
    old, new = batch(gateway, ANNA, "old.mp4"), batch(gateway, BEN, "new.mp4", "newer.mp4")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    with tables.transaction(gateway.database) as connection:
        earlier = tables.jobs.update().where(tables.jobs.c.batch_id == old["id"])
        connection.execute(earlier.values(created_ms=int(long_ago.timestamp() * 1000)))

    def names(headers: dict[str, str], **wanted: Any) -> list[str]:
        found = listed(gateway, "/v1/jobs", headers, **wanted)
        return [job["video_name"] for job in found if job["batch_id"] in (old["id"], new["id"])]

    assert names(ANNA) == ["old.mp4", "new.mp4", "newer.mp4"]
    assert names(BEN) == ["new.mp4", "newer.mp4", "old.mp4"]
    assert names(ANNA, owner="me") == ["old.mp4"]
    week = (datetime.now(UTC) - timedelta(days=7)).isoformat()
    assert names(ANNA, since=week) == ["new.mp4", "newer.mp4"]
    assert names(ANNA, until=week) == ["old.mp4"]
    (job,) = listed(gateway, "/v1/jobs", ANNA, batch=old["id"])
    assert (job["audio_name"], job["audio_id"]) == ("speech.wav", old["audio_id"])
    assert gateway.http.get(f"/v1/media/{job['video_id']}").json()["name"] == "old.mp4"
    assert listed(gateway, "/v1/batches", ANNA)[0]["owner"].endswith("a")


def test_a_face_is_chosen_for_one_of_the_videos(gateway: Gateway) -> None:
    first, second = upload(gateway, "one.mp4", ANNA), upload(gateway, "two.mp4", ANNA)
    body = {"audio_id": upload(gateway, "speech.wav", ANNA), "video_ids": [first, second], "faces": {second: 1}}
    made = gateway.http.post("/v1/batches", json=body).json()
    with tables.transaction(gateway.database) as connection:
        chosen = [attempts.find_spec(connection, job["id"]).options.face for job in made["jobs"]]
    assert chosen == [None, 1]
    strange = gateway.http.post("/v1/batches", json={**body, "faces": {"other": 1}})
    assert (strange.status_code, "which is no video here" in strange.text) == (422, True)


def test_many_are_fetched_and_deleted_at_once(gateway: Gateway) -> None:
    one, two = batch(gateway, ANNA, "twin.mp4", "slow-30.mp4"), batch(gateway, ANNA, "twin.mp4")
    jobs = [job["id"] for made in (one, two) for job in made["jobs"]]
    done = [jobs[0], jobs[2]]
    for job_id in done:
        gateway.wait_for(job_id, "succeeded")
    answer = gateway.http.get("/v1/archive", params={"job": jobs})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["twin - speech.mp4", "twin - speech (2).mp4"]
    deleted = gateway.http.post("/v1/jobs/delete", json={"ids": [*jobs, "nobody"]}).json()
    assert deleted["deleted"] == done
    assert "cancel it first" in deleted["refused"][jobs[1]]
    assert deleted["refused"]["nobody"] == "There is no job nobody"
    gateway.http.post(f"/v1/batches/{one['id']}/cancel")
    with gateway.http.stream("GET", f"/v1/batches/{one['id']}/events") as events:
        assert [line for line in events.iter_lines() if line][-2] == "event: finished"


def test_disk_use_and_limits(gateway: Gateway) -> None:
    before = gateway.http.get("/v1/disk").json()
    assert before["uploads_bytes"] > 0
    assert before["free_bytes"] is None or before["free_bytes"] > 0
    assert gateway.http.get("/v1/queue").json().keys() == {"queued", "running", "succeeded", "failed", "cancelled"}
    limits = gateway.http.get("/v1/limits").json()
    assert limits["max_upload_bytes"] == gateway.settings.max_upload_bytes
    assert ".opus" in limits["audio_suffixes"]
    assert ".3gp" in limits["picture_suffixes"]


def test_deleting_an_upload_takes_what_was_made_of_it(gateway: Gateway) -> None:
    video = gateway.upload("lonely.mp4")
    digest = gateway.http.get(f"/v1/media/{video}").json()["sha256"]
    gateway.storage.put_bytes(f"tracks/{digest}/1/faces", b"tracks")
    gateway.http.post(f"/v1/media/{video}/preflight")
    wait_until(lambda: gateway.http.get(f"/v1/media/{video}/preflight").json()["state"] == "done")
    assert gateway.http.delete(f"/v1/media/{video}").status_code == 204
    assert not [key for key in gateway.storage.keys("") if digest in key]
    with tables.transaction(gateway.database) as connection:
        assert not connection.execute(tables.preflights.select().where(tables.preflights.c.sha256 == digest)).all()


def test_the_same_over_grpc(gateway: Gateway) -> None:
    stub = GatewayServiceStub(gateway.channel)
    made = batch(gateway, ANNA, "two in one.mp4")
    (job,) = made["jobs"]
    states = [each.jobs[0].state for each in stub.WatchBatch(pb.WatchBatchRequest(batch_id=made["id"]), timeout=20)]
    assert states[-1] == "succeeded"
    media_id = job["video_id"]
    assert stub.GetMedia(pb.GetMediaRequest(media_id=media_id)).has_thumbnail
    assert stub.GetThumbnail(pb.GetThumbnailRequest(media_id=media_id)).jpeg == b"thumbnail"
    assert stub.GetPoster(pb.GetPosterRequest(job_id=job["id"])).jpeg == b"poster"
    assert b"".join(p.content for p in stub.DownloadMedia(pb.DownloadMediaRequest(media_id=media_id)))[:3] == b"two"
    assert media_id in [each.id for each in stub.ListMedia(pb.ListMediaRequest(kind="video", limit=500)).media]
    stub.StartPreflight(pb.StartPreflightRequest(media_id=media_id))
    seen = list(stub.WatchPreflight(pb.WatchPreflightRequest(media_id=media_id), timeout=20))
    assert (seen[-1].state, len(seen[-1].findings.faces[0].box)) == ("done", 4)
    stub.CancelPreflight(pb.CancelPreflightRequest(media_id=media_id))
    archive = b"".join(p.content for p in stub.DownloadArchive(pb.DownloadArchiveRequest(job_ids=[job["id"]])))
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["two in one - speech.mp4"]
    assert stub.GetQueue(pb.GetQueueRequest()).counts["succeeded"] > 0
    assert stub.GetDiskUse(pb.GetDiskUseRequest()).uploads_bytes > 0
    assert stub.GetLimits(pb.GetLimitsRequest()).max_minutes == 100
    owner = stub.GetJob(pb.GetJobRequest(job_id=job["id"])).owner
    since = int((datetime.now(UTC) - timedelta(hours=1)).timestamp() * 1000)
    found = stub.ListJobs(pb.ListJobsRequest(owner=owner, since_ms=since, limit=500)).jobs
    assert job["id"] in [each.id for each in found]
    with pytest.raises(grpc.RpcError) as refusal:
        next(stub.ReadLog(pb.ReadLogRequest()))
    assert "keeps no common log" in str(refusal.value)
    assert stub.DeleteJobs(pb.DeleteJobsRequest(job_ids=[job["id"]])).deleted == [job["id"]]
    stub.DeleteMedia(pb.DeleteMediaRequest(media_id=media_id))


def test_the_log_is_read_by_job_and_followed(tmp_path: Path) -> None:
    log = tmp_path / "chorus.log"
    records = [
        json.dumps({"time": f"T{n}", "level": "INFO", "service": "worker", "message": "ended", "job_id": f"ab.{n}"})
        for n in range(3)
    ]
    shown = [f"worker     | T{number} INFO ended" for number in range(3)]
    log.write_text("".join(f"{record}\n" for record in records))
    with open_gateway(make_settings(tmp_path, log_file=log)) as doors:
        whole = doors.http.get("/v1/log")
        assert whole.text.splitlines() == shown
        assert 'filename="chorus.log"' in whole.headers["content-disposition"]
        assert doors.http.get("/v1/log", params={"job": "ab.1"}).text == f"{shown[1]}\n"
        assert doors.http.get("/v1/log", params={"lines": 1}).text == f"{shown[2]}\n"
        stub = GatewayServiceStub(doors.channel)
        read = stub.ReadLog(pb.ReadLogRequest(lines=2))
        assert [(line.level, line.job_id) for line in read] == [("INFO", "ab.1"), ("INFO", "ab.2")]
        with doors.http.stream("GET", "/v1/log/follow", params={"job": "ab.2"}) as answer:
            with log.open("a") as file:
                file.write(f"{records[1]}\n{records[2]}\n")
            assert next(line for line in answer.iter_lines() if line.startswith("data:")) == f"data: {shown[2]}"


def test_what_the_live_view_asks_for_takes_as_many_statements_for_many_batches_as_for_one(gateway: Gateway) -> None:
    statements: list[str] = []
    made = [gateway.start_batch(f"slow-30 {number}.mp4", "slow-30.mp4") for number in range(6)]
    sa.event.listen(gateway.database, "before_cursor_execute", lambda *given: statements.append(given[2]))
    counts = []
    for batches in (made[:1], made):
        statements.clear()
        jobs = gateway.operations.jobs_by_batch([each["id"] for each in batches])
        assert [[job.index for job in jobs[each["id"]]] for each in batches] == [[0, 1]] * len(batches)
        assert gateway.operations.count_unfinished("nobody") == 0
        counts.append(sum("jobs" in statement for statement in statements))
    assert counts[0] == counts[1] == 2
    for each in made:
        gateway.http.post(f"/v1/batches/{each['id']}/cancel")


def test_content_that_no_upload_has_is_swept(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_module, "_STALE_SECONDS", -60.0)
    kept = gateway.http.get(f"/v1/media/{gateway.upload('kept.mp4', b'kept content')}").json()["sha256"]
    for key in ("media/orphan", "thumbnails/orphan.jpg", "tracks/orphan/1/faces"):
        gateway.storage.put_bytes(key, b"left by a process that died")
    gateway.operations.media.sweep()
    assert [key for key in gateway.storage.keys("") if "orphan" in key] == []
    assert f"media/{kept}" in gateway.storage.keys("media")


def test_a_grpc_download_begins_where_it_is_asked_to(gateway: Gateway) -> None:
    stub = GatewayServiceStub(gateway.channel)
    content = bytes(range(256)) * 300
    media_id = gateway.upload("ranges.mp4", content)
    for offset in (0, 50_000, len(content)):
        parts = list(stub.DownloadMedia(pb.DownloadMediaRequest(media_id=media_id, offset=offset)))
        assert b"".join(part.content for part in parts) == content[offset:]
        assert {part.total_bytes for part in parts} <= {len(content)}
    with pytest.raises(grpc.RpcError, match="76800 bytes: it cannot be sent from byte 76801 on") as refusal:
        list(stub.DownloadMedia(pb.DownloadMediaRequest(media_id=media_id, offset=len(content) + 1)))
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT

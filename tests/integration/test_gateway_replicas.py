"""The doors of two api processes on one database and one store: what one begins, the other goes on with."""

from __future__ import annotations

import asyncio
import base64
import random
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind
from services.gateway.operations.counts import ExactCounts, SharedCounts
from services.gateway.operations.drafts import Drafts
from services.gateway.web.open_drafts import OpenDrafts
from services.jobs import moments, tables
from services.library.intake import Intake
from services.library.preflight import Preflights
from services.preprocess.summary import AnalysisProgress, VideoAnalysis
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until
from tests.states import NewState

# What a test asks of operations itself, it asks as the system.
pytestmark = pytest.mark.usefixtures("as_system")

Pair = tuple[Gateway, Gateway]
TUS = {"Tus-Resumable": "1.0.0"}
# Seconds; of one whose clock was ahead, it seems to come only in an hour.
DEAD_SINCE = (60, -3600)


@pytest.fixture(scope="module")
def pair(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    first = make_settings(tmp_path_factory.mktemp("replica"), **new_state(), max_minutes=2900)
    second = first.model_copy(update={"scratch": tmp_path_factory.mktemp("other") / "scratch"})
    with open_gateway(first) as one, open_gateway(second) as other:
        yield one, other


def preflight(gateway: Gateway, media_id: str) -> dict[str, Any]:
    """The preflight as REST shows it."""
    return dict(gateway.http.get(f"/v1/media/{media_id}/preflight").json())


def ended_preflight(gateway: Gateway, media_id: str) -> dict[str, Any] | None:
    """The preflight once it is done."""
    now = preflight(gateway, media_id)
    return now if now["state"] == "done" else None


def begin_upload(gateway: Gateway, name: str, length: int) -> str:
    """The address of a new resumable upload."""
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
    return str(gateway.http.post("/v1/uploads", headers=headers).headers["location"])


def send(gateway: Gateway, address: str, offset: int, content: bytes) -> httpx.Response:
    """Send a piece."""
    headers = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
    return gateway.http.patch(address, headers=headers, content=content)


def test_an_upload_that_changes_the_replica_with_every_piece_loses_nothing(pair: Pair) -> None:
    one, other = pair
    for number in range(20):
        pieces = [random.Random(f"{number} {piece}").randbytes(1000 + piece) for piece in range(5)]
        address, offset = begin_upload(one, f"wandering {number}.mp4", sum(map(len, pieces))), 0
        for gateway, piece in zip((one, other, one, other, one), pieces, strict=True):
            assert int(gateway.http.head(address, headers=TUS).headers["upload-offset"]) == offset
            answer = send(gateway, address, offset, piece)
            offset += len(piece)
        media_id = answer.headers["chorus-media-id"]
        assert other.http.get(f"/v1/media/{media_id}/content").content == b"".join(pieces)
        assert other.http.post(f"{address}/media").json()["id"] == media_id
    assert list(one.storage.keys("parts")) == []


def test_of_two_who_send_the_same_bytes_one_is_told_where_to_go_on(pair: Pair) -> None:
    one, other = pair
    for number in range(5):
        address = begin_upload(one, f"twice {number}.mp4", 3000)
        with ThreadPoolExecutor(2) as pool:
            sent = [pool.submit(send, gateway, address, 0, b"x" * 2000) for gateway in (one, other)]
            assert sorted(each.result().status_code for each in sent) == [204, 409]
        assert int(other.http.head(address, headers=TUS).headers["upload-offset"]) == 2000
        assert one.http.delete(address, headers=TUS).status_code == 204


def test_an_upload_that_is_finished_on_both_becomes_one_media(pair: Pair) -> None:
    one, other = pair
    address = begin_upload(one, "both.mp4", 8)
    upload_id = address.rsplit("/", 1)[1]
    one.operations.uploads.append(upload_id, 0, b"01234567")
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(gateway.http.post, f"{address}/media") for gateway in (one, other) * 5]
        assert len({each.result().json()["id"] for each in asked}) == 1
    assert [item["name"] for item in one.http.get("/v1/media").json()["items"]].count("both.mp4") == 1


@pytest.mark.parametrize("seconds", DEAD_SINCE)
def test_an_upload_whose_finisher_died_is_finished_by_another(pair: Pair, seconds: int) -> None:
    one, other = pair
    address = begin_upload(one, "left.mp4", 8)
    upload_id = address.rsplit("/", 1)[1]
    one.operations.uploads.append(upload_id, 0, f"{seconds:8}".encode())
    with tables.transaction(one.database) as connection:
        row = tables.uploads.update().where(tables.uploads.c.id == upload_id)
        connection.execute(row.values(claim="dead", claim_ms=moments.now_ms() - seconds * 1000))
    assert other.http.post(f"{address}/media").json()["name"] == "left.mp4"


def test_a_finisher_that_was_taken_for_dead_and_fails_leaves_the_claim_of_the_next(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    address = begin_upload(one, "taken over.mp4", 8)
    upload_id = address.rsplit("/", 1)[1]
    one.operations.uploads.append(upload_id, 0, b"13572468")
    table = tables.uploads

    def taken_over(*_: object, **__: object) -> None:
        with tables.transaction(one.database) as connection:
            row = table.update().where(table.c.id == upload_id)
            connection.execute(row.values(claim="the next", claim_ms=moments.now_ms()))
        raise ChorusError(ErrorKind.UNAVAILABLE, "database-silent")

    with monkeypatch.context() as patch:
        patch.setattr(Intake, "create", taken_over)
        assert one.http.post(f"{address}/media").status_code == 503
    with tables.transaction(one.database) as connection:
        claim = connection.execute(sa.select(table.c.claim).where(table.c.id == upload_id)).scalar_one()
    assert claim == "the next"
    assert one.http.delete(address, headers=TUS).status_code == 204


def test_bytes_that_no_row_knows_are_swept(pair: Pair) -> None:
    one, other = pair
    address = begin_upload(one, "kept.mp4", 100)
    send(one, address, 0, b"kept")
    one.storage.put_bytes("parts/nobody/0", b"orphan")
    for gateway in (other, one):
        gateway.operations.uploads.sweep()
    assert [key.split("/")[1] for key in one.storage.keys("parts")] == [address.rsplit("/", 1)[1]]
    other.http.delete(address, headers=TUS)
    assert list(one.storage.keys("parts")) == []


def test_a_preflight_that_one_began_is_read_and_cancelled_by_the_other(pair: Pair) -> None:
    one, other = pair
    video = one.upload("slow replica.mp4", b"slow replica")
    assert one.http.post(f"/v1/media/{video}/preflight").status_code == 202
    seen = wait_until(lambda: (now := preflight(other, video))["frames_done"] == 5 and now)
    assert (seen["state"], seen["frames_total"]) == ("running", 10)
    assert other.http.delete(f"/v1/media/{video}/preflight").status_code == 204
    assert preflight(one, video)["state"] == "cancelled"
    again = other.http.post(f"/v1/media/{video}/preflight").json()
    assert again["state"] in ("waiting", "running")
    assert one.http.delete(f"/v1/media/{video}").status_code == 204
    with tables.transaction(one.database) as connection:
        assert connection.execute(sa.select(tables.preflight_runs)).all() == []


def test_what_one_found_the_other_knows(pair: Pair) -> None:
    one, other = pair
    for number in range(20):
        video = one.upload(f"two people {number}.mp4", f"two people {number}".encode())
        one.http.post(f"/v1/media/{video}/preflight")
        ended = wait_until(partial(ended_preflight, other, video))
        assert ended["findings"]["verdict"] == "several_faces"


def test_many_who_ask_at_once_make_one_run(pair: Pair) -> None:
    one, other = pair
    video = one.upload("slow crowd.mp4", b"slow crowd")
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(gateway.http.post, f"/v1/media/{video}/preflight") for gateway in (one, other) * 10]
        assert {each.result().status_code for each in asked} == {202}
    with tables.transaction(one.database) as connection:
        assert len(connection.execute(sa.select(tables.preflight_runs)).all()) == 1
    one.http.delete(f"/v1/media/{video}/preflight")


@pytest.mark.parametrize("seconds", DEAD_SINCE)
def test_the_run_of_a_process_that_died_is_taken_over_by_whoever_asks(pair: Pair, seconds: int) -> None:
    one, other = pair
    video = one.upload("orphan.mp4", f"orphan {seconds}".encode())
    digest = one.http.get(f"/v1/media/{video}").json()["sha256"]
    dead = {"run": f"{seconds}", "runner": "dead", "state": "running", "frames_done": 3, "frames_total": 9}
    touched = {"touched_ms": moments.now_ms() - seconds * 1000}
    with tables.transaction(one.database) as connection:
        connection.execute(sa.insert(tables.preflight_runs).values(sha256=digest, **dead, **touched))
    ended = wait_until(partial(ended_preflight, other, video))
    assert ended["findings"]["verdict"] == "face"


def test_what_a_process_that_stops_was_looking_into_goes_on_with_another(pair: Pair) -> None:
    one, other = pair
    begun, cut = threading.Event(), threading.Event()

    class Cut:
        """Preprocess as one sees it whose channel is closed in the middle."""

        def analyse(self, video_key: str, *, name: str) -> Generator[AnalysisProgress | VideoAnalysis, None, None]:
            yield AnalysisProgress(1, 10)
            begun.set()
            cut.wait(10)
            raise ChorusError(ErrorKind.UNAVAILABLE, "service-unreachable", service="preprocess", reason="closed")

    video = one.upload("handed over.mp4", b"handed over")
    stopping = Preflights(one.database, one.operations.media, one.operations.limits, Cut())
    stopping.start(video)
    assert begun.wait(10)
    threading.Timer(0.5, cut.set).start()
    stopping.close()
    ended = wait_until(partial(ended_preflight, other, video))
    assert ended["findings"]["verdict"] == "face"


def test_logins_are_counted_over_all_replicas(pair: Pair) -> None:
    counts = [ExactCounts(gateway.database) for gateway in pair]
    tried = [counts[number % 2].hit("login as anna", 10, 3600) for number in range(14)]
    assert tried == [True] * 10 + [False] * 4
    assert counts[0].hit("login as ben", 10, 3600)


def test_requests_that_others_counted_are_known_after_an_exchange(pair: Pair) -> None:
    here, there = (SharedCounts(gateway.database) for gateway in pair)
    assert all(here.hit("request 10.0.0.1", 100, 3600) for _ in range(60))
    assert all(there.hit("request 10.0.0.1", 100, 3600) for _ in range(30))
    for counts in (here, there):
        counts.exchange()
    assert here.hit("request 10.0.0.1", 100, 3600)  # who is not asked learns nothing
    here.exchange()
    assert [counts.hit("request 10.0.0.1", 90, 3600) for counts in (here, there)] == [False, False]
    assert here.hit("request 10.0.0.1", 100, 3600)
    here.sweep()


def test_a_draft_of_one_replica_is_shown_by_the_other_and_changes_of_two_tabs_are_merged(pair: Pair) -> None:
    async def show() -> None:
        drafts = [Drafts(gateway.database) for gateway in pair]
        tabs = [await OpenDrafts(each).open("anna", "batch") for each in drafts]
        for number in range(20):
            tabs[number % 2].add_video(f"video {number}")
            tabs[(number + 1) % 2].choose_option("crf", number % 30)
        tabs[0].audio_id = "speech"
        tabs[1].remove_video("video 3")
        for each in drafts:
            await each.load("anna", "batch")  # after what was changed
        for each in drafts:
            draft = await OpenDrafts(each).open("anna", "batch")
            expected = {f"video {number}" for number in range(20)} - {"video 3"}
            assert (set(draft.video_ids), draft.audio_id, len(draft.video_ids)) == (expected, "speech", 19)
            assert (await OpenDrafts(each).open("ben", "batch")).video_ids == []
            each.close()

    asyncio.run(show())

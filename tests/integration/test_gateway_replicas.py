"""The doors of two api processes on one database and one store: what one begins, the other goes on with."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from services.jobs import tables
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until
from tests.integration.conftest import NewState

Pair = tuple[Gateway, Gateway]


@pytest.fixture(scope="module")
def pair(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    first = make_settings(tmp_path_factory.mktemp("replica"), **new_state(), max_minutes=2900)
    second = first.model_copy(update={"scratch": tmp_path_factory.mktemp("other") / "scratch"})
    with open_gateway(first) as one, open_gateway(second) as other:
        yield one, other


def preflight(gateway: Gateway, media_id: str) -> dict[str, Any]:
    """The preflight as REST shows it."""
    return dict(gateway.http.get(f"/v1/media/{media_id}/preflight").json())


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
        ended = wait_until(lambda video=video: (now := preflight(other, video))["state"] == "done" and now)
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


def test_the_run_of_a_process_that_died_is_taken_over_by_whoever_asks(pair: Pair) -> None:
    one, other = pair
    video = one.upload("orphan.mp4", b"orphan")
    digest = one.http.get(f"/v1/media/{video}").json()["sha256"]
    dead = {"run": "r", "runner": "dead", "state": "running", "frames_done": 3, "frames_total": 9, "touched_ms": 0}
    with tables.transaction(one.database) as connection:
        connection.execute(sa.insert(tables.preflight_runs).values(sha256=digest, **dead))
    ended = wait_until(lambda: (now := preflight(other, video))["state"] == "done" and now)
    assert ended["findings"]["verdict"] == "face"

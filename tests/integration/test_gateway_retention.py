"""For how long things are kept: set by an admin through any door, told and obeyed by every process, on both states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from services.acting import SYSTEM, acting_as
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.jobs import moments, tables
from services.jobs.engine import names
from services.jobs.engine.queue import JobQueue
from services.library.retention import RetentionRule, apply_retention
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until
from tests.states import NewState

TOKEN = "a token that is long enough"
_BEARER = {"authorization": f"Bearer {TOKEN}"}
_DAY_MS = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("retention")
    settings = make_settings(folder, **new_state(), token=SecretStr(TOKEN), retention_days=7)
    with open_gateway(settings) as doors:
        doors.http.headers.update(_BEARER)
        yield doors


@pytest.fixture(scope="module")
def other(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Another api process of the same installation."""
    scratch = tmp_path_factory.mktemp("other") / "scratch"
    with open_gateway(gateway.settings.model_copy(update={"scratch": scratch})) as doors:
        doors.http.headers.update(_BEARER)
        yield doors


def stub_of(doors: Gateway) -> Any:
    return GatewayServiceStub(doors.channel)


def test_it_is_the_environments_until_somebody_sets_it_and_all_replicas_tell(gateway: Gateway, other: Gateway) -> None:
    key = tuple(_BEARER.items())
    unset = gateway.http.get("/v1/retention").json()
    assert unset == {"days": 7, "default_days": 7, "changed_at": None, "changed_by": ""}
    set_to = gateway.http.put("/v1/retention", json={"days": 30}).json()
    assert (set_to["days"], set_to["default_days"], set_to["changed_by"]) == (30, 7, "(program)")
    assert gateway.http.get("/v1/limits").json()["retention_days"] == 30
    wait_until(lambda: other.http.get("/v1/limits").json()["retention_days"] == 30)
    assert stub_of(other).GetLimits(pb.GetLimitsRequest(), metadata=key).retention_days == 30
    over_grpc = stub_of(other).ChangeRetention(pb.ChangeRetentionRequest(days=0), metadata=key)
    assert (over_grpc.days, over_grpc.HasField("changed_at_ms")) == (0, True)
    assert gateway.http.get("/v1/retention").json()["days"] == 0
    assert stub_of(gateway).GetRetention(pb.GetRetentionRequest(), metadata=key).days == 0
    assert gateway.http.put("/v1/retention", json={"days": None}).json()["days"] == 7
    stub_of(gateway).ChangeRetention(pb.ChangeRetentionRequest(days=9), metadata=key)
    assert not stub_of(gateway).ChangeRetention(pb.ChangeRetentionRequest(), metadata=key).HasField("changed_at_ms")
    deeds = gateway.http.get("/v1/audit", params={"action": "retention"}).json()["items"]
    assert [(each["door"], each["detail"]) for each in deeds] == [
        ("grpc", ""),
        ("grpc", "9"),
        ("rest", ""),
        ("grpc", "0"),
        ("rest", "30"),
    ]


@pytest.mark.parametrize("days", [-1, 0.5, 3651, 1e300, "many"])
def test_a_number_of_days_has_bounds(gateway: Gateway, days: Any) -> None:
    before = gateway.http.get("/v1/retention").json()
    assert gateway.http.put("/v1/retention", json={"days": days}).status_code == 422
    if not isinstance(days, str):
        assert gateway.http.get("/v1/retention/effect", params={"days": days}).status_code == 422
        with pytest.raises(grpc.RpcError) as refusal:
            stub_of(gateway).ChangeRetention(pb.ChangeRetentionRequest(days=days), metadata=tuple(_BEARER.items()))
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert gateway.http.get("/v1/retention").json() == before


def test_what_would_go_is_told_and_goes_with_the_next_upkeep(gateway: Gateway) -> None:
    """One finished job and its uploads are ten days old, as are an unused upload and what an unfinished job needs."""
    gateway.http.put("/v1/retention", json={"days": 0})
    done, waiting = gateway.start_batch("old.mp4"), gateway.start_batch("needed.mp4")
    unused, young = gateway.upload("unused.wav"), gateway.upload("young.wav")
    job_id = done["jobs"][0]["id"]
    gateway.http.post(f"/v1/jobs/{job_id}/cancel")
    _make_older(gateway, days=10, but=young, ended=job_id)
    effect = gateway.http.get("/v1/retention/effect", params={"days": 9}).json()
    assert effect == {"jobs": 1, "uploads": 3}
    over_grpc = stub_of(gateway).PreviewRetention(pb.PreviewRetentionRequest(days=9), metadata=tuple(_BEARER.items()))
    assert (over_grpc.jobs, over_grpc.uploads) == (1, 3)
    for days in (0, 11):
        assert gateway.http.get("/v1/retention/effect", params={"days": days}).json() == {"jobs": 0, "uploads": 0}

    def keep_up() -> None:
        """As a worker does, whose environment says something else."""
        rule = RetentionRule(gateway.database, 3000)
        with acting_as(SYSTEM):
            outputs, media = gateway.operations.outputs, gateway.operations.media
            apply_retention(JobQueue(gateway.database), outputs, media, rule.days_now())

    keep_up()
    assert gateway.job(job_id)["state"] == "cancelled"
    gateway.http.put("/v1/retention", json={"days": 9})
    keep_up()
    assert gateway.http.get(f"/v1/jobs/{job_id}").status_code == 404
    assert gateway.http.get(f"/v1/media/{unused}").status_code == 404
    assert gateway.http.get(f"/v1/media/{young}").status_code == 200
    kept = waiting["jobs"][0]
    assert gateway.job(kept["id"])["state"] == "queued"
    for media in (kept["video_id"], kept["audio_id"]):
        assert gateway.http.get(f"/v1/media/{media}").status_code == 200
    assert gateway.http.get("/v1/retention/effect", params={"days": 9}).json() == {"jobs": 0, "uploads": 0}
    gateway.http.post(f"/v1/jobs/{kept['id']}/cancel")


def _make_older(gateway: Gateway, *, days: int, but: str, ended: str) -> None:
    table, status = tables.media, names.status_table(gateway.database)
    with tables.transaction(gateway.database) as connection:
        older = sa.update(table).where(table.c.id != but)
        connection.execute(older.values(created_ms=table.c.created_ms - days * _DAY_MS))
        moment = moments.now_ms() - days * _DAY_MS
        connection.execute(sa.update(status).where(status.c.workflow_uuid == ended).values(completed_at=moment))

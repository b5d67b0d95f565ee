"""Named tokens of programs: what they may do, whose what they make is, and that they end at once, on both states."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from services.acting import Role
from services.cli.token import build_token_app
from services.gateway.access.accounts import Accounts
from services.gateway.operations.token_rows import TokenRows
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.jobs import moments, tables
from services.local.settings import LocalSettings
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until
from tests.states import NewState


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("tokens")
    Accounts(folder / "users").put("anna", "correct horse", Role.ADMIN)
    with open_gateway(make_settings(folder, **new_state(), users=folder / "users", owner_bytes=1000)) as doors:
        yield doors


@pytest.fixture(scope="module")
def other(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Another api process of the same installation."""
    scratch = tmp_path_factory.mktemp("other") / "scratch"
    with open_gateway(gateway.settings.model_copy(update={"scratch": scratch})) as doors:
        yield doors


def run(gateway: Gateway, home: Path, *arguments: str) -> Any:
    """A command as at the machine."""
    settings = LocalSettings(home=home, database_url=gateway.settings.database_url)
    return CliRunner().invoke(build_token_app(), arguments, obj=settings)


def _is_refused(doors: Gateway, key: dict[str, str]) -> bool:
    return doors.http.get("/v1/jobs", headers=key).status_code == 401


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_token_does_what_its_role_may_in_its_own_name(gateway: Gateway, other: Gateway, tmp_path: Path) -> None:
    keys = {}
    for name, role in (("looker", "viewer"), ("trainer", "maker"), ("boss", "admin")):
        made = run(gateway, tmp_path, "add", name, "--role", role)
        assert made.exit_code == 0, made.output
        keys[name] = bearer(made.stdout.splitlines()[0])
        assert f"{name} may come in as {role}" in made.stderr
    sent: dict[str, Any] = {"params": {"name": "clip.mp4"}, "content": b"clip"}
    assert gateway.http.post("/v1/media", **sent, headers=keys["looker"]).status_code == 403
    media = other.http.post("/v1/media", **sent, headers=keys["trainer"]).json()
    assert media["owner"] == "token:trainer"
    session = gateway.http.get("/v1/session", headers=keys["trainer"]).json()
    assert (session["owner"], session["role"], session["logged_in"]) == ("token:trainer", "maker", True)
    metadata = tuple(keys["trainer"].items())
    over_grpc = GatewayServiceStub(other.channel).ListMedia(pb.ListMediaRequest(), metadata=metadata)
    assert [each.owner for each in over_grpc.media] == ["token:trainer"]
    with pytest.raises(grpc.RpcError) as refusal:
        GatewayServiceStub(gateway.channel).ListAudit(pb.ListAuditRequest(), metadata=metadata)
    assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED
    # The share of a user holds for it, as for everybody who is no admin.
    large = b"x" * 1001
    refused = gateway.http.post("/v1/media", params={"name": "large.mp4"}, content=large, headers=keys["trainer"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "owner-bytes-full")
    # Logging out is for logins.
    gateway.http.delete("/v1/session", headers=keys["trainer"])
    assert gateway.http.get("/v1/jobs", headers=keys["trainer"]).status_code == 200
    deeds = gateway.http.get("/v1/audit", headers=keys["boss"]).json()["items"]
    told = [(each["name"], each["action"], each["outcome"]) for each in deeds if each["action"] == "media.upload"]
    assert told == [("token:trainer", "media.upload", "owner-bytes-full"), ("token:trainer", "media.upload", "done")]
    made_deeds = [(each["door"], each["thing"], each["detail"]) for each in deeds if each["action"] == "token.add"]
    assert made_deeds == [("cli", "boss", "admin"), ("cli", "trainer", "maker"), ("cli", "looker", "viewer")]


def test_a_token_that_is_removed_opens_nothing_and_ends_what_is_open(
    gateway: Gateway, other: Gateway, tmp_path: Path
) -> None:
    key = bearer(run(gateway, tmp_path, "add", "leaver", "--role", "maker").stdout.splitlines()[0])
    sent = gateway.http.post("/v1/media", params={"name": "clip.mp4"}, content=b"clip", headers=key).json()
    audio = gateway.http.post("/v1/media", params={"name": "a.wav"}, content=b"a", headers=key).json()
    body = {"audio_id": audio["id"], "video_ids": [sent["id"]]}
    batch = gateway.http.post("/v1/batches", json=body, headers=key).json()
    ended, begun = threading.Event(), threading.Event()

    def follow() -> None:
        with httpx.stream(
            "GET", f"{other.http.base_url}/v1/batches/{batch['id']}/events", headers=key, trust_env=False, timeout=30
        ) as events:
            for _ in events.iter_lines():
                begun.set()
        ended.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert begun.wait(20)
    watched = GatewayServiceStub(gateway.channel).WatchBatch(
        pb.WatchBatchRequest(batch_id=batch["id"]), metadata=tuple(key.items())
    )
    next(watched)
    assert "leaver" in run(gateway, tmp_path, "list").stdout
    assert run(gateway, tmp_path, "remove", "leaver").exit_code == 0
    assert ended.wait(20)
    with pytest.raises(grpc.RpcError) as refusal:
        list(watched)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    for doors in (gateway, other):
        wait_until(partial(_is_refused, doors, key))
    again = run(gateway, tmp_path, "remove", "leaver")
    assert (again.exit_code, again.stderr.strip()) == (1, "There is no token leaver")


def test_a_token_ends_by_itself_and_nobody_learns_its_key(gateway: Gateway, tmp_path: Path) -> None:
    key = run(gateway, tmp_path, "add", "short", "--role", "viewer", "--days", "1").stdout.splitlines()[0]
    assert gateway.http.get("/v1/jobs", headers=bearer(key)).status_code == 200
    assert "until" in run(gateway, tmp_path, "list").stdout
    with tables.transaction(gateway.database) as connection:
        rows = connection.execute(sa.select(tables.tokens)).all()
        assert key not in str(rows)
        past = sa.update(tables.tokens).where(tables.tokens.c.name == "short")
        connection.execute(past.values(ends_ms=moments.now_ms() - 1))
    wait_until(lambda: gateway.http.get("/v1/jobs", headers=bearer(key)).status_code == 401)
    stored = next(row.key_hash for row in rows if row.name == "short")
    assert gateway.http.get("/v1/jobs", headers=bearer(stored)).status_code == 401


@pytest.mark.parametrize("arguments", [["a:b"], ["x" * 65], ["late", "--days", "0"]])
def test_odd_tokens_are_refused_in_words(gateway: Gateway, tmp_path: Path, arguments: list[str]) -> None:
    refused = run(gateway, tmp_path, "add", "--role", "maker", *arguments)
    assert refused.exit_code == 1
    assert "cannot be a token" in refused.stderr


def test_a_name_is_taken_once(gateway: Gateway) -> None:
    rows = TokenRows(gateway.database)
    rows.add("twice", Role.VIEWER)
    with pytest.raises(Exception, match="There is a token twice already"):
        rows.add("twice", Role.ADMIN)

"""What viewers, makers and admins may do over REST and gRPC, and what the audit log says of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from services.acting import Role
from services.cli.user import build_user_app
from services.gateway.access.accounts import Accounts
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.local.settings import LocalSettings
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until
from tests.requests_by_role import (
    ANY,
    CALLS,
    CALLS_FOR_ALL,
    CALLS_OF_ADMINS,
    CHANGES,
    CHANGING,
    FOR_ALL,
    LOOKING,
    NEW,
    OF_ADMINS,
    TUS,
    change,
)
from tests.states import NewState

TOKEN = "a token that is long enough"
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("roles")
    for name, role in (("anna", Role.ADMIN), ("ben", Role.MAKER), ("dora", Role.MAKER), ("vera", Role.VIEWER)):
        Accounts(folder / "users").put(name, PASSWORD, role)
    log = folder / "log"
    log.touch()
    settings = make_settings(folder, **new_state(), users=folder / "users", token=SecretStr(TOKEN), log_file=log)
    with open_gateway(settings) as doors:
        yield doors


@pytest.fixture(scope="module")
def keys(gateway: Gateway) -> dict[str, dict[str, str]]:
    """What each shows to come in, REST and gRPC alike."""
    return {name: bearer(log_in(gateway, name)) for name in ("anna", "ben", "dora", "vera")}


@pytest.fixture(scope="module")
def secretive(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Another api process of the same installation, which shows everybody their own only."""
    scratch = tmp_path_factory.mktemp("secretive") / "scratch"
    with open_gateway(gateway.settings.model_copy(update={"visibility": "own", "scratch": scratch})) as doors:
        yield doors


def log_in(gateway: Gateway, name: str, password: str = PASSWORD) -> str:
    with httpx.Client(base_url=gateway.http.base_url, trust_env=False) as http:
        answer = http.post("/v1/session", json={"name": name, "password": password})
        return str(answer.cookies.get("chorus_session", ""))


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_viewer_changes_nothing_over_rest(gateway: Gateway, keys: dict[str, dict[str, str]]) -> None:
    paths = gateway.http.get("/openapi.json", headers=keys["vera"]).json()["paths"]
    changing = {(method, path) for path, methods in paths.items() for method in methods if method in CHANGING}
    assert changing - FOR_ALL - set(OF_ADMINS) == set(CHANGES)
    for method, path in CHANGES:
        answer = change(gateway, method, path, ANY, keys["vera"])
        error = answer.json()["error"]
        assert (path, answer.status_code, error["code"]) == (path, 403, "role-needed")
        assert error["values"] == {"role": "maker", "own": "viewer"}


def test_what_admins_alone_may_do_is_refused_to_makers(gateway: Gateway, keys: dict[str, dict[str, str]]) -> None:
    for method, path in OF_ADMINS:
        answer = change(gateway, method, path, ANY, keys["ben"])
        assert (path, answer.status_code) == (path, 403), answer.text
        assert answer.json()["error"]["values"] == {"role": "admin", "own": "maker"}
    model = {**NEW, "Upload-Metadata": f"purpose {base64.b64encode(b'model').decode()}"}
    assert gateway.http.post("/v1/uploads", headers={**model, **keys["ben"]}).status_code == 403
    for name, message in CALLS_OF_ADMINS.items():
        call = getattr(GatewayServiceStub(gateway.channel), name)
        with pytest.raises(grpc.RpcError) as refusal:
            next(call(message, metadata=tuple(keys["ben"].items())))  # of a call without a stream it is not reached
        assert (name, refusal.value.code()) == (name, grpc.StatusCode.PERMISSION_DENIED)


def test_a_viewer_changes_nothing_over_grpc(gateway: Gateway, keys: dict[str, dict[str, str]]) -> None:
    methods = [each.name for each in pb.DESCRIPTOR.services_by_name["GatewayService"].methods]
    known = {**CALLS, **CALLS_OF_ADMINS}
    looking = [name for name in methods if name.startswith(LOOKING) and name not in known]
    assert sorted([*looking, *known, *CALLS_FOR_ALL]) == sorted(methods)
    for name, messages in CALLS.items():
        request = iter(messages) if isinstance(messages, list) else messages
        with pytest.raises(grpc.RpcError) as refusal:
            getattr(GatewayServiceStub(gateway.channel), name)(request, metadata=tuple(keys["vera"].items()))
        assert (name, refusal.value.code()) == (name, grpc.StatusCode.PERMISSION_DENIED)


def test_a_viewer_sees_and_downloads_what_a_maker_made(gateway: Gateway, keys: dict[str, dict[str, str]]) -> None:
    sent = gateway.http.post("/v1/media", params={"name": "clip.mp4"}, content=b"clip", headers=keys["ben"]).json()
    assert sent["owner"] == "ben"
    seen = gateway.http.get(f"/v1/media/{sent['id']}/content", headers=keys["vera"])
    assert seen.content == b"clip"
    stub = GatewayServiceStub(gateway.channel)
    other = stub.Upload(
        iter([pb.UploadRequest(name="b.mp4"), pb.UploadRequest(content=b"b")]), metadata=tuple(keys["ben"].items())
    )
    assert other.owner == "ben"
    assert gateway.http.delete(f"/v1/media/{sent['id']}", headers=keys["ben"]).status_code == 204


def test_who_logs_in_over_grpc_comes_in_through_every_door_until_they_log_out(gateway: Gateway) -> None:
    stub = GatewayServiceStub(gateway.channel)
    login = stub.LogIn(pb.LogInRequest(name="dora", password=PASSWORD))
    key = bearer(login.key)
    assert login.seconds == gateway.settings.session_hours * 3600
    assert gateway.http.get("/v1/session", headers=key).json()["name"] == "dora"
    metadata = tuple(key.items())
    assert stub.ListJobs(pb.ListJobsRequest(), metadata=metadata).total == 0
    stub.LogOut(pb.LogOutRequest(), metadata=metadata)
    with pytest.raises(grpc.RpcError) as refusal:
        stub.ListJobs(pb.ListJobsRequest(), metadata=metadata)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    deeds = gateway.http.get("/v1/audit", params={"user": "dora", "limit": 2}, headers=bearer(TOKEN)).json()["items"]
    assert [(each["door"], each["action"]) for each in deeds] == [("grpc", "logout"), ("grpc", "login")]
    # A token is no login, and stays.
    stub.LogOut(pb.LogOutRequest(), metadata=tuple(bearer(TOKEN).items()))
    assert gateway.http.get("/v1/jobs", headers=bearer(TOKEN)).status_code == 200


def test_guessing_over_grpc_is_as_slow_as_over_rest(gateway: Gateway) -> None:
    stub, codes = GatewayServiceStub(gateway.channel), []
    for _ in range(12):
        with pytest.raises(grpc.RpcError) as refusal:
            stub.LogIn(pb.LogInRequest(name="guessed", password="wrong guess"))
        codes.append(refusal.value.code())
    assert codes[0] is grpc.StatusCode.UNAUTHENTICATED
    assert codes[-1] is grpc.StatusCode.RESOURCE_EXHAUSTED
    too_long = pb.LogInRequest(name="guessed", password="x" * 1001)
    with pytest.raises(grpc.RpcError, match="password") as refusal:
        stub.LogIn(too_long)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_only_admins_read_who_did_what(gateway: Gateway, keys: dict[str, dict[str, str]]) -> None:
    for name in ("vera", "ben"):
        assert gateway.http.get("/v1/audit", headers=keys[name]).status_code == 403
        with pytest.raises(grpc.RpcError) as refusal:
            GatewayServiceStub(gateway.channel).ListAudit(pb.ListAuditRequest(), metadata=tuple(keys[name].items()))
        assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert gateway.http.get("/v1/audit", headers=keys["anna"]).status_code == 200
    assert gateway.http.get("/v1/audit", headers=bearer(TOKEN)).status_code == 200


def test_what_is_done_is_kept_and_read_page_by_page_through_every_door(
    gateway: Gateway, keys: dict[str, dict[str, str]]
) -> None:
    log_in(gateway, "mallory", "a guess")
    leaving = bearer(log_in(gateway, "ben"))
    ids = {}
    for name in ("speech.wav", "clip.mp4"):
        sent = gateway.http.post("/v1/media", params={"name": name}, content=name.encode(), headers=keys["ben"])
        ids[name] = sent.json()["id"]
    body = {"audio_id": ids["speech.wav"], "video_ids": [ids["clip.mp4"]]}
    batch = gateway.http.post("/v1/batches", json=body, headers=keys["ben"]).json()
    job_id = batch["jobs"][0]["id"]
    gateway.http.post(f"/v1/batches/{batch['id']}/cancel", headers=bearer(TOKEN))
    gateway.http.delete(f"/v1/jobs/{job_id}", headers=keys["vera"])
    stub = GatewayServiceStub(gateway.channel)
    stub.DeleteJob(pb.DeleteJobRequest(job_id=job_id), metadata=tuple(keys["ben"].items()))
    gateway.http.delete("/v1/session", headers=leaving)

    def deeds(**wanted: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {"before": None}
        while not found or page["before"] is not None:
            asked = {**wanted, "limit": 2} | ({} if page["before"] is None else {"before": page["before"]})
            page = gateway.http.get("/v1/audit", params=asked, headers=keys["anna"]).json()
            found += page["items"]
            if not page["items"]:
                break
        return found

    everything = deeds()
    assert [each["id"] for each in everything] == sorted((each["id"] for each in everything), reverse=True)
    told = [(e["name"], e["door"], e["action"], e["thing"], e["detail"], e["outcome"]) for e in everything[:9]]
    assert told[::-1] == [
        ("mallory", "rest", "login", "", "", "login-wrong"),
        ("ben", "rest", "login", "", "", "done"),
        ("ben", "rest", "media.upload", ids["speech.wav"], "speech.wav", "done"),
        ("ben", "rest", "media.upload", ids["clip.mp4"], "clip.mp4", "done"),
        ("ben", "rest", "batch.create", batch["id"], "", "done"),
        ("(program)", "rest", "batch.cancel", batch["id"], "", "done"),
        ("vera", "rest", "job.delete", job_id, "", "role-needed"),
        ("ben", "grpc", "job.delete", job_id, "", "done"),
        ("ben", "rest", "logout", "", "", "done"),
    ]
    assert {each["address"] for each in everything} == {"127.0.0.1"}
    assert {each["name"] for each in deeds(user="vera")} == {"vera"}
    assert {each["action"] for each in deeds(action="job")} <= {"job.delete", "job.cancel", "job.retry"}
    assert deeds(until=everything[-1]["at"]) == []

    ours = tuple(keys["anna"].items())
    over_grpc = stub.ListAudit(pb.ListAuditRequest(limit=3, before=everything[0]["id"]), metadata=ours).entries
    assert [entry.id for entry in over_grpc] == [each["id"] for each in everything[1:4]]
    assert over_grpc[0].action == "job.delete"


def test_the_command_line_changes_users_and_says_who_did(
    gateway: Gateway, keys: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = LocalSettings(
        home=tmp_path_factory.mktemp("home"),
        database_url=gateway.settings.database_url,
        users=gateway.settings.users,
    )

    def run(*arguments: str, typed: str = "") -> str:
        done = CliRunner().invoke(build_user_app(), arguments, input=typed, obj=settings)
        assert done.exit_code == 0, done.output
        return done.output

    added = run("add", "carla", "--role", "viewer", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert "carla may log in as viewer" in added
    carla = bearer(log_in(gateway, "carla"))
    assert gateway.http.get("/v1/session", headers=carla).json()["role"] == "viewer"
    run("role", "carla", "maker")
    assert gateway.http.get("/v1/jobs", headers=carla).status_code == 401
    carla = bearer(log_in(gateway, "carla"))
    assert gateway.http.get("/v1/session", headers=carla).json()["role"] == "maker"
    assert "1 sessions of carla are over" in run("logout", "carla")
    # What a process has seen of a session is good for a second.
    wait_until(lambda: gateway.http.get("/v1/jobs", headers=carla).status_code == 401)
    carla = bearer(log_in(gateway, "carla"))
    run("remove", "carla")
    assert gateway.http.get("/v1/jobs", headers=carla).status_code == 401
    items = gateway.http.get("/v1/audit", params={"action": "user"}, headers=keys["anna"]).json()["items"]
    assert [(each["door"], each["action"], each["thing"]) for each in items] == [
        ("cli", "user.remove", "carla"),
        ("cli", "user.logout", "carla"),
        ("cli", "user.role", "carla"),
        ("cli", "user.add", "carla"),
    ]
    assert all(each["name"] for each in items)


def test_where_everybody_sees_their_own_others_do_not_exist(
    secretive: Gateway, keys: dict[str, dict[str, str]]
) -> None:
    ids = {}
    for name in ("speech.wav", "clip.mp4"):
        sent = secretive.http.post("/v1/media", params={"name": name}, content=name.encode(), headers=keys["ben"])
        ids[name] = sent.json()["id"]
    body = {"audio_id": ids["speech.wav"], "video_ids": [ids["clip.mp4"]]}
    batch = secretive.http.post("/v1/batches", json=body, headers=keys["ben"]).json()
    named = {"media_id": ids["clip.mp4"], "upload_id": "a", "batch_id": batch["id"], "job_id": batch["jobs"][0]["id"]}
    paths = secretive.http.get("/openapi.json", headers=keys["dora"]).json()["paths"]
    # Somebody who may see it watches: what is known of it for them is not told to others.
    his = (("authorization", keys["ben"]["authorization"]),)
    stub = GatewayServiceStub(secretive.channel)
    watched = stub.WatchJob(pb.WatchJobRequest(job_id=named["job_id"]), metadata=his)
    assert next(iter(watched)).owner == "ben"
    reads = [path for path, each in paths.items() if "get" in each and "{" in path and ("get", path) not in OF_ADMINS]
    assert len(reads) > 8
    for path in reads:
        headers = {**keys["dora"], **TUS}
        assert (path, secretive.http.get(path.format(**named), headers=headers).status_code) == (path, 404)
    for method, path in CHANGES:
        if "{" in path:
            assert (path, change(secretive, method, path, named, keys["dora"]).status_code) == (path, 404)
    used = secretive.http.post("/v1/batches", json=body, headers=keys["dora"])
    assert (used.status_code, used.json()["error"]["code"]) == (404, "media-unknown")
    deleted = secretive.http.post("/v1/jobs/delete", json={"ids": [named["job_id"]]}, headers=keys["dora"]).json()
    assert (deleted["deleted"], list(deleted["refused"])) == ([], [named["job_id"]])
    for path in ("/v1/jobs", "/v1/batches", "/v1/media"):
        owners = {item["owner"] for item in secretive.http.get(path, headers=keys["dora"]).json()["items"]}
        assert owners <= {"dora"}
        assert secretive.http.get(path, headers=keys["anna"]).json()["total"] > 0
    for path in ("/v1/log", "/v1/log/follow", "/metrics", "/v1/archive?job=" + named["job_id"]):
        assert secretive.http.get(path, headers=keys["dora"]).status_code in (403, 404)
    hers = (("authorization", keys["dora"]["authorization"]),)
    for call in (
        stub.WatchJob(pb.WatchJobRequest(job_id=named["job_id"]), metadata=hers),
        stub.WatchBatch(pb.WatchBatchRequest(batch_id=named["batch_id"]), metadata=hers),
        stub.WatchPreflight(pb.WatchPreflightRequest(media_id=named["media_id"]), metadata=hers),
    ):
        with pytest.raises(grpc.RpcError) as refusal:
            next(iter(call))
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    watched.cancel()
    assert secretive.http.post(f"/v1/batches/{batch['id']}/cancel", headers=keys["ben"]).status_code == 200

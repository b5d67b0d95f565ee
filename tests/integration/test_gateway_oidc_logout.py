"""A provider says that somebody has logged out there: which logins end, everywhere, and what is not believed."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from pydantic import SecretStr

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until
from tests.states import NewState

if TYPE_CHECKING:
    from tests.oidc_provider import FakeProvider

PATH = "/v1/session/backchannel-logout"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
BEARER = {"Authorization": "Bearer a token that is long enough"}
Doors = tuple[Gateway, Gateway]


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    # Here, and not above: whoever lacks the extra [oidc] can still collect the tests.
    from tests.oidc_provider import running_provider

    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def doors(provider: FakeProvider, new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Two api processes of one installation."""
    from tests.oidc_provider import CLIENT, SECRET

    folder = tmp_path_factory.mktemp("logout")
    (folder / "log").write_text("something has happened\n")
    settings = make_settings(
        folder,
        **new_state(),
        token=SecretStr(BEARER["Authorization"].removeprefix("Bearer ")),
        log_file=folder / "log",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SecretStr(SECRET),
    )
    second = settings.model_copy(update={"scratch": tmp_path_factory.mktemp("other") / "scratch"})
    with open_gateway(settings) as one, open_gateway(second) as other:
        yield one, other


def log_in(doors: Doors, provider: FakeProvider, name: str, **claims: Any) -> dict[str, str]:
    """What a person shows who has come in by the provider, at the first of the processes."""
    provider.claims = {"email": f"{name}@company.example", "sub": name, **claims}
    with httpx.Client(base_url=doors[0].http.base_url, trust_env=False) as browser:
        back = provider.log_in(browser.get("/login/elsewhere").headers["location"])
        assert browser.get(back).status_code == 303
        return {"Authorization": f"Bearer {browser.cookies['chorus_session']}"}


def tell(gateway: Gateway, token: str) -> httpx.Response:
    answer = gateway.http.post(PATH, data={"logout_token": token})
    assert answer.headers["cache-control"] == "no-store"
    return answer


def comes_in(gateway: Gateway, key: dict[str, str]) -> bool:
    return gateway.http.get("/v1/session", headers=key).json()["logged_in"] is True


def follow_page(gateway: Gateway, key: dict[str, str], begun: list[str]) -> None:
    """Be back when a stream of news has ended that nothing but its login ends."""
    with gateway.http.stream("GET", "/v1/log/follow", headers=key) as answer:
        begun.append("rest")
        list(answer.iter_raw())


def follow_calls(gateway: Gateway, key: dict[str, str], begun: list[str]) -> None:
    shown = (("authorization", key["Authorization"]),)
    lines = GatewayServiceStub(gateway.channel).ReadLog(pb.ReadLogRequest(follow=True), metadata=shown)
    next(lines)
    begun.append("grpc")
    with pytest.raises(grpc.RpcError) as refusal:
        list(lines)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_logout_there_ends_that_login_with_all_that_is_open_for_it_everywhere(
    doors: Doors, provider: FakeProvider
) -> None:
    ends, stays = (log_in(doors, provider, "anna", sid=sid) for sid in ("desk", "phone"))
    begun: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        open_ones = [pool.submit(follow, each, ends, begun) for each in doors for follow in (follow_page, follow_calls)]
        wait_until(lambda: len(begun) == 4)
        assert tell(doors[0], provider.logout_token(sub="anna", sid="desk")).status_code == 200
        for each in open_ones:
            each.result(15)
    assert not any(comes_in(each, ends) for each in doors)
    assert all(comes_in(each, stays) for each in doors)
    query: dict[str, str | int] = {"user": "anna@company.example", "limit": 1}
    items = doors[1].http.get("/v1/audit", params=query, headers=BEARER).json()["items"]
    assert [(each["action"], each["detail"], each["door"]) for each in items] == [("logout", "elsewhere", "rest")]


def test_without_a_login_all_of_that_person_end_and_nobody_elses(doors: Doors, provider: FakeProvider) -> None:
    hers = [log_in(doors, provider, "bea", **claims) for claims in ({"sid": "1"}, {"sid": "2"}, {})]
    his = log_in(doors, provider, "carl", sid="1")
    # The login that has no name of its own may be the one that is meant.
    assert tell(doors[1], provider.logout_token(sub="bea", sid="2")).status_code == 200
    wait_until(lambda: [comes_in(doors[0], each) for each in hers] == [True, False, False])
    assert tell(doors[1], provider.logout_token(sub="bea")).status_code == 200
    wait_until(lambda: not comes_in(doors[0], hers[0]))
    assert comes_in(doors[0], his)
    # By the name of a login alone; of which there may be none any more.
    for _ in range(2):
        assert tell(doors[0], provider.logout_token(sid="1")).status_code == 200
    assert not comes_in(doors[0], his)


def test_a_token_counts_once(doors: Doors, provider: FakeProvider) -> None:
    token = provider.logout_token(sub="dora")
    assert tell(doors[0], token).status_code == 200
    key = log_in(doors, provider, "dora")
    answers = [tell(each, token) for each in doors]
    assert [each.status_code for each in answers] == [400, 400]
    assert answers[0].json()["error"]["code"] == "oidc-logout-repeated"
    assert comes_in(doors[0], key)


WRONG: dict[str, dict[str, Any]] = {
    "iss": {"iss": "https://evil.example"},
    "aud": {"aud": ["somebody", "else"]},
    "no aud": {"aud": None},
    "nonce": {"nonce": "of a login"},
    "empty nonce": {"nonce": ""},
    "expired": {"exp": int(time.time()) - 3600},
    "no exp": {"exp": None},
    "no iat": {"iat": None},
    "of yesterday, for ever": {"iat": int(time.time()) - 24 * 3600, "exp": int(time.time()) * 2},
    "of tomorrow": {"iat": int(time.time()) + 24 * 3600},
    "no jti": {"jti": None},
    "a number as jti": {"jti": 1},
    "no events": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/backchannel-login": {}}},
    "events as a list": {"events": [EVENT]},
    "an event that is no object": {"events": {EVENT: "yes"}},
    "nobody": {"sub": None},
    "nobody by name": {"sub": "", "sid": ""},
    "a person as a list": {"sub": ["eva"]},
}


@pytest.fixture(scope="module")
def eva(doors: Doors, provider: FakeProvider) -> dict[str, str]:
    return log_in(doors, provider, "eva", sid="hers")


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG.keys())
def test_what_it_says_is_checked(
    doors: Doors, provider: FakeProvider, eva: dict[str, str], claims: dict[str, Any]
) -> None:
    refused = tell(doors[0], provider.logout_token(**{"sub": "eva", **claims}))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "oidc-logout-refused"), refused.text
    assert comes_in(doors[0], eva)


def part(content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unsigned(token: str, header: object) -> str:
    """The same claims behind another header, and nothing that vouches for them."""
    return f"{part(header)}.{token.split('.')[1]}."


def by_our_secret(token: str, provider: FakeProvider) -> str:
    """Signed by what the provider shows everybody, as if it were a secret that both know."""
    shown = provider.key.as_pem(private=False)
    signed = f"{part({'alg': 'HS256', 'kid': provider.key.kid})}.{token.split('.')[1]}"
    return f"{signed}.{base64.urlsafe_b64encode(hmac.digest(shown, signed.encode(), 'sha256')).decode().rstrip('=')}"


FORGED: dict[str, Callable[[str, FakeProvider], str]] = {
    "alg none": lambda token, _: unsigned(token, {"alg": "none"}),
    "no signature": lambda token, provider: unsigned(token, {"alg": "RS256", "kid": provider.key.kid}),
    "no alg": lambda token, _: unsigned(token, {}),
    "an odd kid": lambda token, _: unsigned(token, {"alg": "RS256", "kid": [1]}),
    "an odd header": lambda token, _: unsigned(token, ["alg"]),
    "a deep header": lambda token, _: unsigned(token, "[" * 9000),
    "our secret": by_our_secret,
    "two tokens": lambda token, _: f"{token}.{token}",
    "huge": lambda token, _: token + "A" * 20_000,
    "dots": lambda token, _: "." * 15_000,
    "other letters": lambda token, _: token.replace("e", "é"),
    "nothing": lambda token, _: "",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_what_is_not_signed_by_the_provider_ends_nothing(
    doors: Doors, provider: FakeProvider, eva: dict[str, str], forge: Callable[[str, FakeProvider], str]
) -> None:
    refused = tell(doors[0], forge(provider.logout_token(sub="eva"), provider))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "oidc-logout-refused"), refused.text
    assert comes_in(doors[0], eva)


def test_other_forms_of_a_request_are_refused(doors: Doors) -> None:
    assert tell(doors[0], "x" * (1 << 20)).status_code == 413
    assert doors[0].http.post(PATH).status_code == 400
    assert doors[0].http.get(PATH).status_code == 405


def test_who_makes_up_tokens_makes_nobody_ask_the_provider_each_time(doors: Doors, provider: FakeProvider) -> None:
    from joserfc.jwk import RSAKey

    log_in(doors, provider, "fay")  # so that its keys are known
    real, asked = provider.key, provider.asked.count("/keys")
    provider.key = RSAKey.generate_key(2048, {"kid": "made up"})
    forged = [provider.logout_token(sub="eva") for _ in range(5)]
    provider.key = real
    assert {tell(doors[0], each).status_code for each in forged} == {400}
    assert provider.asked.count("/keys") <= asked + 1
    assert tell(doors[0], provider.logout_token(sub="fay")).status_code == 200


def test_a_crowd_that_makes_up_tokens_keeps_no_logout_and_no_login_from_coming_through(
    doors: Doors, provider: FakeProvider
) -> None:
    """From the provider's own address, as behind a proxy; of a token that is not believed no row tells."""
    query: dict[str, str | int] = {"limit": 1}
    before = doors[0].http.get("/v1/audit", params=query, headers=BEARER).json()["items"]
    assert {tell(doors[0], f"{number}.x.y").status_code for number in range(70)} == {400}
    assert doors[0].http.get("/v1/audit", params=query, headers=BEARER).json()["items"] == before
    key = log_in(doors, provider, "gus")
    assert tell(doors[0], provider.logout_token(sub="gus")).status_code == 200
    assert not comes_in(doors[0], key)

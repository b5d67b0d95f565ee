"""A locked installation over real sockets: tokens, logins, sessions, other origins, rates."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import SecretStr

from services.acting import Role
from services.errors import ChorusError
from services.gateway.access.accounts import Accounts
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import ROOT, Gateway, environment_of, make_settings, open_gateway

TOKEN = "a token that is long enough"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("locked")
    Accounts(folder / "users").put("anna", "correct horse")
    settings = make_settings(folder, users=folder / "users", token=SecretStr(TOKEN))
    with open_gateway(settings) as doors:
        yield doors


@pytest.fixture
def browser(locked: Gateway) -> Iterator[httpx.Client]:
    """A browser of its own, with its own cookies."""
    with httpx.Client(base_url=locked.http.base_url, trust_env=False, headers=PAGE) as client:
        yield client


def test_nobody_comes_in_without_a_login(locked: Gateway, browser: httpx.Client) -> None:
    for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/media"), ("GET", "/docs"), ("PATCH", "/v1/uploads/x")):
        answer = locked.http.request(method, path)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    wrong = locked.http.get("/v1/jobs", headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    assert locked.http.get("/v1/jobs", headers=BEARER).status_code == 200
    assert locked.http.get("/healthz").status_code == 200
    assert locked.http.get("/readyz").status_code == 200
    for path in ("/v1/dependencies", "/metrics"):
        assert locked.http.get(path).status_code == 401
    assert locked.http.get("/metrics", headers=BEARER).status_code == 200
    # No provider is set that could tell of a logout.
    assert locked.http.post("/v1/session/backchannel-logout", data={"logout_token": "x"}).status_code == 404
    sent = browser.get("/history")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/history")


def test_a_person_logs_in_and_out(browser: httpx.Client) -> None:
    form = browser.get("/login", params={"next": "/v1/session"}, headers={"Accept-Language": "zh-CN,en"})
    assert "用户名" in form.text
    wrong = browser.post("/login", data={"name": "anna", "password": "wrong"})
    assert (wrong.status_code, "That is not right: try again" in wrong.text) == (403, True)
    entered = browser.post("/login?next=%2Fv1%2Fsession", data={"name": "anna", "password": "correct horse"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/v1/session")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly; SameSite=Lax" in cookie
    who = {"owner": "anna", "name": "anna", "role": "admin", "login_required": True, "logged_in": True}
    assert browser.get("/v1/session").json() == who
    media = browser.post("/v1/media", params={"name": "clip.mp4"}, content=b"clip").json()
    assert media["owner"] == "anna"
    assert browser.post("/logout").headers["location"] == "/login"
    assert browser.get("/v1/session").json()["logged_in"] is False
    assert browser.get("/v1/jobs", headers={"Accept": "application/json"}).status_code == 401


def test_a_session_ends_with_the_password(locked: Gateway, browser: httpx.Client) -> None:
    accounts = Accounts(locked.settings.users or Path())
    accounts.put("ben", "first password")
    assert browser.post("/v1/session", json={"name": "ben", "password": "first password"}).status_code == 204
    assert browser.get("/v1/jobs").status_code == 200
    accounts.put("ben", "second password")
    assert browser.get("/v1/jobs").status_code == 303
    assert browser.post("/v1/session", json={"name": "ben", "password": "second password"}).status_code == 204
    accounts.remove("ben")
    assert browser.get("/v1/jobs").status_code == 303
    browser.cookies.set("chorus_session", "forged")
    assert browser.get("/v1/jobs").status_code == 303


def test_another_web_site_cannot_act_for_a_person(browser: httpx.Client) -> None:
    browser.post("/v1/session", json={"name": "anna", "password": "correct horse"})
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
        answer = browser.post("/v1/jobs/x/cancel", headers=headers)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "forbidden")
    own = {"Origin": str(browser.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert browser.post("/v1/jobs/x/cancel", headers=own).status_code == 404
    assert browser.get("/v1/jobs", headers={"Host": "evil.example"}).status_code == 403


def test_a_login_leads_to_this_host_only(browser: httpx.Client) -> None:
    for next_page in ("//evil.example", "https://evil.example", "/\\evil.example"):
        entered = browser.post("/login", params={"next": next_page}, data={"name": "", "password": TOKEN})
        assert entered.headers["location"] == "/"
    assert browser.get("/v1/session").json()["name"] is None


def test_answers_carry_security_headers(browser: httpx.Client) -> None:
    headers = browser.get("/login").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_grpc_demands_the_token(locked: Gateway) -> None:
    stub = GatewayServiceStub(locked.channel)
    with pytest.raises(grpc.RpcError) as refusal:
        stub.ListJobs(pb.ListJobsRequest())
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as refusal:
        stub.Upload(iter([pb.UploadRequest(name="a.mp4"), pb.UploadRequest(content=b"a")]))
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    shown = (("authorization", f"Bearer {TOKEN}"),)
    assert stub.ListJobs(pb.ListJobsRequest(), metadata=shown).total == 0
    assert stub.Upload(iter([pb.UploadRequest(name="a.mp4"), pb.UploadRequest(content=b"a")]), metadata=shown).id
    health_pb2_grpc.HealthStub(locked.channel).Check(health_pb2.HealthCheckRequest())


def test_tries_to_log_in_and_requests_are_counted(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, token=SecretStr(TOKEN), requests_per_minute=20)
    with open_gateway(settings) as doors:
        answers = [
            doors.http.post("/v1/session", json={"name": "", "password": str(number)}).status_code
            for number in range(12)
        ]
        assert answers == [401] * 10 + [429] * 2
        last = [doors.http.get("/v1/jobs", headers=BEARER) for _ in range(10)][-1]
        assert (last.status_code, last.headers["retry-after"]) == (429, "60")
        assert doors.http.get("/healthz").status_code == 200


def test_a_browser_without_a_login_is_known_by_a_cookie(tmp_path: Path) -> None:
    with (
        open_gateway(make_settings(tmp_path)) as doors,
        httpx.Client(base_url=doors.http.base_url, trust_env=False) as page,
    ):
        assert "set-cookie" not in page.get("/v1/session").headers
        page.get("/docs", headers=PAGE)
        session = page.get("/v1/session").json()
        assert session["owner"].startswith("anon-")
        assert session["login_required"] is False
        assert "set-cookie" not in page.get("/docs", headers=PAGE).headers
        page.cookies.clear()
        page.cookies.set("chorus_owner", "anna")
        assert page.get("/v1/session").json()["owner"] == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": "0.0.0.0"}, "does not start without a lock"),
        ({"host": "0.0.0.0", "token": SecretStr("short")}, "needs 16 characters"),
        ({"users": Path("no-such-file")}, "has no users: chorus user add NAME"),
    ],
)
def test_it_does_not_start_open_to_the_network(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    settings = make_settings(tmp_path, **changes)
    command = [sys.executable, "-m", "services.gateway"]
    child = subprocess.run(
        command, cwd=ROOT, env=environment_of(settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert child.returncode == 1
    assert words in child.stderr
    assert "Traceback" not in child.stderr


def test_users_are_names_and_hashes(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "users")
    accounts.put("anna", "correct horse")
    accounts.put("李雷", "another horse")
    assert accounts.names() == ["anna", "李雷"]
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o600
    assert "horse" not in (tmp_path / "users").read_text()
    assert accounts.verify("anna", "correct horse")
    assert not accounts.verify("anna", "another horse")
    assert not accounts.verify("nobody", "correct horse")
    for name, password in (("a b", "long enough"), ("anon-1", "long enough"), ("a:b", "long enough"), ("ben", "short")):
        with pytest.raises(ChorusError):
            accounts.put(name, password)
    for change in (accounts.remove, lambda name: accounts.give_role(name, Role.MAKER)):
        with pytest.raises(ChorusError, match="There is no user ben"):
            change("ben")


def test_roles_stand_in_the_file_and_older_files_have_none(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "users")
    assert [accounts.put(name, "correct horse") for name in ("anna", "ben")] == [Role.ADMIN, Role.MAKER]
    assert accounts.put("ben", "another horse") is Role.MAKER
    assert accounts.put("vera", "correct horse", Role.VIEWER) is Role.VIEWER
    before = accounts.fingerprint("vera")
    accounts.give_role("vera", Role.MAKER)
    assert accounts.fingerprint("vera") != before
    assert accounts.roles() == {"anna": Role.ADMIN, "ben": Role.MAKER, "vera": Role.MAKER}
    lines = (tmp_path / "users").read_text().splitlines()
    (tmp_path / "users").write_text("\n".join([lines[0], lines[1].removesuffix(":maker"), f"{lines[2]}s"]))
    # Who could log in before there were roles could do everything; what is mistyped gives the least.
    assert accounts.roles() == {"anna": Role.ADMIN, "ben": Role.ADMIN, "vera": Role.VIEWER}
    assert accounts.verify("ben", "another horse")

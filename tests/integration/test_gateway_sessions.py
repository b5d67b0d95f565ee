"""Logins on two api processes: what is open for one ends with it on both, and nobody is kept out by another's tries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from chorus_client import Chorus, ChorusError
from services.acting import Role
from services.gateway.access.accounts import Accounts
from services.gateway.operations.session_rows import SessionRows
from services.gateway.operations.token_rows import hash_key
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.jobs import moments, tables
from tests.blocking import open_async
from tests.gateway_stack import Gateway, make_settings, open_gateway, wait_until
from tests.states import NewState

TOKEN = "a token that is long enough"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PASSWORD = "correct horse"
# The look of the other process, once a second, and the way of what it finds: 1.5 s, with time for a busy machine.
SOON = 10.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two api processes with the same users, and a job that waits for ever."""

    one: Gateway
    other: Gateway
    accounts: Accounts
    job_id: str

    def log_in(self, name: str, password: str = PASSWORD) -> str:
        """The key of a new session, opened at the first."""
        answer = self.one.http.post("/v1/session", json={"name": name, "password": password})
        assert answer.status_code == 204, answer.text
        self.one.http.cookies.clear()
        return str(answer.cookies["chorus_session"])

    def status(self, key: str, path: str = "/v1/jobs") -> set[int]:
        """How both answer to whoever shows that key."""
        return {each.http.get(path, headers=cookie(key)).status_code for each in (self.one, self.other)}


@pytest.fixture(scope="module")
def pair(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("sessions")
    accounts = Accounts(folder / "users")
    for name, role in (("anna", Role.ADMIN), ("ben", Role.MAKER), ("vera", Role.VIEWER)):
        accounts.put(name, PASSWORD, role)
    (folder / "log").touch()
    first = make_settings(
        folder, **new_state(), users=folder / "users", token=SecretStr(TOKEN), log_file=folder / "log"
    )
    second = first.model_copy(update={"scratch": tmp_path_factory.mktemp("other") / "scratch"})
    with open_gateway(first) as one, open_gateway(second) as other:
        one.http.headers.update(BEARER)
        job_id = one.start_job("waits.mp4")
        del one.http.headers["Authorization"]
        yield Pair(one, other, accounts, job_id)


def cookie(key: str) -> dict[str, str]:
    return {"Cookie": f"chorus_session={key}"}


def read_events(gateway: Gateway, path: str, key: str, begun: list[str]) -> float:
    """When a stream of events ended that nothing but its session ends."""
    with gateway.http.stream("GET", path, headers=cookie(key)) as answer:
        assert answer.status_code == 200
        begun.append(path)
        for _ in answer.iter_raw():
            pass
    return time.monotonic()


def watch_job(gateway: Gateway, job_id: str, key: str, begun: list[str]) -> float:
    """When a watch ended that nothing but its session ends."""
    shown = (("authorization", f"Bearer {key}"),)
    jobs = iter(GatewayServiceStub(gateway.channel).WatchJob(pb.WatchJobRequest(job_id=job_id), metadata=shown))
    next(jobs)
    begun.append("WatchJob")
    with pytest.raises(grpc.RpcError) as refusal:
        list(jobs)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "logged in no more" in (refusal.value.details() or "")
    return time.monotonic()


def send_slowly(gateway: Gateway, key: str, begun: list[str], stop: Callable[[], bool]) -> int:
    """The status of an upload whose bytes never end."""

    def pieces() -> Iterator[bytes]:
        begun.append("upload")
        while not stop():
            yield b"x"
            time.sleep(0.02)

    try:
        answer = gateway.http.post("/v1/media", params={"name": "a.mp4"}, headers=cookie(key), content=pieces())
    except httpx.HTTPError:
        return 401  # hung up on before the refusal was read
    return answer.status_code


def change_password(pair: Pair, _key: str) -> None:
    pair.accounts.put("ben", PASSWORD)


def log_out(pair: Pair, key: str) -> None:
    assert pair.one.http.delete("/v1/session", headers=cookie(key)).status_code == 204


def grow_old(pair: Pair, key: str) -> None:
    with tables.transaction(pair.one.database) as connection:
        own = sa.update(tables.sessions).where(tables.sessions.c.key_hash == hash_key(key))
        connection.execute(own.values(created_ms=moments.now_ms() - 8 * 24 * 3600 * 1000))


@pytest.mark.parametrize("end", [log_out, change_password, grow_old])
def test_all_that_is_open_ends_with_the_session_on_both(pair: Pair, end: Callable[[Pair, str], None]) -> None:
    key = pair.log_in("ben")
    begun: list[str] = []
    ended: list[float] = []
    with ThreadPoolExecutor(8) as pool:
        both = (pair.one, pair.other)
        streams = (f"/v1/jobs/{pair.job_id}/events", "/v1/log/follow")
        calls = [pool.submit(read_events, gateway, path, key, begun) for gateway in both for path in streams]
        calls.append(pool.submit(watch_job, pair.other, pair.job_id, key, begun))
        upload = pool.submit(send_slowly, pair.other, key, begun, lambda: len(ended) > 0)
        wait_until(lambda: len(begun) == 6)
        started = time.monotonic()
        end(pair, key)
        try:
            last = max(call.result(15) for call in calls)
            assert upload.result(15) == 401
        finally:
            ended.append(started)
    assert last - started < SOON
    assert pair.status(key) == {401}


def test_what_is_open_for_others_goes_on(pair: Pair) -> None:
    ben, anna = pair.log_in("ben"), pair.log_in("anna")
    path = f"/v1/jobs/{pair.job_id}/events"
    with pair.one.http.stream("GET", path, headers=cookie(anna)) as hers:
        lines = hers.iter_lines()
        assert next(lines) == "event: progress"
        pair.accounts.put("ben", PASSWORD)
        wait_until(lambda: pair.status(ben) == {401})
        # The stream of another user's job is still told of its changes.
        assert pair.other.http.post(f"/v1/jobs/{pair.job_id}/cancel", headers=BEARER).status_code == 200
        assert "event: finished" in list(lines)
    pair.one.http.post(f"/v1/jobs/{pair.job_id}/retry", headers=BEARER)
    assert pair.status(anna) == {200}


def test_the_database_cannot_be_used_to_come_in(pair: Pair) -> None:
    key = pair.log_in("anna")
    with tables.transaction(pair.one.database) as connection:
        rows = connection.execute(sa.select(tables.sessions)).all()
    assert hash_key(key) in {row.key_hash for row in rows}
    assert not [row for row in rows if key in map(str, row)]
    assert pair.status(hash_key(key)) == {401}


def test_signed_cookies_of_older_releases_open_nothing(pair: Pair) -> None:
    signed = "WyJhbm5hIiwiOTIzNDc1NjM0NTg3NjM0NSJd.aSmZ_w.1mJ8Gm5x8pZ3QvH3sVx3mO1n0aQ"
    assert pair.status(signed) == {401}


def test_a_session_ends_when_it_is_idle_or_old(pair: Pair) -> None:
    rows = SessionRows(pair.one.database, hours=2, idle_hours=1)
    hour = 3600 * 1000
    for created, seen, lasts in ((0.9, 0.9, True), (1.9, 0.5, True), (1.1, 1.1, False), (2.1, 0.0, False)):
        key = rows.add("carla", "proof", "here")
        with tables.transaction(pair.one.database) as connection:
            own = sa.update(tables.sessions).where(tables.sessions.c.key_hash == hash_key(key))
            now = moments.now_ms()
            connection.execute(own.values(created_ms=round(now - created * hour), seen_ms=round(now - seen * hour)))
        assert bool(rows.find([hash_key(key)])) is lasts
        if lasts:
            # It was used by that.
            assert rows.find([hash_key(key)])[hash_key(key)].seen_ms > moments.now_ms() - hour / 10
    rows.sweep()
    with tables.transaction(pair.one.database) as connection:
        left = sa.select(sa.func.count()).select_from(tables.sessions).where(tables.sessions.c.name == "carla")
        assert connection.execute(left).scalar_one() == 2
    assert rows.end_all_of("carla") == 2


def test_tries_from_elsewhere_do_not_keep_the_owner_of_a_name_out(pair: Pair) -> None:
    """Counted over both: an address of its own has its own ten tries."""
    attacker = httpx.HTTPTransport(local_address="127.0.0.66")
    with httpx.Client(transport=attacker, trust_env=False) as http:
        answers = [
            http.post(
                f"{(pair.one, pair.other)[number % 2].http.base_url}/v1/session",
                json={"name": "vera", "password": "wrong guess"},
            ).status_code
            for number in range(12)
        ]
    assert answers == [401] * 10 + [429] * 2
    assert pair.status(pair.log_in("vera")) == {200}


def test_a_role_that_is_taken_ends_the_session(pair: Pair) -> None:
    key = pair.log_in("ben")
    pair.accounts.give_role("ben", Role.VIEWER)
    assert pair.status(key) == {401}
    pair.accounts.give_role("ben", Role.MAKER)


@pytest.mark.parametrize("open_client", [Chorus, open_async], ids=["blocking", "asyncio"])
def test_the_client_logs_in_and_out(pair: Pair, open_client: Callable[..., Chorus]) -> None:
    with open_client(pair.one.rpc_address, deadline_seconds=20) as chorus:
        with pytest.raises(ChorusError) as refusal:
            chorus.log_in("ben", "wrong guess")
        assert refusal.value.code == "login-wrong"
        login = chorus.log_in("ben", PASSWORD)
        assert login.seconds == pair.one.settings.session_hours * 3600
        assert pair.status(login.key) == {200}
        assert [each.id for each in chorus.list_jobs()] == [pair.job_id]
        chorus.log_out()
        wait_until(lambda: pair.status(login.key) == {401})
        chorus.log_out()  # there is none any more
        with pytest.raises(ChorusError) as refusal:
            chorus.limits()
        assert refusal.value.code == "token-needed"
    with open_client(pair.one.rpc_address, token=TOKEN, deadline_seconds=20) as program:
        program.log_in("vera", PASSWORD)
        with pytest.raises(ChorusError) as refusal:
            program.list_models()
        assert refusal.value.code == "role-needed"
        program.log_out()
        assert program.list_models()

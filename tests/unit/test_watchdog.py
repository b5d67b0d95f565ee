"""What is stopped or deadlocked is seen, what is busy is left alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from grpc_health.v1 import health_pb2

from services.gateway.rest.route_threads import watch_route_threads
from services.grpc_health import Health
from services.local.ports import free_port
from services.metrics_door import open_metrics_door
from services.watchdog import Beat, Watchdog, WatchedThreads, watch_loop


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_beat_is_late_only_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    beat = Beat(30)
    now = time.monotonic()
    monkeypatch.setattr("services.watchdog.time.monotonic", lambda: now + 25)
    assert not beat.is_late()
    beat()
    monkeypatch.setattr("services.watchdog.time.monotonic", lambda: now + 54)
    assert not beat.is_late()
    monkeypatch.setattr("services.watchdog.time.monotonic", lambda: now + 56)
    assert beat.is_late()


def test_a_deadlocked_pool_is_stuck_and_goes_on_when_it_is_freed() -> None:
    free = threading.Event()
    with WatchedThreads(2, "test", stuck_seconds=0.3) as pool:
        for _ in range(2):
            pool.submit(free.wait, 20)
        time.sleep(0.5)
        assert not pool.is_stuck(), "nobody waits"
        waiting, left = pool.submit(int), pool.submit(int)
        assert not pool.is_stuck(), "not yet"
        wait_for(pool.is_stuck)
        assert left.cancel()
        wait_for(pool.is_stuck)
        free.set()
        assert waiting.result(5) == 0
        wait_for(lambda: not pool.is_stuck())


def test_a_pool_that_is_busy_is_not_stuck() -> None:
    with WatchedThreads(2, "test", stuck_seconds=0.5) as pool:
        work = [pool.submit(time.sleep, 0.05) for _ in range(60)]
        seen = []
        while not work[-1].done():
            seen.append(pool.is_stuck())
            time.sleep(0.02)
    assert len(seen) > 10
    assert not any(seen)


def test_what_waited_and_was_cancelled_waits_no_more() -> None:
    free = threading.Event()
    with WatchedThreads(1, "test", stuck_seconds=0.1) as pool:
        pool.submit(free.wait, 20)
        assert pool.submit(int).cancel()
        time.sleep(0.3)
        assert not pool.is_stuck()
        free.set()


def test_routes_that_hold_all_their_threads_are_seen() -> None:
    async def check() -> None:
        watchdog, free = Watchdog(), threading.Event()
        threads = int(anyio.to_thread.current_default_thread_limiter().total_tokens)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(watch_route_threads, watchdog, stuck_seconds=1.5))
            for _ in range(threads):
                tasks.start_soon(anyio.to_thread.run_sync, free.wait, 20)
            await anyio.sleep(2.5)
            assert watchdog.hung() == [], "nobody waits"
            tasks.start_soon(anyio.to_thread.run_sync, free.wait, 20)
            await anyio.sleep(3.5)
            assert watchdog.hung() == ["threads of routes"]
            free.set()
            await anyio.sleep(2)
            assert watchdog.hung() == []
            tasks.cancel_scope.cancel()

    anyio.run(check)


def test_a_loop_that_is_held_is_seen_from_the_metrics_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.watchdog.LOOP_SECONDS", 1.5)
    watchdog = Watchdog()
    door = f"http://127.0.0.1:{open_metrics_door('127.0.0.1', free_port(), hung=watchdog.hung)}"
    answers: dict[str, httpx.Response] = {}

    def ask() -> None:
        time.sleep(2.5)
        answers.update({path: httpx.get(door + path, trust_env=False) for path in ("/healthz", "/readyz")})

    async def hold() -> None:
        task = asyncio.create_task(watch_loop(watchdog))
        await asyncio.sleep(0.1)
        assert watchdog.hung() == []
        asker = threading.Thread(target=ask)
        asker.start()
        asker.join(20)  # on the loop
        task.cancel()

    asyncio.run(hold())
    assert [answer.status_code for answer in answers.values()] == [503, 503]
    assert answers["/healthz"].text == "event loop does not go on\n"


def test_grpc_health_does_not_serve_while_something_hangs() -> None:
    async def check() -> None:
        hung: list[str] = []
        health = Health(["a.Service"], lambda: hung)
        unused: Any = None
        request = health_pb2.HealthCheckRequest()
        assert (await health.Check(request, unused)).status == health_pb2.HealthCheckResponse.SERVING
        hung.append("threads")
        assert (await health.Check(request, unused)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        hung.clear()
        assert (await health.Check(request, unused)).status == health_pb2.HealthCheckResponse.SERVING

    asyncio.run(check())

"""Whether this process can serve, and whether everything that a job needs answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import grpc
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.grpc_client import Connection
from services.jobs import tables
from services.jobs.engine.queue import JobQueue
from services.jobs.watching import Watch
from services.storage import Storage

_log = logging.getLogger(__name__)

_CALL_SECONDS: Final = 2.0
_WATCH_SECONDS: Final = 15.0
# It need not exist: an answer is an answer.
_STORE_KEY: Final = "health/gateway"
_SERVER_READY: Final = "/inference.GRPCInferenceService/ServerReady"
# Protobuf for `bool ready = 1` set to true; Triton's own classes would pull numpy into this process.
_READY_ANSWER: Final = b"\x08\x01"


Checks = Mapping[str, Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing, and what to do when it is missing."""

    name: str
    ready: bool
    message: str


class Readiness:
    """Asks everything at once, waits a few seconds at most, and tells who asks twice a second the same."""

    def __init__(
        self, database: sa.Engine, storage: Storage, queue: JobQueue, preprocess: Connection, triton: Connection
    ) -> None:
        """It closes the connections."""
        self._connections = [preprocess, triton]
        own: Checks = {"database": partial(_check_database, database), "store": partial(storage.size, _STORE_KEY)}
        others: Checks = {
            "preprocess": partial(_check_preprocess, preprocess),
            "triton": partial(_check_triton, triton),
            "workers": queue.check_workers,
        }
        self._own = Watch(lambda _: _run_checks(own), lambda _: False)
        self._all = Watch(lambda _: _run_checks({**own, **others}), lambda _: False)

    def check(self) -> list[Check]:
        """What this process cannot answer a request without; nothing is written.

        Not preprocess and not Triton: when they are away, all replicas would leave at once, and nobody could be told.
        """
        return self._own.look("")

    def dependencies(self) -> list[Check]:
        """Everything that an upload and a job need, in a fixed order."""
        return self._all.look("")

    def watch(self, stop: threading.Event) -> None:
        """Count the answers of everything again and again, for metrics, until `stop` is set; each change is logged."""
        known: dict[str, bool] = {}
        while not stop.wait(_WATCH_SECONDS):
            try:
                checks = self.dependencies()
            except Exception:
                if not stop.is_set():  # else the connections are closed
                    _log.exception("looking after what jobs need failed")
                continue
            for check in checks:
                telemetry.dependency_looked_at(check.name, check.ready)
                if known.get(check.name, True) != check.ready:
                    _log.warning("%s %s", check.name, "answers again" if check.ready else f"is away: {check.message}")
                known[check.name] = check.ready

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def _run_checks(checks: Checks) -> list[Check]:
    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        return list(pool.map(_run_check, checks.keys(), checks.values()))


def _run_check(name: str, check: Callable[[], object]) -> Check:
    try:
        check()
    except ChorusError as error:
        return Check(name, ready=False, message=error.message)
    except grpc.RpcError as error:
        return Check(name, ready=False, message=f"{name} does not answer ({error.code().name}): is it running?")
    return Check(name, ready=True, message="")


def _check_database(database: sa.Engine) -> None:
    with tables.transaction(database) as connection:
        connection.execute(sa.select(tables.jobs.c.id).limit(1))


def _check_preprocess(connection: Connection) -> None:
    health_pb2_grpc.HealthStub(connection.channel).Check(health_pb2.HealthCheckRequest(), timeout=_CALL_SECONDS)


def _check_triton(connection: Connection) -> None:
    call = connection.channel.unary_unary(_SERVER_READY, request_serializer=bytes, response_deserializer=bytes)
    if call(b"", timeout=_CALL_SECONDS) != _READY_ANSWER:
        raise ChorusError(ErrorKind.UNAVAILABLE, "models-loading")

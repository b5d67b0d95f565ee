"""Whether everything that a job needs answers: the database, the store, preprocess, Triton."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import grpc
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.errors import ChorusError, ErrorKind
from services.jobs import tables
from services.storage import Storage

_CALL_SECONDS: Final = 2.0
_STORE_KEY: Final = "health/gateway"
_SERVER_READY: Final = "/inference.GRPCInferenceService/ServerReady"
# Protobuf for `bool ready = 1` set to true; Triton's own classes would pull numpy into this process.
_READY_ANSWER: Final = b"\x08\x01"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing, and what to do when it is missing."""

    name: str
    ready: bool
    message: str


class Readiness:
    """Asks everything at once, and waits for a few seconds at most."""

    def __init__(self, database: sa.Engine, storage: Storage, preprocess: grpc.Channel, triton: grpc.Channel) -> None:
        self._checks: Mapping[str, Callable[[], None]] = {
            "database": partial(_check_database, database),
            "store": partial(storage.put_bytes, _STORE_KEY, b"ready"),
            "preprocess": partial(_check_preprocess, preprocess),
            "triton": partial(_check_triton, triton),
        }

    def check(self) -> list[Check]:
        """Every thing that a job needs, in a fixed order."""
        with ThreadPoolExecutor(max_workers=len(self._checks)) as pool:
            return list(pool.map(_run_check, self._checks.keys(), self._checks.values()))


def _run_check(name: str, check: Callable[[], None]) -> Check:
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


def _check_preprocess(channel: grpc.Channel) -> None:
    health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_CALL_SECONDS)


def _check_triton(channel: grpc.Channel) -> None:
    call = channel.unary_unary(_SERVER_READY, request_serializer=bytes, response_deserializer=bytes)
    if call(b"", timeout=_CALL_SECONDS) != _READY_ANSWER:
        raise ChorusError(ErrorKind.UNAVAILABLE, "models-loading")

"""Streaming calls that end: by their last message, by silence, or when nobody listens any more."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from typing import Protocol, TypeVar

from services.errors import ChorusError, ErrorKind
from services.grpc_errors import translate_call_errors

Answer = TypeVar("Answer", covariant=True)


class _Call(Protocol[Answer]):
    """A streaming call in flight."""

    def __iter__(self) -> Iterator[Answer]: ...
    def cancel(self) -> bool: ...


def answers(service: str, patience: float, call: _Call[Answer]) -> Generator[Answer, None, None]:
    """The messages of `call`; it is cancelled when it is silent for `patience` seconds, or the caller goes away."""
    received = iter(call)
    try:
        while (answer := _next(service, patience, call, received)) is not None:
            yield answer
    finally:
        call.cancel()


def _next(service: str, patience: float, call: _Call[Answer], received: Iterator[Answer]) -> Answer | None:
    """The next message, or None at the end; DEADLINE when none comes in time."""
    silent = threading.Event()

    def give_up() -> None:
        silent.set()
        call.cancel()

    # A gRPC deadline would limit the whole stream, and a ten-minute video is no reason to fail.
    alarm = threading.Timer(patience, give_up)
    alarm.start()
    try:
        with translate_call_errors(service):
            return next(received, None)
    except ChorusError as error:
        if silent.is_set():
            raise ChorusError(ErrorKind.DEADLINE, "service-silent", service=service, seconds=patience) from error
        raise
    finally:
        alarm.cancel()

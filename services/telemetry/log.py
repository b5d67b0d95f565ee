"""One record a line on stderr, text or JSON, marked with the service's name and what is at work."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

from services.telemetry.tracing import current_span

LogForm = Literal["text", "json"]

_at_work: ContextVar[Mapping[str, str | int]] = ContextVar("at_work", default=MappingProxyType({}))


def configure_logging(service: str, level: str = "INFO", form: LogForm = "text") -> None:
    """Send this process's log to stderr, one record a line, marked with the service's name and what is at work.

    `json` is for programs that collect it: a traceback stays with its record. In neither form can a name break a line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_fields)
    if form == "json":
        handler.setFormatter(
            _JsonFormatter(
                ["levelname", "name", "message"],
                rename_fields={"levelname": "level", "name": "logger"},
                static_fields={"service": service},
                timestamp="time",
                json_ensure_ascii=False,
            )
        )
    else:
        handler.setFormatter(_TextFormatter(f"%(asctime)s %(levelname)s {service} %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


@contextmanager
def at_work(**fields: str | int) -> Iterator[None]:
    """Every record of this thread inside the block carries these fields: job_id, batch_id, attempt."""
    token = _at_work.set({**_at_work.get(), **fields})
    try:
        yield
    finally:
        _at_work.reset(token)


def _add_fields(record: logging.LogRecord) -> bool:
    """What is known of the work at hand; what a record says by itself goes before."""
    span = current_span()
    known = {**_at_work.get(), "trace_id": span.trace_id, "span_id": span.span_id}
    for name, value in known.items():
        if value and not hasattr(record, name):
            setattr(record, name, value)
    return True


class _TextFormatter(logging.Formatter):
    """For people: a traceback goes on over several lines, a message does not."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the library's name
        return _one_line(super().formatMessage(record))


class _JsonFormatter(JsonFormatter):
    def format(self, record: logging.LogRecord) -> str:
        # JSON itself escapes those below 32; U+0085 and U+2028 are line ends as well, to some who read the log.
        return _one_line(super().format(record))


def _one_line(text: str) -> str:
    """The text with everything that is not shown as JSON escapes it."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)

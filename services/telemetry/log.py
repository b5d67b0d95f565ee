"""One record a line on stderr, text or JSON, marked with the service's name and the job at work."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

LogForm = Literal["text", "json"]

_job_id: ContextVar[str | None] = ContextVar("job_id", default=None)


def configure_logging(service: str, level: str = "INFO", form: LogForm = "text") -> None:
    """Send this process's log to stderr, one record a line, marked with the service's name and the job at work.

    `json` is for programs that collect it: no name can break a line, and a traceback stays with its record.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_job)
    if form == "json":
        handler.setFormatter(
            JsonFormatter(
                ["levelname", "name", "message", "job_id"],
                rename_fields={"levelname": "level", "name": "logger"},
                static_fields={"service": service},
                timestamp="time",
                json_ensure_ascii=False,
            )
        )
    else:
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {service} %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


@contextmanager
def job_at_work(job_id: str) -> Iterator[None]:
    """Every record of this thread inside the block carries the job's (or batch's) id."""
    token = _job_id.set(job_id)
    try:
        yield
    finally:
        _job_id.reset(token)


def _add_job(record: logging.LogRecord) -> bool:
    if not hasattr(record, "job_id"):
        record.job_id = _job_id.get()
    return True

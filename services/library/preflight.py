"""Looks for the faces of uploads before anything is rendered: two at a time, each in a child process that has numpy."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind, error_from_json
from services.jobs import tables
from services.jobs.watching import Watch
from services.library.findings import FINDINGS_VERSION, Findings, Preflight, PreflightState, Verdict
from services.library.keys import media_key
from services.library.limits import Limits
from services.library.media import Media, MediaLibrary

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 2
_WAITING_LIMIT: Final = 1000
# The child gives up by itself when preprocess falls silent; this is for a child that hangs.
_SILENCE_SECONDS: Final = 90.0


@dataclass(slots=True)
class _Run:
    """One content that is looked into, or was without success."""

    now: Preflight
    child: subprocess.Popen[bytes] | None = None

    @property
    def is_cancelled(self) -> bool:
        """True when nobody wants to know any more."""
        return self.now.state is PreflightState.CANCELLED


class Preflights:
    """The preflights of one api process; what they find is stored for all. Safe to share by threads."""

    def __init__(self, database: sa.Engine, media: MediaLibrary, limits: Limits, command: Sequence[str]) -> None:
        """`command` is started for each content, see preflight_process.py."""
        self._database = database
        self._media = media
        self._limits = limits
        self._command = command
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._watch = Watch(self.get, lambda preflight: preflight.has_ended)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="preflight")

    def start(self, media_id: str) -> Preflight:
        """Look into an upload unless that was done or is under way; INVALID_INPUT for one without pictures."""
        media = self._media.get(media_id)
        if media.kind == "audio":
            raise ChorusError(ErrorKind.INVALID_INPUT, "no-picture-to-search", name=media.name)
        if (found := self._stored(media)) is not None:
            return found
        with self._lock:
            run = self._runs.get(media.sha256)
            if run is None or run.now.state in (PreflightState.FAILED, PreflightState.CANCELLED):
                self._check_room()
                run = self._runs[media.sha256] = _Run(Preflight(media_id=media.id, state=PreflightState.WAITING))
                self._pool.submit(self._look_into, media, run)
            return replace(run.now, media_id=media_id)

    def get(self, media_id: str) -> Preflight:
        """How far it is and what was found; NOT_FOUND when nobody asked for it since this process started."""
        media = self._media.get(media_id)
        with self._lock:
            run = self._runs.get(media.sha256)
            if run is not None:
                return replace(run.now, media_id=media.id)
        found = self._stored(media)
        if found is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "preflight-not-started", name=media.name)
        return found

    def watch(self, media_id: str, is_wanted: Callable[[], bool]) -> Iterator[Preflight]:
        """The preflight now and after each change, until it has ended. Blocks."""
        return self._watch.follow(media_id, is_wanted)

    def watch_async(self, media_id: str) -> AsyncIterator[Preflight]:
        """As `watch`, on the event loop."""
        return self._watch.follow_async(media_id)

    def cancel(self, media_id: str) -> None:
        """Stop looking; nothing happens when it has ended."""
        media = self._media.get(media_id)
        with self._lock:
            run = self._runs.get(media.sha256)
            if run is not None and not run.now.has_ended:
                _cancel(run)

    def close(self) -> None:
        """End all that is under way; call it once, before the process ends."""
        with self._lock:
            for run in self._runs.values():
                if not run.now.has_ended:
                    _cancel(run)
        self._pool.shutdown(cancel_futures=True)

    def _check_room(self) -> None:
        waiting = sum(not run.now.has_ended for run in self._runs.values())
        if waiting >= _WAITING_LIMIT:
            raise ChorusError(ErrorKind.OVERLOADED, "preflights-waiting", number=waiting)

    def _stored(self, media: Media) -> Preflight | None:
        try:
            self._limits.check_length(media.name, media.seconds)
        except ChorusError:
            return _done(media, Findings(verdict=Verdict.TOO_LONG))
        wanted = sa.select(tables.preflights.c.findings).where(
            tables.preflights.c.sha256 == media.sha256, tables.preflights.c.version == FINDINGS_VERSION
        )
        with tables.transaction(self._database) as connection:
            stored = connection.execute(wanted).scalar_one_or_none()
        return None if stored is None else _done(media, Findings.from_json(stored))

    def _look_into(self, media: Media, run: _Run) -> None:
        try:
            findings = self._run_child(media, run)
            if findings is not None:
                self._store(media.sha256, findings)
        except ChorusError as error:
            self._fail(run, error)
        except Exception:
            _log.exception("the preflight of %s failed", media.name)
            self._fail(run, ChorusError(ErrorKind.INTERNAL, "preflight-failed", name=media.name))
        else:
            with self._lock:
                if findings is not None and self._runs.get(media.sha256) is run:
                    del self._runs[media.sha256]

    def _fail(self, run: _Run, error: ChorusError) -> None:
        with self._lock:
            if not run.is_cancelled:
                run.now = replace(run.now, state=PreflightState.FAILED, error=error)

    def _run_child(self, media: Media, run: _Run) -> Findings | None:
        """What the child finds; None when it was cancelled."""
        request = json.dumps({"video_key": media_key(media.sha256), "name": media.name}) + "\n"
        with self._lock:
            if run.is_cancelled:
                return None
            run.now = replace(run.now, state=PreflightState.RUNNING)
            # Its standard input stays open: the child ends when that is closed, also by our death.
            child = run.child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with child:
            try:
                _send(child, request)
                for message in _messages(child):
                    if "found" in message:
                        return Findings.from_json(message["found"])
                    self._take_progress(run, message)
            finally:
                child.kill()
        if run.is_cancelled:
            return None
        raise ChorusError(ErrorKind.UNAVAILABLE, "preflight-broke-off", name=media.name)

    def _take_progress(self, run: _Run, message: Mapping[str, Any]) -> None:
        if "failed" in message:
            raise error_from_json(message["failed"])
        with self._lock:
            if not run.is_cancelled:
                run.now = replace(run.now, **message["progress"])

    def _store(self, sha256: str, findings: Findings) -> None:
        row = {"sha256": sha256, "version": FINDINGS_VERSION, "findings": asdict(findings)}
        with tables.transaction(self._database) as connection:
            connection.execute(sa.delete(tables.preflights).where(tables.preflights.c.sha256 == sha256))
            connection.execute(sa.insert(tables.preflights).values(row))


def _done(media: Media, findings: Findings) -> Preflight:
    return Preflight(media_id=media.id, state=PreflightState.DONE, findings=findings)


def _cancel(run: _Run) -> None:
    run.now = replace(run.now, state=PreflightState.CANCELLED)
    if run.child is not None:
        run.child.kill()


def _send(child: subprocess.Popen[bytes], request: str) -> None:
    assert child.stdin is not None
    with suppress(BrokenPipeError):  # it died at once: the missing answer tells
        child.stdin.write(request.encode())
        child.stdin.flush()


def _messages(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON lines that the child prints, until it ends or is silent for too long."""
    assert child.stdout is not None
    while True:
        alarm = threading.Timer(_SILENCE_SECONDS, child.kill)
        alarm.start()
        try:
            line = child.stdout.readline()
        finally:
            alarm.cancel()
        if not line:
            return
        yield json.loads(line)

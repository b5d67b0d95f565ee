"""Looks for the faces of uploads before anything is rendered; every api process knows of the looks of all."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final, Protocol

import sqlalchemy as sa

from services.acting import Role, needs
from services.errors import ChorusError, ErrorKind, unforeseen
from services.jobs import tables
from services.jobs.watching import Watch
from services.library.findings import FINDINGS_VERSION, Findings, Preflight, PreflightState, Verdict
from services.library.keys import media_key
from services.library.limits import Limits
from services.library.media import Media, MediaLibrary
from services.library.preflight_runs import PreflightRuns
from services.library.verdict import judge, judge_first_look
from services.preprocess.summary import AnalysisProgress, FirstLook, VideoAnalysis

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 2
_WRITE_SECONDS: Final = 0.5
_TOUCH_SECONDS: Final = 4.0


class Analyst(Protocol):
    """Who analyses videos: preprocess."""

    def analyse(
        self, video_key: str, *, name: str
    ) -> Generator[AnalysisProgress | FirstLook | VideoAnalysis, None, None]:
        """A first look, progress, and at last the analysis of the stored video; see LookClient."""


class Preflights:
    """The preflights of an installation; safe to share by threads.

    The process that was asked drives the analysis, two at a time, and writes how far it is into the database, where
    all read it. When it dies, whoever asks next goes on: preprocess keeps what it has found.
    """

    def __init__(self, database: sa.Engine, media: MediaLibrary, limits: Limits, analyst: Analyst) -> None:
        self._database = database
        self._media = media
        self._limits = limits
        self._analyst = analyst
        self._runs = PreflightRuns(database, uuid.uuid4().hex)
        self._watch = Watch(self.get, lambda preflight: preflight.has_ended)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="preflight")
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._touch_until_stopped, name="preflight-heart", daemon=True)
        self._heart.start()

    @needs(Role.MAKER)
    def start(self, media_id: str) -> Preflight:
        """Look into an upload unless that was done or is under way; INVALID_INPUT for one without pictures."""
        media = self._media.get(media_id)
        if media.kind == "audio":
            raise ChorusError(ErrorKind.INVALID_INPUT, "no-picture-to-search", name=media.name)
        if (found := self._stored(media)) is not None:
            return found
        self._begin(media, anew=True)
        return self.get(media_id)

    def get(self, media_id: str) -> Preflight:
        """How far it is and what was found; NOT_FOUND when nobody has asked for it."""
        media = self._media.get(media_id)
        self._begin(media, anew=False)
        found = self._runs.find(media.sha256, media.id) or self._stored(media)
        if found is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "preflight-not-started", name=media.name)
        return found

    async def watch(self, media_id: str) -> AsyncIterator[Preflight]:
        """The preflight now and after each change, until it has ended."""
        # A look is shared with others, who may see more.
        await asyncio.to_thread(self._media.get, media_id)
        async for preflight in self._watch.follow(media_id):
            yield preflight

    @needs(Role.MAKER)
    def cancel(self, media_id: str) -> None:
        """Stop looking, whichever process does; nothing happens when it has ended."""
        self._runs.cancel(self._media.get(media_id).sha256)

    def close(self) -> None:
        """Leave all that is under way to the other processes; call it once, before the process ends."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._heart.join(_TOUCH_SECONDS)
        self._runs.hand_back()

    def _begin(self, media: Media, *, anew: bool) -> None:
        if self._stop.is_set():
            return
        run = self._runs.claim(media.sha256, anew=anew)
        if run is not None:
            self._pool.submit(self._look_into, media, run)

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

    def _look_into(self, media: Media, run: str) -> None:
        try:
            if self._runs.write(run, state=PreflightState.RUNNING):
                findings = self._find(media, run)
                if findings is not None:
                    self._runs.finish(run, media.sha256, findings)
        except ChorusError as error:
            # What breaks off because this process stops goes on with another.
            if not self._stop.is_set():
                self._runs.fail(run, error)
        except Exception as error:
            _log.exception("the preflight of %s failed", media.name)
            self._runs.fail(run, unforeseen(error, "preflight-failed", name=media.name))

    def _find(self, media: Media, run: str) -> Findings | None:
        """What the analysis says; None when it was cancelled, is another process's by now, or this one stops."""
        written = 0.0
        try:
            with closing(self._analyst.analyse(media_key(media.sha256), name=media.name)) as items:
                for item in items:
                    if isinstance(item, VideoAnalysis):
                        return judge(item)
                    if self._stop.is_set():
                        return None
                    if isinstance(item, FirstLook):
                        if not self._runs.write_first_look(run, judge_first_look(item)):
                            return None
                        continue
                    if time.monotonic() - written >= _WRITE_SECONDS:
                        written = time.monotonic()
                        progress = {"frames_done": item.frames_done, "frames_total": item.frames_total}
                        if not self._runs.write(run, **progress):
                            return None
        except ChorusError as error:
            if error.kind is ErrorKind.NO_FACE:
                return Findings(verdict=Verdict.NO_FACE)
            raise
        raise ChorusError(ErrorKind.UNAVAILABLE, "analysis-broke-off", name=media.name)

    def _touch_until_stopped(self) -> None:
        while not self._stop.wait(_TOUCH_SECONDS):
            try:
                self._runs.touch()
            except ChorusError as error:
                # The database is away: its rows may go to another process, which finds what preprocess has kept.
                _log.warning("the running preflights could not be kept: %s", error)


def _done(media: Media, findings: Findings) -> Preflight:
    return Preflight(media_id=media.id, state=PreflightState.DONE, findings=findings)

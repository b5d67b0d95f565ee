"""Looks into the files of strangers in child processes: one that crashes or hangs FFmpeg is refused alone."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from services.confined import FILE_MEMORY_BYTES, confine
from services.errors import ChorusError, ErrorKind, is_disk_full
from services.media import Clip, Extend, MediaInfo, Mix, probe, read_frames, write_poster
from services.parent_death import die_with_parent
from services.preprocess.summary import MediaFacts, SoundNote
from services.storage import storage_error

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 2
_SECONDS: Final = 60.0
# A child is made anew after so many files: what FFmpeg leaks for one of them does not add up.
_FILES_A_CHILD: Final = 200
_THUMBNAIL_SIDE: Final = 480
# It writes a thumbnail.
_FILE_BYTES: Final = 64 << 20


class ProbePool:
    """Children that are started once and look into one file after the other; safe to share by threads."""

    def __init__(self, scratch: Path) -> None:
        """`scratch` is a folder of this process alone."""
        self._scratch = scratch
        self._lock = threading.Lock()
        self._pool = self._make()

    def probe(self, path: Path, name: str) -> tuple[MediaFacts, bytes]:
        """What the file is and a JPEG of its first picture; INVALID_INPUT when the file called `name` is of no use."""
        for is_last in (False, True):
            try:
                found: tuple[MediaFacts, bytes] = self._schedule(path, name).result()
            except BrokenProcessPool:
                continue  # somebody killed a child that had nothing to do: the next pool is a new one
            except ChorusError:
                raise
            except MemoryError as error:
                raise ChorusError(ErrorKind.INVALID_INPUT, "probe-needs-too-much", name=name) from error
            except Exception as error:
                if is_disk_full(error):
                    raise storage_error(error, name) from error
                if _was_killed(error) and not is_last:
                    continue
                # Overdue, dead, or an error that nobody foresaw: files of strangers find those.
                _log.warning("the probe of %s ended without an answer: %r", name, error)
                raise ChorusError(ErrorKind.INVALID_INPUT, "probe-failed", name=name) from error
            return found
        raise ChorusError(ErrorKind.UNAVAILABLE, "probes-died", name=name)

    def close(self) -> None:
        """End the children; what they are looking into is refused."""
        _end(self._pool)

    def _schedule(self, path: Path, name: str) -> ProcessFuture[tuple[MediaFacts, bytes]]:
        with self._lock:
            if not self._pool.active:
                # Those of its children that live would stay for ever; to end them takes seconds.
                threading.Thread(target=_end, args=(self._pool,), name="broken probes", daemon=True).start()
                self._pool = self._make()
            try:
                return self._pool.schedule(look_into, args=(path, name, self._scratch), timeout=_SECONDS)
            except RuntimeError as error:  # it broke since it was asked
                raise BrokenProcessPool from error

    def _make(self) -> ProcessPool:
        # Spawned: a process with gRPC in it must not fork.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPool(
            _AT_ONCE, max_tasks=_FILES_A_CHILD, initializer=_confine, initargs=[os.getpid()], context=context
        )
        # At once, so that FFmpeg is loaded before the first file comes.
        pool.schedule(_load)
        return pool


def _was_killed(error: Exception) -> bool:
    """True when the child was killed by somebody, who need not have meant its file; files cause other ends."""
    return isinstance(error, ProcessExpired) and error.exitcode == -signal.SIGKILL


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _confine(parent: int) -> None:
    """What a child may take of this machine, whatever its file says of itself."""
    die_with_parent(parent)
    confine(FILE_MEMORY_BYTES, _FILE_BYTES)


def _load() -> None:
    """Importing this file has loaded FFmpeg."""


def look_into(path: Path, name: str, scratch: Path) -> tuple[MediaFacts, bytes]:
    """As ProbePool.probe, in this process."""
    info = probe(path, name=name)
    clip = info.video
    facts = MediaFacts(
        kind=info.kind,
        seconds=float(info.seconds),
        has_audio=info.has_audio,
        width=clip.width if clip else None,
        height=clip.height if clip else None,
        frame_rate=str(clip.frame_rate) if clip else None,
        sound_notes=tuple(_sound_notes(info)),
        sound_track=info.sound.track + 1 if info.sound and info.sound.tracks > 1 else None,
    )
    return facts, b"" if clip is None else _thumbnail(clip, scratch)


def _sound_notes(info: MediaInfo) -> Iterator[SoundNote]:
    """What files say of themselves; whether somebody speaks is for a model to hear, see FaceLibrary.speaks."""
    if info.kind != "audio" or info.sound is None:
        return
    if info.clipped:
        yield SoundNote.CLIPPED
    if info.sound.mix is Mix.DIFFERENCE:
        yield SoundNote.OPPOSITE_PHASE
    if info.sound.mix is Mix.CENTRE:
        yield SoundNote.CENTRE


def _thumbnail(clip: Clip, scratch: Path) -> bytes:
    with TemporaryDirectory(dir=scratch) as folder:
        picture = Path(folder, "thumbnail.jpg")
        for frame in read_frames(clip, 1, Extend.CUT):
            write_poster(picture, frame, clip, side=_THUMBNAIL_SIDE)
        return picture.read_bytes() if picture.exists() else b""

"""Opens and decodes files of strangers in child processes: one that crashes or hangs FFmpeg is refused alone."""

from __future__ import annotations

import json
import logging
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind, error_from_json
from services.media.clip import Clip
from services.media.frame import Frame
from services.media.frames import frame_of
from services.media.planes import frame_bytes, split_planes
from services.media.told_clip import believed_clip
from services.media.wire import (
    HEADER_BYTES,
    Description,
    Frames,
    Glances,
    Header,
    Recording,
    Wanted,
    Word,
    receive,
)
from services.parent_death import dying_with_us
from services.timeline import Extend, source_index

_log = logging.getLogger(__name__)

# Started before they are needed, and kept after it.
_KEPT: Final = 2
# What FFmpeg leaks for one file does not add up.
_FILES_A_CHILD: Final = 200
_START_SECONDS: Final = 60.0
# Of one frame or block.
_SILENT_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 5.0
_END_SECONDS: Final = 1.0
# More than lie between two processes: what is sent before it sees that it shall stop.
_CHUNKS_AFTER_STOP: Final = 1000
_BLOCK_BYTES: Final = 64 << 20
# Of a day at 120 pictures a second.
_TIMES_BYTES: Final = 96 << 20
_CLIP_PARTS: Final = 3
_BEGINNINGS_AT_ONCE: Final = 2
_ERROR_BYTES: Final = 64 << 10


class _KilledError(Exception):
    """A child was killed while it read."""


class Readers:
    """Children that read one file after the other; safe to share by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        # A large photo takes most of what a child may have until its picture is there; what follows takes little.
        self._beginnings = threading.Semaphore(_BEGINNINGS_AT_ONCE)
        # The kernel ends a child when the thread that started it ends.
        self._starter = ThreadPoolExecutor(1, "readers")
        self._keep(self._start())

    def clip(self, path: Path, *, name: str) -> Clip:
        """As media.open_clip."""
        with closing(self._read(Description(path, name), name, _TIMES_BYTES)) as chunks:
            parts = list(islice(chunks, _CLIP_PARTS + 1))
        try:
            return believed_clip(path, name, parts)
        except ValueError as error:
            _log.warning("what was told of %s is no clip: %s", name, error)
            raise _unreadable(name) from error

    def frames(self, clip: Clip, count: int | None = None, extend: Extend = Extend.CUT) -> Generator[Frame]:
        """As media.read_frames; by default once from the first to the last."""
        count = clip.frames if count is None else count
        shown = (source_index(frame, clip.frames, extend) for frame in range(count))
        yield from self._frames(clip, Frames(clip, count, extend), shown)

    def glances(self, clip: Clip, indices: tuple[int, ...]) -> Generator[Frame]:
        """These frames of the clip, ascending; see media.glances."""
        yield from self._frames(clip, Glances(clip, indices), indices)

    def speech(self, path: Path, *, name: str) -> NDArray[np.float32]:
        """As media.read_speech."""
        samples = bytearray()
        with closing(self._read(Recording(path, name), name, _BLOCK_BYTES)) as blocks:
            for block in blocks:
                samples += block
        return np.frombuffer(samples, np.float32)

    def speech_blocks(self, path: Path, *, name: str) -> Generator[NDArray[np.float32]]:
        """As media.speech_blocks; whoever has heard enough closes it."""
        with closing(self._read(Recording(path, name), name, _BLOCK_BYTES)) as blocks:
            for block in blocks:
                yield np.frombuffer(block, np.float32)

    def close(self) -> None:
        """End the children; what they read is refused."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()
        self._starter.shutdown(wait=False, cancel_futures=True)

    def _frames(self, clip: Clip, wanted: Wanted, indices: Iterable[int]) -> Generator[Frame]:
        size = frame_bytes(clip.pixel_format, clip.width, clip.height)
        with closing(self._read(wanted, clip.name, size)) as chunks:
            for chunk, index in zip(chunks, indices, strict=False):
                if len(chunk) != size:
                    raise _unreadable(clip.name)
                yield frame_of(clip, index, split_planes(chunk, clip.pixel_format, clip.width, clip.height))

    def _read(self, wanted: Wanted, name: str, most: int) -> Generator[memoryview]:
        given = 0
        for is_last in (False, True):
            try:
                with self._child(name) as child:
                    for chunk in islice(self._chunks(child, wanted, most), given, None):
                        given += 1
                        yield chunk
            except _KilledError as error:
                if is_last:
                    raise _unreadable(name) from error
            else:
                return

    def _chunks(self, child: _Child, wanted: Wanted, most: int) -> Iterator[memoryview]:
        """What comes of a file; only so many begin at once."""
        with self._beginnings:
            child.ask(wanted)
            chunks = child.chunks(most)
            first = next(chunks, None)
        if first is not None:
            yield first
            yield from chunks

    @contextmanager
    def _child(self, name: str) -> Iterator[_Child]:
        """One that nobody else uses.

        INVALID_INPUT when it dies of the file called `name`, or is silent; _KilledError when somebody killed it, who
        need not have meant that file.
        """
        child = self._take() or self._start()
        try:
            yield child
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            was_killed = child.was_killed()
            child.end()
            _log.warning("reading %s ended without an answer: %r", name, error)
            if was_killed:
                raise _KilledError from error
            raise _unreadable(name) from error
        finally:
            child.stop()
            self._keep(child)

    def _take(self) -> _Child | None:
        """One that waits for a file; somebody may have killed some of them."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                child = self._idle.pop()
            if child.is_fit():
                return child
            child.end()

    def _keep(self, child: _Child) -> None:
        with self._lock:
            if len(self._idle) < _KEPT and child.is_fit():
                self._idle.append(child)
                return
        child.end()

    def _start(self) -> _Child:
        return self._starter.submit(_Child).result()


class _Child:
    """One child process, and our end of the socket to it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_START_SECONDS)
        command = [sys.executable, "-m", "services.media.reading_child"]
        with theirs:
            self._process = subprocess.Popen(dying_with_us(command), stdin=theirs.fileno())
        # One that is killed while it waits for a file is buried at once, not when somebody next looks at it.
        threading.Thread(target=self._process.wait, name="reading child", daemon=True).start()
        self._files = 0
        self._is_reading = False

    def ask(self, wanted: Wanted) -> None:
        """Have it read a file; chunks gives what comes of it."""
        if not self._files:
            self._header(0)  # it is loaded
            self._socket.settimeout(_SILENT_SECONDS)
        self._files += 1
        self._is_reading = True
        request = pickle.dumps(wanted)
        self._socket.sendall(Header(Word.REQUEST, len(request)).packed() + request)

    def chunks(self, most: int) -> Iterator[memoryview]:
        """Up to the end of the file; the error that the child sends, ValueError for one of more than `most` bytes."""
        while (header := self._header(most)).word == Word.CHUNK:
            yield receive(self._socket, header.size)
        self._is_reading = False
        if header.word == Word.ERROR:
            raise error_from_json(json.loads(bytes(receive(self._socket, header.size))))

    def is_fit(self) -> bool:
        """True when it may read another file."""
        return self._process.poll() is None and self._files < _FILES_A_CHILD and not self._is_reading

    def was_killed(self) -> bool:
        """True when it has ended by SIGKILL, which is not how files end a process; it may be ending just now."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_SECONDS) == -signal.SIGKILL
        return False

    def stop(self) -> None:
        """Have it leave the file that it reads, if it reads one; it has some seconds for that."""
        if self._is_reading and self._process.poll() is None:
            with suppress(OSError, EOFError, ValueError):
                self._read_on_to_the_end()

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _read_on_to_the_end(self) -> None:
        self._socket.settimeout(_STOP_SECONDS)
        self._socket.sendall(Header(Word.STOP, 0).packed())
        for _ in range(_CHUNKS_AFTER_STOP):
            header = self._header(_BLOCK_BYTES)
            receive(self._socket, header.size)
            if header.word != Word.CHUNK:
                self._socket.settimeout(_SILENT_SECONDS)
                self._is_reading = False
                return

    def _header(self, most: int) -> Header:
        said = receive(self._socket, HEADER_BYTES)
        if not said:
            raise EOFError
        header = Header.unpack(said)
        if header.size > (most if header.word == Word.CHUNK else _ERROR_BYTES):
            raise ValueError(header)
        return header


def _unreadable(name: str) -> ChorusError:
    return ChorusError(ErrorKind.INVALID_INPUT, "probe-failed", name=name)

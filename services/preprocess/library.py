"""What is known of videos and recordings: found in the store, or worked out once and kept there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from contextvars import copy_context
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services import telemetry
from services.errors import ChorusError, ErrorKind, unforeseen
from services.media import Clip, Extend, Frame, Readers
from services.preprocess.analysis import analyse
from services.preprocess.detection import Inference
from services.preprocess.faces import MEL_RATE, STATE_RATE, SoundNet, SourceNet, Speech
from services.preprocess.first_look import LEAST_FRAMES, first_look_at
from services.preprocess.latents import SeenFaces
from services.preprocess.mel import SAMPLE_RATE
from services.preprocess.speech import feature_frames, feature_pieces, speech_with
from services.preprocess.speech_store import map_speech, speech_key, write_speech
from services.preprocess.states import States, heard, map_states, silent, states_key, write_states
from services.preprocess.summary import AnalysisProgress, FirstLook
from services.preprocess.track_store import TrackFile, open_tracks, track_key
from services.preprocess.voice import speech_is_heard
from services.storage import Storage, storage_error

_log = logging.getLogger(__name__)

_REPORT_SECONDS: Final = 0.4
# Analyses, each with a child that may take some GiB for a large enough picture. The others wait for their turn.
_MOST_AT_ONCE: Final = 4
# First looks are quick, and late ones are worth nothing.
_LOOKS_AT_ONCE: Final = 2
_LOOK_WAIT_SECONDS: Final = 2.0
# Whose frames are asked for again: by the analysis after its first look, by the renders after it.
_CLIPS_KEPT: Final = 16

Work = Callable[[], Generator[AnalysisProgress]]
"""Computes something and stores it, as far as its progress is asked for"""


@dataclass
class _RunningAnalysis:
    """An analysis in its own thread, and how many requests wait for it."""

    progress: AnalysisProgress
    watchers: int = 0
    error: ChorusError | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class FaceLibrary:
    """Face tracks by video and speech by recording; shared by all requests of the process."""

    def __init__(
        self, storage: Storage, triton: Inference, readers: Readers, scratch: Path, *, max_minutes: float
    ) -> None:
        """`scratch` is a folder of this process alone."""
        self._storage = storage
        self._readers = readers
        self._turns = threading.Semaphore(_MOST_AT_ONCE)
        self._looks = threading.Semaphore(_LOOKS_AT_ONCE)
        self._triton = triton
        self._scratch = scratch
        self._max_minutes = max_minutes
        self._lock = threading.Lock()
        self._running: dict[str, _RunningAnalysis] = {}
        self._clips: dict[str, Clip] = {}
        """The last ones opened, by key: a key always has the same content"""

    def first_look(self, video_key: str, name: str) -> FirstLook | None:
        """What a few frames of the video show; None when it is analysed already, or not worth it.

        What is wrong with the file the analysis says.
        """
        if self._storage.size(track_key(video_key)) is not None or not self._looks.acquire(timeout=_LOOK_WAIT_SECONDS):
            return None
        try:
            with telemetry.span("first look"), self.clip(video_key, name) as clip:
                if clip.frames < LEAST_FRAMES:
                    return None
                return FirstLook(first_look_at(clip, self._readers, self._triton, self._scratch))
        except ChorusError as error:
            _log.info("%s could not be looked at before its analysis: %s", name, error)
            return None
        except Exception:
            _log.exception("the first look into %s failed", name)
            return None
        finally:
            self._looks.release()

    def ensure_tracks(self, video_key: str, name: str) -> Generator[AnalysisProgress]:
        """Analyse the video unless that was done, giving progress at least twice a second until its tracks are stored.

        Requests for the same video share one analysis; it stops when the last of them goes away.
        """
        return self._ensure("track", track_key(video_key), name, partial(self._follow, video_key, name))

    def ensure_speech(self, audio_key: str, name: str) -> Generator[AnalysisProgress]:
        """The same for a recording; INVALID_INPUT when it has no sound, TOO_LARGE when it is too long."""
        return self._ensure("speech", speech_key(audio_key), name, partial(self._listen, audio_key, name))

    def ensure_states(self, audio_key: str, net: SoundNet, name: str) -> Generator[AnalysisProgress]:
        """The same for the states of a recording whose speech is there: the net hears it once."""
        return self._ensure("states", states_key(audio_key, net), name, partial(self._hear, audio_key, net, name))

    def speaks(self, path: Path, name: str) -> bool | None:
        """Whether anybody speaks in a recording, heard from its start until somebody does; None when nobody can say."""
        try:
            most = self._max_minutes * 60 * SAMPLE_RATE
            with closing(self._readers.speech_blocks(path, name=name)) as blocks:
                return speech_is_heard(blocks, self._triton, most)
        except ChorusError as error:
            _log.warning("whether somebody speaks in %s could not be heard: %s", name, error)
            return None

    @contextmanager
    def tracks(self, video_key: str) -> Iterator[TrackFile]:
        """The stored tracks of an analysed video, open inside the block."""
        with self._storage.local_copy(track_key(video_key)) as path, open_tracks(path) as tracks:
            yield tracks

    @contextmanager
    def clip(self, video_key: str, name: str) -> Iterator[Clip]:
        """The video, valid inside the block; NOT_FOUND, INVALID_INPUT or TOO_LARGE when it cannot be used."""
        with self._storage.local_copy(video_key) as path:
            clip = self._opened(video_key, path, name)
            if clip.seconds > self._max_minutes * 60:
                raise self._too_long(name, float(clip.seconds))
            yield clip

    def frames(self, clip: Clip, count: int, extend: Extend) -> Generator[Frame]:
        """As media.read_frames, of a clip of this library."""
        return self._readers.frames(clip, count, extend)

    @contextmanager
    def speech(self, audio_key: str) -> Iterator[Speech]:
        """The recording as models eat it, after ensure_speech; valid inside the block."""
        with self._storage.local_copy(speech_key(audio_key)) as path:
            yield map_speech(path)

    @contextmanager
    def states(self, audio_key: str, net: SoundNet | None) -> Iterator[States | None]:
        """What the net heard in the recording, after ensure_states; valid inside the block. None without a net."""
        if net is None:
            yield None
            return
        with self._storage.local_copy(states_key(audio_key, net)) as path, map_states(path) as states:
            yield states

    def seen_faces(self, video_key: str, net: SourceNet | None) -> SeenFaces | None:
        """What the net sees in the faces of an analysed video, for one stream."""
        return None if net is None else SeenFaces(self._storage, video_key, net, self._triton)

    def _opened(self, video_key: str, path: Path, name: str) -> Clip:
        with self._lock:
            known = self._clips.pop(video_key, None)
        clip = self._readers.clip(path, name=name) if known is None else replace(known, path=path, name=name)
        with self._lock:
            self._clips[video_key] = clip
            if len(self._clips) > _CLIPS_KEPT:
                del self._clips[next(iter(self._clips))]
        return clip

    def _ensure(self, kind: telemetry.AnalysisKind, key: str, name: str, work: Work) -> Generator[AnalysisProgress]:
        if self._storage.size(key) is not None:
            _log.info("%s of %s reused", kind, name)
            telemetry.cache_lookup(kind, "hit")
            telemetry.current_span().set({f"chorus.{kind}.stored": True})
            return
        telemetry.cache_lookup(kind, "miss")
        telemetry.current_span().set({f"chorus.{kind}.stored": False})
        running = self._join(kind, key, name, work)
        try:
            while not running.ended.wait(_REPORT_SECONDS):
                yield running.progress
            if running.error is not None:
                # One for each who waits: an exception that is raised twice would gather both tracebacks.
                raise copy(running.error)
            yield running.progress
        finally:
            with self._lock:
                running.watchers -= 1

    def _join(self, kind: telemetry.AnalysisKind, key: str, name: str, work: Work) -> _RunningAnalysis:
        """What is computed under the key, with one watcher more."""
        with self._lock:
            running = self._running.get(key)
            if running is None:
                running = self._running[key] = _RunningAnalysis(AnalysisProgress(0, 0))
                arguments = (running, kind, key, name, work)
                # It belongs to the trace of the request that began it; others wait for it.
                run = partial(copy_context().run, self._run, *arguments)
                threading.Thread(target=run, name="analysis", daemon=True).start()
            running.watchers += 1
            return running

    def _run(self, running: _RunningAnalysis, kind: telemetry.AnalysisKind, key: str, name: str, work: Work) -> None:
        try:
            if self._storage.size(key) is None:
                self._work(running, kind, key, name, work)
        except ChorusError as error:
            running.error = error
        except OSError as error:
            running.error = storage_error(error, name)
        except Exception as error:
            _log.exception("the analysis of %s failed", name)
            running.error = unforeseen(error, "analysis-failed", name=name)
        finally:
            with self._lock:
                if self._running.get(key) is running:
                    del self._running[key]
            running.ended.set()

    def _work(self, running: _RunningAnalysis, kind: telemetry.AnalysisKind, key: str, name: str, work: Work) -> None:
        """Do the work to its end, unless everybody goes away meanwhile."""
        while not self._turns.acquire(timeout=_REPORT_SECONDS):
            if self._abandoned(running, key):
                return
        started = time.monotonic()
        try:
            with telemetry.span(f"analyse {kind}"), closing(work()) as steps:
                for progress in steps:
                    running.progress = progress
                    if self._abandoned(running, key):
                        _log.info("%s: nobody waits for the analysis any more, stopped", name)
                        return
        finally:
            self._turns.release()
        telemetry.analysis_finished(kind, time.monotonic() - started)

    def _follow(self, video_key: str, name: str) -> Generator[AnalysisProgress]:
        """Find the video's tracks and store them."""
        with self.clip(video_key, name) as clip, TemporaryDirectory(dir=self._scratch) as folder:
            output = Path(folder) / "faces"
            with closing(self._readers.frames(clip)) as frames:
                for frames_done in analyse(clip, frames, self._triton, Path(folder), output):
                    yield AnalysisProgress(frames_done, clip.frames)
            self._storage.put_file(track_key(video_key), output, create_only=True)

    def _listen(self, audio_key: str, name: str) -> Generator[AnalysisProgress]:
        """Hear the recording and store its speech."""
        with self._storage.local_copy(audio_key) as path:
            samples = self._readers.speech(path, name=name)
        if len(samples) > self._max_minutes * 60 * SAMPLE_RATE:
            raise self._too_long(name, len(samples) / SAMPLE_RATE)
        pieces: list[NDArray[np.float32]] = []
        for piece in feature_pieces(samples, self._triton):
            pieces.append(piece)
            yield AnalysisProgress(sum(heard.shape[1] for heard in pieces), feature_frames(samples))
        with TemporaryDirectory(dir=self._scratch) as folder:
            output = Path(folder) / "speech"
            write_speech(output, speech_with(samples, pieces, self._triton))
            self._storage.put_file(speech_key(audio_key), output, create_only=True)

    def _hear(self, audio_key: str, net: SoundNet, name: str) -> Generator[AnalysisProgress]:
        """Have the net hear the recording, and store its states."""
        with (
            self.speech(audio_key) as speech,
            self._storage.local_copy(audio_key) as path,
            TemporaryDirectory(dir=self._scratch) as folder,
            closing(self._readers.speech_blocks(path, name=name)) as blocks,
        ):
            total = len(speech.level_db) * STATE_RATE // MEL_RATE
            output = Path(folder) / "states"
            pieces = heard(blocks, speech.level_db, net, self._triton)
            with closing(write_states(output, silent(net, self._triton), pieces)) as written:
                for rows in written:
                    yield AnalysisProgress(min(rows, total), total)
            self._storage.put_file(states_key(audio_key, net), output, create_only=True)

    def _abandoned(self, running: _RunningAnalysis, key: str) -> bool:
        """True when nobody waits; from then on nobody can join either."""
        with self._lock:
            if running.watchers > 0:
                return False
            del self._running[key]
            return True

    def _too_long(self, name: str, seconds: float) -> ChorusError:
        return ChorusError(ErrorKind.TOO_LARGE, "too-long", name=name, minutes=seconds / 60, limit=self._max_minutes)

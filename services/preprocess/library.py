"""What is known of videos and recordings: found in the store, or worked out once and kept there."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.media import Clip, open_clip, read_speech
from services.preprocess.analysis import analyse
from services.preprocess.detection import Inference
from services.preprocess.faces import MEL_BANDS, AnalysisProgress, Speech
from services.preprocess.mel import SAMPLE_RATE
from services.preprocess.track_store import TrackFile, content_hash, open_tracks, track_key
from services.preprocess.voice import speech_of
from services.storage import Storage, storage_error

_log = logging.getLogger(__name__)

_SPEECH_VERSION: Final = "2"
"""Changes when what is stored of a recording changes, so that older files are made again and not misread."""
_REPORT_SECONDS: Final = 0.4


@dataclass
class _RunningAnalysis:
    """An analysis in its own thread, and how many requests wait for it."""

    progress: AnalysisProgress
    watchers: int = 0
    error: ChorusError | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class FaceLibrary:
    """Face tracks by video and speech by recording; shared by all requests of the process."""

    def __init__(self, storage: Storage, triton: Inference, scratch: Path, *, max_minutes: float) -> None:
        """`scratch` is a folder of this process alone."""
        self._storage = storage
        self._triton = triton
        self._scratch = scratch
        self._max_minutes = max_minutes
        self._lock = threading.Lock()
        self._running: dict[str, _RunningAnalysis] = {}
        self._speech_lock = threading.Lock()

    def ensure_tracks(self, video_key: str, name: str) -> Iterator[AnalysisProgress]:
        """Analyse the video unless that was done, giving progress at least twice a second until its tracks are stored.

        Requests for the same video share one analysis; it stops when the last of them goes away.
        """
        if self._storage.size(track_key(video_key)) is not None:
            _log.info("face track of %s reused", name)
            telemetry.reused("track")
            return
        running = self._join(video_key, name)
        try:
            while not running.ended.wait(_REPORT_SECONDS):
                yield running.progress
            if running.error is not None:
                raise ChorusError(running.error.kind, running.error.message)
            yield running.progress
        finally:
            with self._lock:
                running.watchers -= 1

    @contextmanager
    def tracks(self, video_key: str) -> Iterator[TrackFile]:
        """The stored tracks of an analysed video, open inside the block."""
        with self._storage.local_copy(track_key(video_key)) as path, open_tracks(path) as tracks:
            yield tracks

    @contextmanager
    def clip(self, video_key: str, name: str) -> Iterator[Clip]:
        """The video, valid inside the block; NOT_FOUND, INVALID_INPUT or TOO_LARGE when it cannot be used."""
        with self._storage.local_copy(video_key) as path:
            clip = open_clip(path, name=name)
            if clip.seconds > self._max_minutes * 60:
                raise self._too_long(name, float(clip.seconds))
            yield clip

    def speech(self, audio_key: str, name: str) -> Speech:
        """The recording as models eat it; INVALID_INPUT when it has no sound, TOO_LARGE when it is too long."""
        key = f"speech/{content_hash(audio_key)}/{_SPEECH_VERSION}/mel"
        # One at a time: two jobs of a batch mostly want the same recording, and it takes little.
        with self._speech_lock:
            if self._storage.size(key) is not None:
                _log.info("speech of %s reused", name)
                telemetry.reused("speech")
                content = np.frombuffer(b"".join(self._storage.read(key)), "<f4").reshape(MEL_BANDS + 2, -1)
                return Speech(content[:-2], content[-2], content[-1])
            with self._storage.local_copy(audio_key) as path:
                samples = read_speech(path, name=name)
            if len(samples) > self._max_minutes * 60 * SAMPLE_RATE:
                raise self._too_long(name, len(samples) / SAMPLE_RATE)
            speech = speech_of(samples, self._triton)
            rows = np.concatenate([speech.mel, speech.level_db[None], speech.voice[None]]).astype("<f4")
            self._storage.put_file(key, io.BytesIO(rows.tobytes()), create_only=True)
            return speech

    def _join(self, video_key: str, name: str) -> _RunningAnalysis:
        """The running analysis of the video, with one watcher more."""
        with self._lock:
            running = self._running.get(video_key)
            if running is None:
                running = self._running[video_key] = _RunningAnalysis(AnalysisProgress(0, 0))
                arguments = (running, video_key, name)
                threading.Thread(target=self._run, args=arguments, name="analysis", daemon=True).start()
            running.watchers += 1
            return running

    def _run(self, running: _RunningAnalysis, video_key: str, name: str) -> None:
        try:
            if self._storage.size(track_key(video_key)) is None:
                self._analyse(running, video_key, name)
        except ChorusError as error:
            running.error = error
        except OSError as error:
            running.error = storage_error(error, f"the analysis of {name}")
        except Exception:
            _log.exception("the analysis of %s failed", name)
            running.error = ChorusError(ErrorKind.INTERNAL, f"The analysis of {name} failed; preprocess's log says why")
        finally:
            with self._lock:
                if self._running.get(video_key) is running:
                    del self._running[video_key]
            running.ended.set()

    def _analyse(self, running: _RunningAnalysis, video_key: str, name: str) -> None:
        """Analyse and store the video's tracks, unless everybody went away meanwhile."""
        with self.clip(video_key, name) as clip, TemporaryDirectory(dir=self._scratch) as folder:
            output = Path(folder) / "faces"
            for frames_done in analyse(clip, self._triton, Path(folder), output):
                running.progress = AnalysisProgress(frames_done, clip.frames)
                if self._abandoned(running, video_key):
                    _log.info("%s: nobody waits for the analysis any more, stopped", name)
                    return
            self._storage.put_file(track_key(video_key), output, create_only=True)

    def _abandoned(self, running: _RunningAnalysis, video_key: str) -> bool:
        """True when nobody waits; from then on nobody can join either."""
        with self._lock:
            if running.watchers > 0:
                return False
            del self._running[video_key]
            return True

    def _too_long(self, name: str, seconds: float) -> ChorusError:
        message = f"{name} is {seconds / 60:.1f} minutes long, the limit is {self._max_minutes:g}: shorten it"
        return ChorusError(ErrorKind.TOO_LARGE, message)

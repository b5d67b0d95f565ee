"""Preprocess as the api sees it, for tests: what it says of a file stands in the file's name.

A content that is stored is not looked into again: give other content to each name that shall say something else.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from services.errors import ChorusError, ErrorKind
from services.preprocess.look import Probed
from services.preprocess.summary import (
    FACTS_VERSION,
    AnalysisProgress,
    FirstLook,
    MediaFacts,
    SoundNote,
    TrackSummary,
    VideoAnalysis,
)
from services.storage import Storage

SLOW_SECONDS = 30


@dataclass(frozen=True, slots=True)
class FakeLook:
    """Tells kinds by the name's ending and lengths by the file's: 1000 bytes are a minute."""

    storage: Storage

    def probe(self, key: str, *, name: str) -> Probed:
        """As LookClient.probe."""
        size = self.storage.size(key)
        assert size is not None
        seconds = size * 60 / 1000
        if name.endswith(".wav"):
            notes = (SoundNote.NO_SPEECH, SoundNote.CLIPPED) if name.startswith("hum") else ()
            track = 2 if name.startswith("hum") else None
            facts = MediaFacts(kind="audio", seconds=seconds, has_audio=True, sound_notes=notes, sound_track=track)
            return Probed(facts, b"", FACTS_VERSION)
        kind = "still" if name.endswith(".png") else "video"
        rate = "30000/1001"
        facts = MediaFacts(kind=kind, seconds=seconds, has_audio=False, width=640, height=360, frame_rate=rate)
        return Probed(facts, b"thumbnail", FACTS_VERSION)

    def analyse(
        self, video_key: str, *, name: str
    ) -> Generator[AnalysisProgress | FirstLook | VideoAnalysis, None, None]:
        """nobody: no face; two: a choice; broken: preprocess is away; slow: a while; crash: ends without a word.

        Before that, "early nobody" or "early" anywhere in the name: a first look that shows nobody, or a face.
        """
        assert self.storage.size(video_key) is not None
        if "early" in name:
            yield FirstLook(replace(_analysis(1), tracks=()) if "early nobody" in name else _analysis(1))
        yield AnalysisProgress(5, 10)
        if name.startswith("slow"):
            end = time.monotonic() + SLOW_SECONDS
            while time.monotonic() < end:
                time.sleep(0.1)
                yield AnalysisProgress(5, 10)
        if name.startswith("nobody"):
            raise ChorusError(ErrorKind.NO_FACE, "no-face", name=name)
        if name.startswith("broken"):
            raise ChorusError(ErrorKind.UNAVAILABLE, "service-unreachable", service="preprocess", reason="away")
        if not name.startswith("crash"):
            yield _analysis(2 if name.startswith("two") else 1)


def _analysis(faces: int) -> VideoAnalysis:
    tracks = tuple(TrackSummary(rank, 0, 0, 99, 30.0, (64.0, 72.0, 320.0, 216.0), rank) for rank in range(faces))
    return VideoAnalysis(100, Fraction(25), 640, 360, 100, tracks)


def look_on_full_disk(path: Path, name: str, scratch: Path) -> None:
    """As probing.look_into, where nothing can be written."""
    raise OSError(errno.ENOSPC, f"no room for the thumbnail of {name}", str(scratch / path.name))

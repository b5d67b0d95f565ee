"""The library: speech is heard once for everybody who waits, and not when nobody does; videos are opened once."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.media import Clip, Extend, Readers
from services.preprocess.faces import SPEECH_FEATURES
from services.preprocess.library import FaceLibrary
from services.storage import Storage
from tests.gateway_stack import wait_until
from tests.measures import metric
from tests.media_samples import ClipRecipe, Tone, make_clip, make_sound


class SlowModels:
    """In Triton's place: hears nothing, slowly."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.pieces = 0

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        samples = inputs["samples"].shape[1]
        if model == "voice_activity":
            return {"voice": np.zeros((1, samples // 512), np.float32), "next_state": inputs["state"]}
        self.pieces += 1
        time.sleep(self.seconds)
        return {"features": np.full((1, SPEECH_FEATURES, samples // 320), 0.5, np.float32)}


@pytest.fixture
def models() -> SlowModels:
    return SlowModels(0.3)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage((tmp_path / "store").as_uri(), tmp_path)


@pytest.fixture
def library(storage: Storage, models: SlowModels, readers: Readers, tmp_path: Path) -> FaceLibrary:
    return FaceLibrary(storage, models, readers, tmp_path, max_minutes=1)


def put(storage: Storage, tmp_path: Path, seconds: float) -> str:
    storage.put_file("uploads/speech", make_sound(tmp_path / "speech.wav", Tone(codec="pcm_s16le", seconds=seconds)))
    return "uploads/speech"


def test_progress_comes_piece_by_piece_and_the_speech_is_kept(
    library: FaceLibrary, storage: Storage, models: SlowModels, tmp_path: Path
) -> None:
    key = put(storage, tmp_path, 45)
    before = lookups()
    steps = list(library.ensure_speech(key, "speech.wav"))
    done = [step.frames_done for step in steps]
    assert done == sorted(done)
    assert len(set(done)) >= 3
    assert (steps[-1].frames_done, steps[-1].frames_total) == (2251, 2251)
    with library.speech(key) as speech:
        assert speech.features.shape == (SPEECH_FEATURES, 45 * 80 + 1)
        assert speech.mel.shape == (80, 45 * 80 + 1)
        assert (speech.features == 0.5).all()
    assert list(library.ensure_speech(key, "speech.wav")) == []
    assert models.pieces == 5
    assert [now - then for now, then in zip(lookups(), before, strict=True)] == [1, 1]


def lookups() -> list[float]:
    """How many recordings were looked for and not found, and how many found."""
    return [metric("chorus_cache_lookups_total", kind="speech", result=result) for result in ("miss", "hit")]


def test_two_requests_share_one_hearing(
    library: FaceLibrary, storage: Storage, models: SlowModels, tmp_path: Path
) -> None:
    key = put(storage, tmp_path, 25)
    threads = [threading.Thread(target=lambda: list(library.ensure_speech(key, "speech.wav"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert models.pieces == 3
    with library.speech(key) as speech:
        assert speech.voice.shape == (25 * 80 + 1,)


def test_a_hearing_for_which_nobody_waits_stops_and_leaves_nothing(
    library: FaceLibrary, storage: Storage, models: SlowModels, tmp_path: Path
) -> None:
    key = put(storage, tmp_path, 58)
    waiting = library.ensure_speech(key, "speech.wav")
    next(waiting)
    waiting.close()
    wait_until(lambda: "analysis" not in [each.name for each in threading.enumerate()])
    assert models.pieces < 6
    assert not list(storage.keys("speech"))
    models.seconds = 0
    list(library.ensure_speech(key, "speech.wav"))
    with library.speech(key) as speech:
        assert speech.mel.shape == (80, 58 * 80 + 1)


def test_a_recording_that_is_too_long_is_refused_by_name(
    library: FaceLibrary, storage: Storage, models: SlowModels, tmp_path: Path
) -> None:
    key = put(storage, tmp_path, 61)
    with pytest.raises(ChorusError, match=r"speech\.wav is 1\.0 minutes long; the limit is 1") as caught:
        list(library.ensure_speech(key, "speech.wav"))
    assert caught.value.kind is ErrorKind.TOO_LARGE
    assert models.pieces == 0


def test_a_video_is_opened_once(
    library: FaceLibrary, storage: Storage, readers: Readers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    describe = readers.clip

    def counted(path: Path, *, name: str) -> Clip:
        opened.append(name)
        return describe(path, name=name)

    monkeypatch.setattr(readers, "clip", counted)
    keys = [f"uploads/{number}" for number in range(17)]
    for number, key in enumerate(keys):
        storage.put_file(key, make_clip(tmp_path / f"{number}.mp4", ClipRecipe(frames=5 + number)))
    for name in ("one", "two"):
        with library.clip(keys[0], name) as clip:
            assert (clip.name, clip.frames) == (name, 5)
            assert len(list(library.frames(clip, 5, Extend.CUT))) == 5
    assert opened == ["one"]
    # A store without the file does not give it, and of many videos the last are known.
    storage.delete(keys[0])
    with pytest.raises(ChorusError), library.clip(keys[0], "gone"):
        pass
    for number, key in enumerate(keys[1:], 1):
        with library.clip(key, key) as clip:
            assert clip.frames == 5 + number
    storage.put_file(keys[0], tmp_path / "16.mp4")
    with library.clip(keys[0], "again") as clip:
        assert clip.frames == 5 + 16
    assert opened == ["one", *keys[1:], "again"]

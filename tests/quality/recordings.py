"""What the quality set is made of beyond the samples: recordings with their phone times, and the same face in sizes."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import read_speech
from tests.running_stack import SAMPLES

RATE = 16_000
_GRAIN = 6.0
"""Deviation of the grain in grey levels"""


@dataclass(frozen=True, slots=True)
class Recording:
    """Something to lay on a clip."""

    name: str
    path: Path
    phones: Path | None
    """The phones file with its closures; None: nobody speaks"""


def spoken(path: Path) -> Recording:
    """A recording that lies beside its phones file."""
    return Recording(path.stem, path, path.with_suffix(".phones.json"))


SENTENCES = spoken(Path(__file__).parent / "sentences_en.flac")
ENGLISH, MANDARIN = spoken(SAMPLES / "announcement_en.wav"), spoken(SAMPLES / "announcement_zh.wav")


def beginning(recording: Recording, seconds: float, folder: Path) -> Recording:
    """The first seconds of a recording; its closures beyond them are passed over by the measures."""
    path = folder / f"{recording.name}.beginning.wav"
    write_wave(path, read_speech(recording.path, name=recording.name)[: int(seconds * RATE)])
    return Recording("beginning", path, recording.phones)


def nobody_speaks(folder: Path) -> Recording:
    """2 s each of a quiet room, of rain that swells, and of chords."""
    random = np.random.default_rng(1)
    time = np.arange(2 * RATE) / RATE
    room = random.normal(0, 0.0005, time.size)
    rain = random.normal(0, 0.05, time.size) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    chords = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220, 277, 330)) * 0.1 * np.exp(-4 * (time % 0.5))
    path = folder / "nobody.wav"
    write_wave(path, np.concatenate([room, rain, chords]))
    return Recording("nobody", path, None)


def sized_still(still: Path, height: int, folder: Path) -> Path:
    """The picture scaled to `height` pixels, then covered with fine grain.

    Scaling up adds no detail: the grain stands in for the skin's own texture, which a sharp picture of that size has
    and which every resampling shows in. A camera's blur of .7 pixels lies on it.
    """
    picture = cv2.imread(str(still))
    assert picture is not None, still
    width = 2 * round(picture.shape[1] * height / picture.shape[0] / 2)
    shrinking = height < picture.shape[0]
    scaled = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC)
    grain = cv2.GaussianBlur(np.random.default_rng(height).normal(0, 1, (height, width)), (0, 0), 0.7)
    covered = scaled + (_GRAIN / grain.std()) * grain[..., None]
    path = folder / f"{still.stem}.{height}p.png"
    cv2.imwrite(str(path), np.clip(covered.round(), 0, 255).astype(np.uint8))
    return path


def write_wave(path: Path, samples: NDArray[np.floating]) -> None:
    """Mono, 16 kHz, 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())

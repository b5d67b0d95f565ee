"""What is asked of each model, the same of every engine, and how far two answers differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Extend, open_clip, read_frames
from services.triton import TritonClient
from tests.running_stack import SAMPLES

SIDE: Final = 192
"""Of what the face nets see, pixels"""
FAMILY: Final = "wav2lip96"
"""What the net with random weights is imported as"""
MUSETALK: Final = "musetalk15"
"""The same of a MuseTalk"""
Arrays = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Question:
    """One request of a model."""

    inputs: Arrays
    output: str
    scale: float
    """Of the output's numbers, to the unit"""
    unit: str
    best: bool = False
    """Of each row's results only the first counts: those that are hardly any may change places"""

    def answer(self, model: str, triton: TritonClient) -> NDArray[np.float64]:
        """Raises what TritonClient.infer does."""
        found = np.asarray(triton.infer(model, self.inputs, [self.output])[self.output], np.float64) * self.scale
        return found[:, :1] if self.best else found


def questions() -> dict[str, Question]:
    """One of every model that can be asked alone; mouth_renderer is compared by the videos that it makes.

    Those of a MuseTalk are there where one could be imported.
    """
    random = np.random.default_rng(11)
    sound = random.standard_normal(320 * 200).astype(np.float32) * np.float32(0.07)
    mel = random.standard_normal((1, 80, 400)).astype(np.float32)
    features = random.standard_normal((1, 64, 400)).astype(np.float32)
    voice = {"samples": sound[None, : 64 + 512 * 100], "state": np.zeros((1, 2, 128), np.float32)}
    return {
        FAMILY: Question(faces(8), "mouth", 1, "of 255"),
        "face_detection": Question({"image": portraits(8)}, "boxes", SIDE, "pixels of 192", best=True),
        "face_landmarks": Question({"crop": portraits(8)}, "landmarks", 1, "pixels of 192"),
        "speech_features": Question({"samples": sound[None]}, "features", 1, "1"),
        "speech_to_mouth": Question({"mel": mel, "features": features}, "coefficients", 1, "0 to 1"),
        "voice_activity": Question(voice, "voice", 1, "0 to 1"),
    } | {
        MUSETALK: Question(states_and_latents(2), "mouth", 1, "of 255"),
        f"{MUSETALK}-latents": Question({"crop": faces(1, 256)["crop"]}, "latents", 1, "1"),
        f"{MUSETALK}-sound": Question({"samples": np.resize(sound, (1, 480_000))}, "states", 1, "1"),
    }


def states_and_latents(rows: int) -> Arrays:
    """Noise as large as what a MuseTalk sees and hears."""
    random = np.random.default_rng(5)
    shapes = {"latents": (rows, 8, 32, 32), "sound": (rows, 50, 384)}
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def faces(rows: int, side: int = 96) -> Arrays:
    """Soft random faces and sounds, as a Wav2Lip of 96 pixels takes them."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (rows, side // 16, side // 16, 3), np.uint8)
    crops = np.repeat(np.repeat(coarse, 16, axis=1), 16, axis=2)
    return {"crop": crops, "mel": random.uniform(-4, 4, (rows, 80, 16)).astype(np.float32)}


def portraits(rows: int) -> NDArray[np.uint8]:
    """(rows, 192, 192, 3): the portrait among the samples, each row a little further to the right."""
    read = cv2.imread(str(SAMPLES / "portrait.jpg"))
    assert read is not None
    height, width = read.shape[:2]
    scale = SIDE / min(height, width)
    moves = (np.array([[scale, 0, row - rows / 2], [0, scale, 0]]) for row in range(rows))
    return np.stack([np.asarray(cv2.warpAffine(read[..., ::-1], move, (SIDE, SIDE)), np.uint8) for move in moves])


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> str:
    """For the table."""
    apart = np.abs(one - other)
    return f"{apart.max():.3g}, {apart.mean():.2g}"


def psnr(one: Path, other: Path) -> str:
    """Of the pictures of two videos, in dB: the worst and the mean, 99 where nothing differs; for the table."""
    clips = (open_clip(path, name=path.name) for path in (one, other))
    pairs = zip(*(read_frames(clip, clip.frames, Extend.CUT) for clip in clips), strict=True)
    found = [_psnr(first.rgb(), second.rgb()) for first, second in pairs]
    return f"{min(found):.1f}, {np.mean(found):.1f} dB"


def _psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    apart = one.astype(np.float32) - other
    return min(99.0, 10 * float(np.log10(255**2 / max(float(np.mean(apart**2)), 1e-9))))

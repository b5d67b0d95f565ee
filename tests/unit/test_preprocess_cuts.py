"""Cuts: another picture is one, a moving, flashing or noisy picture is none."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.cuts import Cut, CutDetector

RANDOM = np.random.default_rng(5)


def scene(seed: int, width: int = 640, height: int = 360) -> NDArray[np.uint8]:
    """A picture of large soft patches."""
    patches = np.random.default_rng(seed).integers(20, 235, (9, 16), dtype=np.uint8)
    return np.asarray(cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def cuts_in(frames: Sequence[NDArray[np.unsignedinteger]]) -> list[int]:
    detector = CutDetector()
    return [index for index, frame in enumerate(frames) if detector.judge(frame) is not Cut.NONE]


def test_another_scene_is_a_cut() -> None:
    assert cuts_in([scene(1)] * 5 + [scene(2)] * 5 + [scene(1)] * 5) == [5, 10]


def test_a_moving_noisy_picture_is_no_cut() -> None:
    noise = [RANDOM.normal(0, 6, (360, 640)) for _ in range(20)]
    frames = [
        np.clip(np.roll(scene(1), 3 * index, axis=1) + noise[index], 0, 255).astype(np.uint8) for index in range(20)
    ]
    assert cuts_in(frames) == []


def test_a_flash_is_no_cut() -> None:
    bright = np.clip(scene(1).astype(int) * 5 // 4 + 10, 0, 255).astype(np.uint8)
    assert cuts_in([scene(1)] * 5 + [bright] + [scene(1)] * 5) == []


def test_a_jump_cut_to_a_nearer_view_is_a_cut() -> None:
    near = cv2.warpAffine(scene(1), cv2.getRotationMatrix2D((320, 150), 0, 1.15), (640, 360)).astype(np.uint8)
    assert cuts_in([scene(1)] * 5 + [near] * 5) == [5]


def test_black_frames_are_no_cuts_but_their_end_is() -> None:
    black = [np.clip(RANDOM.normal(16, 1, (360, 640)), 0, 255).astype(np.uint8) for _ in range(5)]
    assert cuts_in([*black, scene(1), scene(1)]) == [5]


def test_ten_bits_and_tiny_pictures_work() -> None:
    frames = [scene(seed).astype(np.uint16) * 4 for seed in (1, 1, 2)]
    assert cuts_in([*frames]) == [2]
    assert cuts_in([scene(1, 32, 18), scene(1, 32, 18), scene(2, 32, 18)]) == [2]

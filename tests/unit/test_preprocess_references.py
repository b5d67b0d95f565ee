"""Reference frames: one for each opening of the mouth, frontal ones first, pictures kept exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.faces import LANDMARKS
from services.preprocess.references import (
    ReferenceChoice,
    decode_reference,
    mouth_opening,
    save_references,
    speaking_opening,
)
from tests.shown_picture import ShownPicture

EYES = 100.0


class Numbered(ShownPicture):
    """A picture of noise that differs by its number."""

    def __init__(self, number: int) -> None:
        super().__init__(np.random.default_rng(number).integers(0, 255, (360, 640, 3), dtype=np.uint8))


def face(opening: float, turned: float = 0.0) -> NDArray[np.float32]:
    """A face at (320, 180) whose inner lips are `opening` eye distances apart; `turned` is a tangent of yaw."""
    points = np.full((LANDMARKS, 3), (320, 180, 0), np.float32)
    points[33, 0], points[263, 0] = 320 - EYES / 2, 320 + EYES / 2
    points[234, 0], points[454, 0] = 250, 390
    points[454, 2] = 140 * turned
    points[14, 1] += opening * EYES
    return points


def kept_rows(faces: list[NDArray[np.float32]], hold: int = 2) -> list[int]:
    """Numbers of the kept faces, which hold still for so many frames each."""
    choice = ReferenceChoice()
    for row in range(hold * len(faces)):
        choice.consider(row, faces[row // hold], Numbered(row))
    return [reference.row // hold for reference in choice.frames()]


def test_one_frame_for_each_opening_in_order() -> None:
    assert kept_rows([face(0.12), face(0.01), face(0.08), face(0.04), face(0.0), face(0.3)]) == [4, 3, 2, 5]


def test_frontal_frames_are_preferred() -> None:
    assert kept_rows([face(0.13, turned=0.4), face(0.12), face(0.14, turned=0.5)]) == [1]


def test_still_lips_are_preferred_to_moving_ones() -> None:
    faces = [face(0.12), face(0.13), face(0.13), face(0.30), face(0.11)]
    assert kept_rows(faces, hold=1) == [2]


def test_opening_is_measured_in_eye_distances() -> None:
    assert mouth_opening(face(0.08)) == pytest.approx(0.08, abs=1e-4)


def test_pictures_are_saved_exactly(tmp_path: Path) -> None:
    choice = ReferenceChoice()
    for row, opening in enumerate((0.0, 0.12)):
        choice.consider(row, face(opening), Numbered(row))
    saved = save_references(choice.frames(), tmp_path / "pictures")
    content = (tmp_path / "pictures").read_bytes()
    for kept, reference in zip(choice.frames(), saved, strict=True):
        png = content[reference.first_byte : reference.first_byte + reference.size]
        assert np.array_equal(decode_reference(png), kept.rgb)
        assert reference.scale == 1.0
        region = Numbered(kept.row).rgb_region(kept.left, kept.top, kept.left + 210, kept.top + kept.rgb.shape[0])
        assert np.array_equal(kept.rgb, region)


def test_only_lips_that_move_tell_how_far_somebody_opens() -> None:
    assert speaking_opening([0.10] * 50) == speaking_opening([0.0, 0.04]) == 0
    speaks = [0.0] * 20 + [0.06] * 60 + [0.14] * 20
    assert speaking_opening([*speaks, 0.9]) == pytest.approx(0.14)

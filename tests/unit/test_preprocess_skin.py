"""The skin round a mouth: what the mesh sees move although the skin does not is taken back."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.face_picture import take_face
from services.preprocess.faces import LANDMARKS
from services.preprocess.pose import TrackMotion, place
from services.preprocess.runs import Run
from services.preprocess.skin import append_skin, read_skin
from services.preprocess.skin_field import (
    ACROSS,
    CHANGES_ACROSS,
    CHIN,
    LINES,
    OUTLINE,
    OUTLINE_POINTS,
    SUBNASALE,
    outline_changes,
    outline_of,
    shifted,
    skin_field,
)
from services.preprocess.skin_following import follow_skin
from tests.shown_picture import ShownPicture

ROWS, UNIT, MIDDLE = 24, 120.0, (320.0, 240.0)


class Picture(ShownPicture):
    """Skin that goes on over the whole picture."""

    def __init__(self, brightness: float = 0) -> None:
        noise = np.random.default_rng(5).normal(0, 1, (480, 640)).astype(np.float32)
        pores, light = cv2.GaussianBlur(noise, (0, 0), 3), cv2.GaussianBlur(noise, (0, 0), 25)
        grey = 130 + brightness + 15 * pores / pores.std() + 15 * light / light.std()
        super().__init__(np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))


def resting_face() -> NDArray[np.float64]:
    """(478, 3) face units: a shut mouth, nose, chin and eyes; the other points do not matter."""
    face = np.zeros((LANDMARKS, 3))
    along = np.linspace(-1, 1, 11)
    for line, height in zip(LINES, (-0.06, 0, 0, 0.08), strict=True):
        face[list(line), 0] = 0.3 * along
        face[list(line), 1] = height * (1 - along**2)
    face[SUBNASALE, 1], face[CHIN, 1] = -0.2, 0.5
    face[[33, 263], :2] = (-0.5, -0.8), (0.5, -0.8)
    return face


def motion(rows: int) -> TrackMotion:
    pose = np.column_stack([UNIT * np.eye(3), [*MIDDLE, 0]])
    return TrackMotion(resting_face(), np.repeat(pose[None], rows, axis=0), np.zeros(rows), np.ones(rows))


def mistaken(rows: int) -> NDArray[np.float32]:
    """(rows, 478, 3): the resting face as a mesh sees it, the first time rightly."""
    still = place(resting_face(), motion(1).pose[0]).astype(np.float32)
    changes, deviations = outline_changes(resting_face())
    amounts = np.random.default_rng(3).normal(0, 1, (rows, len(deviations))) * deviations
    amounts[0] = 0
    return np.array([shifted(still, change, UNIT * np.eye(2), 0) for change in amounts @ changes])


def followed(landmarks: NDArray[np.float32], folder: Path, believed: NDArray[np.float64]) -> NDArray[np.float32]:
    corrected = landmarks.copy()
    with (folder / "skin").open("w+b") as file:
        for row, seen in enumerate(landmarks):
            # The room grows darker.
            append_skin(file, take_face(Picture(-row), seen))
        follow_skin(corrected, file, [Run(0, 0, len(landmarks))], motion(len(landmarks)), believed)
    return corrected


def mistakes(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(rows,) root mean square of the outline's mistakes in face units, the first row's left out."""
    still = place(resting_face(), motion(1).pose[0])
    changes = outline_of((landmarks - still)[:, OUTLINE_POINTS])
    return np.asarray(np.sqrt(np.square(changes).mean(axis=1))[1:] / UNIT)


def test_mistakes_of_the_mesh_are_taken_back(tmp_path: Path) -> None:
    seen = mistaken(ROWS)
    corrected = followed(seen, tmp_path, np.ones(ROWS))
    assert mistakes(seen).mean() > 0.004
    assert mistakes(corrected).mean() < 0.3 * mistakes(seen).mean()


def test_a_mistake_that_lasts_is_taken_back_ever_more(tmp_path: Path) -> None:
    changes, deviations = outline_changes(resting_face())
    large = shifted(mistaken(1)[0], 2.5 * deviations @ changes, UNIT * np.eye(2), 0)
    seen = np.array([mistaken(1)[0], *[large] * 6])
    left = mistakes(followed(seen, tmp_path, np.ones(len(seen)))) / mistakes(seen)
    # Each frame's search goes on where that of the frame before ended.
    assert left[-1] < 0.8 * left[0]


def test_what_is_hidden_or_was_not_seen_stays(tmp_path: Path) -> None:
    seen, believed = mistaken(ROWS), np.ones(ROWS)
    believed[5:9] = 0
    corrected = followed(seen, tmp_path, believed)
    np.testing.assert_array_equal(corrected[5:9], seen[5:9])
    assert (mistakes(corrected)[9:] < 0.6 * mistakes(seen)[9:].mean()).all()


def test_rows_without_a_picture_are_told_apart(tmp_path: Path) -> None:
    with (tmp_path / "skin").open("w+b") as file:
        append_skin(file, take_face(Picture(), mistaken(1)[0]), missing=2)
        assert [read_skin(file, row) is None for row in range(3)] == [True, True, False]


def test_a_skin_picture_lies_where_its_affine_says(tmp_path: Path) -> None:
    picture = Picture()
    with (tmp_path / "skin").open("w+b") as file:
        append_skin(file, take_face(picture, mistaken(1)[0]))
        skin = read_skin(file, 0)
    assert skin is not None
    middle = np.array([[330.5], [260.5]])
    to_frame = cv2.invertAffineTransform(skin.from_frame)
    shown = cv2.warpAffine(skin.grey, to_frame, (picture.width, picture.height), flags=cv2.INTER_LINEAR)
    row, column = (int(axis[0]) for axis in middle[::-1])
    near = np.s_[row - 30 : row + 30, column - 30 : column + 30]
    truth = picture.rgb_region(0, 0, picture.width, picture.height)[:, :, 1]
    assert np.corrcoef(shown[near].ravel(), truth[near].ravel())[0, 1] > 0.97


@pytest.mark.parametrize(("lip", "side"), [(0, -1), (3, 1)])
def test_a_lip_moves_the_skin_on_its_side_alone(lip: int, side: int) -> None:
    field = skin_field(resting_face())
    change = np.zeros(OUTLINE, np.float32)
    change[ACROSS:-1].reshape(len(LINES), -1)[lip] = 0.1
    moved = field.down @ change[ACROSS:]
    assert np.all(moved[side * field.places[:, 1] < -0.01] == 0)
    assert moved.max() > 0.08


def test_the_chin_takes_the_skin_of_the_jaw_along() -> None:
    field = skin_field(resting_face())
    down = field.down[:, -1]
    near_chin = (np.abs(field.places[:, 0]) < 0.05) & (field.places[:, 1] > 0.45)
    assert (down[near_chin] > 0.8).all()
    assert np.abs(down[field.places[:, 1] < -0.1]).max() < 0.05


def test_a_change_goes_across_or_down() -> None:
    changes, _ = outline_changes(resting_face())
    assert not changes[:CHANGES_ACROSS, ACROSS:].any()
    assert not changes[CHANGES_ACROSS:, :ACROSS].any()
    assert changes.any(axis=1).all()

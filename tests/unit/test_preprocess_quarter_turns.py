"""Which way a face that was just detected lies: the turn in which the model is surest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame
from services.media.colour import Matrix, Range
from services.preprocess.detection import Detection
from services.preprocess.faces import LANDMARKS
from services.preprocess.landmarks import LEFT_EYE, RIGHT_EYE, find_new_landmarks

SIDE = 192
BRIGHT, DARK = 235, 16


class Compass:
    """A net whose certainty depends on how far its crop is turned, which the crop's bright quarter tells."""

    def __init__(self, certainties: Sequence[float]) -> None:
        """For no turn, and for one, two and three quarters."""
        self._certainties = certainties
        self.turns: list[int] = []

    def infer(
        self, _model: str, inputs: Mapping[str, NDArray[np.generic]], _outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        turns = [_turns(np.asarray(crop)) for crop in inputs["crop"]]
        self.turns += turns
        points = np.random.default_rng(1).uniform(32, 160, (len(turns), LANDMARKS, 3)).astype(np.float32)
        points[:, 0, :2], points[:, 1, :2] = 32, 160
        points[:, LEFT_EYE], points[:, RIGHT_EYE] = (64, 80, 0), (128, 80, 0)
        return {"landmarks": points, "certainty": np.array([[self._certainties[turn]] for turn in turns])}


def _turns(crop: NDArray[np.uint8]) -> int:
    """How often the square was turned with the clock to see this: its bright quarter comes against it."""
    corners = [crop[48, 48, 1], crop[144, 48, 1], crop[144, 144, 1], crop[48, 144, 1]]
    return int(np.argmax(corners))


def _found(net: Compass) -> list[float | None]:
    """Which way the eyes of each face look, in quarter turns; None for no face."""
    luma, chroma = np.full((SIDE, SIDE), DARK, np.uint8), np.full((SIDE // 2, SIDE // 2), 128, np.uint8)
    luma[: SIDE // 2, : SIDE // 2] = BRIGHT
    frame = Frame(0, luma, chroma, chroma.copy(), 8, Matrix.BT709, Range.LIMITED)
    low, high = SIDE / 6, SIDE * 5 / 6
    keypoints = np.array([(64.0, 80.0), (128.0, 80.0), (96, 110), (96, 130), (40, 90), (150, 90)])
    face = Detection(np.array([low, low, high, high]), keypoints, 0.9)
    return [None if points is None else _quarters(points) for points in find_new_landmarks(frame, [face], net)]


def _quarters(points: NDArray[np.float32]) -> float:
    across = points[RIGHT_EYE, :2] - points[LEFT_EYE, :2]
    return float(np.arctan2(across[1], across[0]) / (np.pi / 2)) % 4


@pytest.mark.parametrize("right", range(4))
def test_of_turns_that_are_all_but_sure_the_surest_counts(right: int) -> None:
    # As probabilities in float32 all of these are 1.
    net = Compass([21.5 if turn == right else 20.5 for turn in range(4)])
    assert _found(net) == [pytest.approx(right, abs=0.05)]


def test_who_is_surely_upright_is_not_turned() -> None:
    net = Compass([24.0, 30.0, 30.0, 30.0])
    assert _found(net) == [pytest.approx(0, abs=0.05)]
    assert net.turns == [0, 0]


def test_what_is_a_face_in_no_turn_is_none() -> None:
    net = Compass([-0.1] * 4)
    assert _found(net) == [None]
    assert sorted(set(net.turns)) == [0, 1, 2, 3]

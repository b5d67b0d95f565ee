"""The default family in pauses: where the footage's own mouth shows, the renderer is not asked and no bit changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.faces import LANDMARKS, FaceBatch, FaceIntroduction
from services.render.edits.grain import Grain
from services.render.edits.reposing import Repose
from services.render.families.default import animator
from services.render.families.default.animator import CROP, DefaultAnimator
from services.render.families.default.interior import MouthInterior
from services.render.families.default.speech import MouthTrack
from services.triton import TritonClient
from tests.unit.test_reposing import same_bits, wavy_frame

SIDE = 64


class Renderer:
    """In the place of Triton: moves every face by what its first landmark says, and keeps the weights."""

    def __init__(self) -> None:
        self.weights: list[float] = []

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        assert model == "mouth_renderer"
        assert {len(rows) for rows in inputs.values()} == {1}
        self.weights += inputs["weight"][0, :, 0].tolist()
        area, window = (
            (*inputs["rest"].shape[:2], inputs[f"{part}_rows"].shape[1], inputs[f"{part}_columns"].shape[1])
            for part in ("area", "window")
        )
        around = (
            np.ones((*area, 2), np.float32) * inputs["landmarks"][..., 0, 0].astype(np.float32)[..., None, None, None]
        )
        return {
            "around": around,
            "lips": np.zeros((*window, 4), np.float32),
            "inside": np.zeros((*window, 4), np.uint8),
        }


def batch_with(weights: Sequence[float]) -> FaceBatch:
    """Faces whose first landmark lies one pixel farther to the right than that of the face before."""
    faces = len(weights)
    landmarks = np.zeros((faces, LANDMARKS, 3), np.float32)
    landmarks[:, 0, 0] = np.arange(faces)
    return FaceBatch(
        first_frame=0,
        track=0,
        present=np.ones(faces, np.bool_),
        crops=np.zeros((faces, SIDE, SIDE, 3), np.uint8),
        landmarks=landmarks,
        rest=landmarks,
        to_crop=np.tile(np.eye(2, 3, dtype=np.float32), (faces, 1, 1)),
        weight=np.array(weights, np.float32),
        mels=np.zeros((faces, 80, 0), np.float32),
    )


@pytest.fixture
def edits_of(monkeypatch: pytest.MonkeyPatch) -> tuple[DefaultAnimator, Renderer]:
    teeth = np.zeros((4, 8, 4), np.uint8)
    interior = MouthInterior((0.0,), teeth[None], teeth, np.zeros((3, 3), np.float32), Grain(0, 0))
    monkeypatch.setattr(animator, "mouth_interior", lambda *_: interior)
    renderer = Renderer()
    mouth = DefaultAnimator(
        MouthTrack(np.zeros((80, 8), np.float32), np.ones(80, np.float32)), Fraction(25), cast(TritonClient, renderer)
    )
    mouth.introduce(FaceIntroduction(0, 40.0, 0.0, batch_with([1.0])))
    return mouth, renderer


def test_only_faces_that_are_shown_are_asked_for(edits_of: tuple[DefaultAnimator, Renderer]) -> None:
    mouth, renderer = edits_of
    edits = mouth.synthesise(batch_with([0, 0.5, 0, 1]))
    assert renderer.weights == [0.5, 1]
    # Faces 1 and 3 have their own fields: their first landmarks are two pixels of the crop apart.
    assert edits[3].around[0, 0, 0] - edits[1].around[0, 0, 0] == pytest.approx(2 * CROP.extent / SIDE)
    for edit in (edits[0], edits[2]):
        assert_unchanged(edit)


def test_a_batch_of_a_pause_asks_for_nothing(edits_of: tuple[DefaultAnimator, Renderer]) -> None:
    mouth, renderer = edits_of
    edits = mouth.synthesise(batch_with([0, 0, 0]))
    assert (len(edits), renderer.weights) == (3, [])
    for edit in edits:
        assert_unchanged(edit)


def assert_unchanged(edit: Repose) -> None:
    for bit_depth, step in ((8, (2, 2)), (10, (1, 1))):
        frame = wavy_frame(bit_depth, step)
        edit.apply(frame)
        assert same_bits(frame, wavy_frame(bit_depth, step))

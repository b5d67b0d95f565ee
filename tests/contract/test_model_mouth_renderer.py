"""mouth_renderer: still when nothing is asked, opens with the jaw, and one graph for every side and batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from export.drawn_face import drawn_landmarks, drawn_picture

ROOT = Path(__file__).parents[2]
SIDES = (256, 384, 512)
JAW, CLOSE, WIDE, ROUND = 0, 1, 2, 3
CAVITY = (0.05, 0.9, 0.05)

Inputs = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = ROOT / "model_repository/mouth_renderer/1/model.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def ask(side: int, rows: list[dict[int, float]], opening: float = 0.0) -> Inputs:
    """A toothless face with a green cavity, asked for each row's coefficients."""
    batch = len(rows)
    coefficients = np.zeros((batch, 8), np.float32)
    for row, asked in enumerate(rows):
        coefficients[row, list(asked)] = list(asked.values())
    rest = np.repeat(drawn_landmarks(side, opening)[None], batch, 0)
    none = np.zeros((batch, 128, 256, 4), np.uint8)
    return {
        "crop": np.repeat(drawn_picture(side)[None], batch, 0),
        "landmarks": rest,
        "rest": rest,
        "coefficients": coefficients,
        "upper_teeth": none,
        "lower_teeth": none,
        "tones": np.repeat(np.array([[CAVITY, CAVITY, (1, 0, 0)]], np.float32), batch, 0),
    }


def render(session: onnxruntime.InferenceSession, inputs: Inputs) -> NDArray[np.uint8]:
    patch: NDArray[np.uint8] = session.run(None, inputs)[0]
    return patch


def cavity_pixels(patch: NDArray[np.uint8]) -> int:
    """Pixels of the mouth's inside: far greener than anything in the drawn picture's mouth."""
    red, green, blue = (patch[..., channel].astype(int) for channel in range(3))
    return int(((green > 2 * red + 20) & (green > 2 * blue + 20) & (patch[..., 3] > 128)).sum())


@pytest.mark.parametrize("side", SIDES)
def test_resting_mouth_is_not_touched(session: onnxruntime.InferenceSession, side: int) -> None:
    patch = render(session, ask(side, [{}]))
    assert patch.shape == (1, side, side, 4)
    assert not patch[..., 3].any()


@pytest.mark.parametrize("side", SIDES)
def test_mouth_opens_with_the_jaw(session: onnxruntime.InferenceSession, side: int) -> None:
    patches = render(session, ask(side, [{JAW: jaw} for jaw in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]))
    inside = [cavity_pixels(patch) for patch in patches]
    assert inside[0] == 0
    assert inside == sorted(inside)
    assert inside[-1] > 0.01 * side * side


def test_closed_wins_over_an_open_jaw(session: onnxruntime.InferenceSession) -> None:
    opened, shut = render(session, ask(256, [{JAW: 0.8}, {JAW: 0.8, CLOSE: 1.0}]))
    assert cavity_pixels(opened) > 300
    assert cavity_pixels(shut) == 0


def test_parted_resting_mouth_can_be_shut(session: onnxruntime.InferenceSession) -> None:
    patch = render(session, ask(256, [{CLOSE: 1.0}], opening=0.05))[0]
    assert cavity_pixels(patch) == 0
    assert patch[128 - 32 : 128 - 16, 128, 3].max() == 255  # the seam, 0.55 of 1.5 units down, is painted over


@pytest.mark.parametrize("side", SIDES)
def test_eyes_and_edges_are_never_touched(session: onnxruntime.InferenceSession, side: int) -> None:
    everything = dict.fromkeys(range(8), 1.0) | {CLOSE: 0.0}
    alpha = render(session, ask(side, [everything]))[0, ..., 3]
    assert not alpha[: side // 8].any()
    assert not alpha[-2:].any()
    assert not alpha[:, : side // 16].any()
    assert not alpha[:, -side // 16 :].any()
    assert alpha.max() == 255


@pytest.mark.parametrize("side", SIDES)
def test_still_pixels_keep_their_colour(session: onnxruntime.InferenceSession, side: int) -> None:
    inputs = ask(side, [{}])
    patch = render(session, inputs)[0].astype(int)
    difference = np.abs(patch[..., :3] - inputs["crop"][0])
    seam = (np.array([-0.04, 0.04]) + 0.55) / 1.5 * side  # where the lips' layers meet neither looks past its edge
    columns = np.s_[side // 16 : -side // 16]
    assert difference[3 * side // 32 : int(seam[0]), columns].max() <= 1
    assert difference[int(seam[1]) :, columns].max() <= 1


def test_wide_and_round_pull_the_corners_apart_and_together(session: onnxruntime.InferenceSession) -> None:
    def width(patch: NDArray[np.uint8]) -> int:
        green = (patch[..., 1] > 2 * patch[..., 0].astype(int) + 20) & (patch[..., 3] > 128)
        columns = np.nonzero(green.any(axis=0))[0]
        return int(columns[-1] - columns[0])

    plain, wide, narrow = render(session, ask(512, [{JAW: 0.6}, {JAW: 0.6, WIDE: 1.0}, {JAW: 0.6, ROUND: 1.0}]))
    assert width(narrow) < width(plain) < width(wide)


@pytest.mark.parametrize("side", SIDES)
def test_rows_of_a_batch_do_not_touch_each_other(session: onnxruntime.InferenceSession, side: int) -> None:
    rows = [{JAW: 0.7}, {ROUND: 0.9, JAW: 0.2}, {CLOSE: 1.0}]
    together = render(session, ask(side, rows))
    for row, asked in enumerate(rows):
        alone = render(session, ask(side, [asked]))[0]
        assert np.abs(together[row].astype(int) - alone.astype(int)).max() <= 1

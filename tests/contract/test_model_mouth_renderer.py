"""mouth_renderer: still when nothing is asked, opens with the jaw, shuts parted lips, one graph for every side."""

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
SKIN = np.array([200.0, 150.0, 130.0])

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


def face_units(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x (1, side) and y (side, 1) of the pixels' centres."""
    places = (np.arange(side) + 0.5) / side * 1.5
    return places[None] - 0.75, places[:, None] - 0.55


def shown(session: onnxruntime.InferenceSession, inputs: Inputs) -> NDArray[np.float64]:
    """The crops with the patches over them."""
    patch = render(session, inputs).astype(np.float64)
    crop, alpha = inputs["crop"].astype(np.float64), patch[..., 3:] / 255
    return np.asarray(crop + (patch[..., :3] - crop) * alpha)


def corner_shift(
    session: onnxruntime.InferenceSession, half_width: float, opening: float, asked: dict[int, float]
) -> float:
    """Face units by which a mark on the cheek at the right corner of the resting mouth moves outwards."""
    side = 512
    inputs = ask(side, [asked], opening)
    rest = inputs["rest"].astype(np.float32)
    rest[..., 0] = side / 2 + (rest[..., 0] - side / 2) * half_width / 0.28
    x, y = face_units(side)
    mark = np.exp(-(((x - half_width) / 0.02) ** 2 + ((y - 0.02) / 0.02) ** 2))
    picture = np.repeat((40 + 200 * mark)[None, :, :, None], 3, 3).astype(np.uint8)
    inputs |= {"rest": rest, "landmarks": rest, "crop": picture}
    brightness = np.clip(shown(session, inputs)[0, ..., 0] - 60, 0, None) * (x > 0.15) * (np.abs(y) < 0.12)
    return float((brightness * x).sum() / brightness.sum() - half_width)


def test_corners_of_a_smile_come_in_when_it_shuts(session: onnxruntime.InferenceSession) -> None:
    shut, ajar, opened = (corner_shift(session, 0.36, 0.10, asked) for asked in ({CLOSE: 1.0}, {JAW: 0.15}, {JAW: 0.5}))
    assert -0.06 < shut < -0.03
    assert shut < ajar < opened < 0


def test_corners_of_other_mouths_stay_when_they_shut(session: onnxruntime.InferenceSession) -> None:
    assert corner_shift(session, 0.28, 0.10, {CLOSE: 1.0}) == pytest.approx(0, abs=0.008)
    assert corner_shift(session, 0.36, 0.0, {CLOSE: 1.0}) == pytest.approx(0, abs=0.004)


def test_a_wide_closed_rest_is_not_touched(session: onnxruntime.InferenceSession) -> None:
    inputs = ask(384, [{}])
    rest = inputs["rest"].astype(np.float32)
    rest[..., 0] = 192 + (rest[..., 0] - 192) * 1.3
    assert not render(session, inputs | {"rest": rest, "landmarks": rest})[..., 3].any()


def test_lips_shut_over_teeth_meet_in_a_soft_warm_line(session: onnxruntime.InferenceSession) -> None:
    def shut(opening: float) -> NDArray[np.float64]:
        inputs = ask(384, [{CLOSE: 1.0}], opening)
        inputs["crop"] = np.broadcast_to(SKIN.astype(np.uint8), (1, 384, 384, 3)).copy()
        return np.asarray(shown(session, inputs)[0] / SKIN)

    seam = int(0.55 / 1.5 * 384)
    line = shut(0.10)[seam - 20 : seam + 20, 192]
    assert 0.5 < line[:, 0].min() < 0.8
    darkest = line[line[:, 0].argmin()]
    assert darkest[1] < darkest[0] - 0.05
    assert 3 <= (line[:, 0] < 0.9).sum() <= 10, "about 0.02 face units, 5 pixels"
    assert line[[0, -1]].min() > 0.95, "the rest of the lips keeps its colour"
    faint = shut(0.03)[seam - 20 : seam + 20, 192, 0].min()
    assert line[:, 0].min() + 0.05 < faint < 0.97, "lips that hardly part show most of their own line"
    assert shut(0.0).min() > 0.99, "shut lips show all of it"


def test_dark_corners_of_an_open_mouth_do_not_stay_when_it_shuts(session: onnxruntime.InferenceSession) -> None:
    side, opening = 384, 0.10
    inputs = ask(side, [{CLOSE: 1.0}, {ROUND: 0.8}], opening)
    x, y = face_units(side)
    inside = (np.abs(x) < 0.265) & (np.abs(y) < opening / 2 * np.clip(1 - (x / 0.26) ** 2, 0, 1) + 0.006)
    picture = np.where(inside[..., None], 0.1, 1.0) * SKIN
    inputs["crop"] = np.repeat(picture.astype(np.uint8)[None], 2, 0)
    assert (shown(session, inputs)[..., 0] / SKIN[0]).min() > 0.5


def test_teeth_behind_a_slit_lie_in_the_shadow_of_the_lips(session: onnxruntime.InferenceSession) -> None:
    inputs = ask(512, [{JAW: jaw} for jaw in (0.05, 0.1, 0.15, 0.2, 0.6)])
    inputs["crop"] = np.zeros_like(inputs["crop"])
    inputs["upper_teeth"] = np.full_like(inputs["upper_teeth"], 255)
    column = shown(session, inputs)[:, :, 256, 0]
    brightest = column.max(axis=1)
    assert (np.diff(brightest) > 20).all()
    assert brightest[1] < 0.4 * brightest[-1]
    wide_open = column[-1]
    first = int(np.argmax(wide_open > 60))
    assert wide_open[first + 3] < 0.85 * brightest[-1], "darkest under the upper lip"


def test_opening_changes_the_mouth_in_small_steps(session: onnxruntime.InferenceSession) -> None:
    inputs = ask(256, [{JAW: jaw / 100} for jaw in range(0, 40, 2)], opening=0.10)
    mouths = shown(session, inputs)[:, 70:130, 90:166].mean(axis=(1, 2, 3))
    assert np.abs(np.diff(mouths)).max() < 4


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

"""mouth_renderer, seen on a picture: still when nothing is asked, opens with the jaw, shuts parted lips."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from export.drawn_face import drawn_picture
from tests.mouth_model import (
    CLOSE,
    FIELDS,
    JAW,
    ROUND,
    WIDE,
    Picture,
    around,
    ask,
    cavity_pixels,
    face_units,
    fields,
    mouth_renderer,
    shown,
    untouched,
)

SIDES = (96, 256, 768)
BROWN = (0.4, 0.15, 0.15)
SKIN = np.array([200.0, 150.0, 130.0])


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return mouth_renderer()


@pytest.mark.parametrize("opening", [0.0])
@pytest.mark.parametrize("half_width", [0.28, 0.36])
@pytest.mark.parametrize("side", SIDES)
def test_resting_mouth_is_not_touched(
    session: onnxruntime.InferenceSession, side: int, half_width: float, opening: float
) -> None:
    face = shown(session, side, ask(side, [{}], opening, half_width=half_width))[0]
    np.testing.assert_array_equal(face, untouched(drawn_picture(side)))


@pytest.mark.parametrize("side", SIDES)
def test_mouth_opens_with_the_jaw(session: onnxruntime.InferenceSession, side: int) -> None:
    faces = shown(session, side, ask(side, [{JAW: jaw} for jaw in (0.0, 0.25, 0.5, 0.75, 1.0)]))
    inside = [cavity_pixels(face) for face in faces]
    assert inside[0] == 0
    assert inside == sorted(inside)
    assert inside[-1] > 0.01 * side * side


def test_closed_wins_over_an_open_jaw(session: onnxruntime.InferenceSession) -> None:
    opened, shut = shown(session, 256, ask(256, [{JAW: 0.8}, {JAW: 0.8, CLOSE: 1.0}]))
    assert cavity_pixels(opened) > 300
    assert cavity_pixels(shut) == 0


def test_lips_shut_over_teeth_meet_in_a_soft_warm_line(session: onnxruntime.InferenceSession) -> None:
    side = 384
    skin = np.broadcast_to(SKIN.astype(np.uint8), (side, side, 3)).copy()

    def shut(opening: float) -> Picture:
        inputs = ask(side, [{CLOSE: 1.0}], opening, cavity=BROWN)
        return np.asarray(shown(session, side, inputs, skin)[0] / untouched(skin))

    seam = int(0.55 / 1.5 * side)
    line = shut(0.10)[seam - 20 : seam + 20, side // 2]
    assert 0.5 < line[:, 0].min() < 0.8
    darkest = line[line[:, 0].argmin()]
    assert darkest[1] < darkest[0] - 0.05
    assert 3 <= (line[:, 0] < 0.9).sum() <= 10, "about 0.02 face units, 5 pixels"
    assert line[[0, -1]].min() > 0.95, "the rest of the lips keeps its colour"
    faint = shut(0.03)[seam - 20 : seam + 20, side // 2, 0].min()
    assert line[:, 0].min() + 0.05 < faint < 0.97, "lips that hardly part show most of their own line"
    assert shut(0.0).min() > 0.985, "shut lips show all of it"


def test_dark_corners_of_an_open_mouth_do_not_stay_when_it_shuts(session: onnxruntime.InferenceSession) -> None:
    side, opening = 384, 0.10
    x, y = face_units(side)
    inside = (np.abs(x) < 0.265) & (np.abs(y) < opening / 2 * np.clip(1 - (x / 0.26) ** 2, 0, 1) + 0.006)
    picture = (np.where(inside[..., None], 0.1, 1.0) * SKIN).astype(np.uint8)
    inputs = ask(side, [{CLOSE: 1.0}, {ROUND: 0.8}], opening, cavity=BROWN)
    assert (shown(session, side, inputs, picture)[..., 0] / SKIN[0]).min() > 0.5


def test_teeth_behind_a_slit_lie_in_the_shadow_of_the_lips(session: onnxruntime.InferenceSession) -> None:
    rows = [{JAW: jaw} for jaw in (0.05, 0.1, 0.15, 0.2, 0.6)]
    faces = shown(session, 512, ask(512, rows, teeth=255), np.zeros((512, 512, 3), np.uint8))
    column = faces[:, :, 256, 0]
    brightest = column.max(axis=1)
    assert (np.diff(brightest) > 20).all()
    assert brightest[1] < 0.4 * brightest[-1]
    wide_open = column[-1]
    first = int(np.argmax(wide_open > 60))
    assert wide_open[first + 3] < 0.85 * brightest[-1], "darkest under the upper lip"


@pytest.mark.parametrize("eyes", [52, 70])
def test_a_slit_in_a_small_face_is_no_veil_over_its_lips(session: onnxruntime.InferenceSession, eyes: int) -> None:
    side, apart = round(1.5 * eyes), 2 / eyes
    inside = fields(session, ["inside"], ask(side, [{JAW: apart / 0.215}], teeth=255))[0][0].astype(float)
    middle = inside[:, inside.shape[1] // 2]
    slit = middle[middle[:, 3].argmax()]
    assert slit[3] > 0.7 * 255, "two pixels hide what is behind them"
    assert slit[:3].max() < 0.55 * 255, "and so little light gets in that white teeth are dark"


def test_opening_changes_the_mouth_in_small_steps(session: onnxruntime.InferenceSession) -> None:
    faces = shown(session, 256, ask(256, [{JAW: jaw / 100} for jaw in range(0, 40, 2)], opening=0.10))
    mouths = faces[:, 70:130, 90:166].mean(axis=(1, 2, 3))
    assert np.abs(np.diff(mouths)).max() < 4


def test_parted_resting_mouth_can_be_shut(session: onnxruntime.InferenceSession) -> None:
    face = shown(session, 256, ask(256, [{CLOSE: 1.0}], opening=0.05, cavity=BROWN))[0]
    seam = 94  # 0.55 of 1.5 units down
    assert np.abs(face - untouched(drawn_picture(256)))[seam - 4 : seam + 4, 128].max() > 30, "it is painted over"


@pytest.mark.parametrize("side", SIDES)
def test_eyes_and_edges_are_never_touched(session: onnxruntime.InferenceSession, side: int) -> None:
    everything = dict.fromkeys(range(8), 1.0) | {CLOSE: 0.0}
    face = shown(session, side, ask(side, [everything]))[0]
    changed = (face != untouched(drawn_picture(side))).any(axis=-1)
    assert not changed[: side // 12].any()
    assert not changed[:, : side // 100].any()
    assert not changed[:, -side // 100 :].any()
    assert changed.any()


def test_wide_and_round_pull_the_corners_apart_and_together(session: onnxruntime.InferenceSession) -> None:
    def width(face: Picture) -> int:
        columns = np.nonzero((face[..., 1] > 1.7 * face[..., 0] + 10).any(axis=0))[0]
        return int(columns[-1] - columns[0])

    plain, wide, narrow = shown(session, 512, ask(512, [{JAW: 0.6}, {JAW: 0.6, WIDE: 1.0}, {JAW: 0.6, ROUND: 1.0}]))
    assert width(narrow) < width(plain) < width(wide)


@pytest.mark.parametrize("side", SIDES)
def test_rows_of_a_batch_do_not_touch_each_other(session: onnxruntime.InferenceSession, side: int) -> None:
    rows = [{JAW: 0.7}, {ROUND: 0.9, JAW: 0.2}, {CLOSE: 1.0}]
    together = fields(session, FIELDS, ask(side, rows))
    for row, asked in enumerate(rows):
        alone = fields(session, FIELDS, ask(side, [asked]))
        for many, one in zip(together[:2], alone[:2], strict=True):
            assert np.abs(many[row].astype(np.float64) - one[0]).max() <= 1e-4
        many, one = together[2][row].astype(np.float64), alone[2][0].astype(np.float64)
        assert np.abs(many[..., 3] - one[..., 3]).max() <= 1
        assert np.abs((many - one)[..., :3] * one[..., 3:] / 255).max() <= 1, "where nobody sees it, any colour will do"


def test_lip_edges_are_never_finer_than_the_pixels_of_the_frame(session: onnxruntime.InferenceSession) -> None:
    small, large = (fields(session, ["inside"], ask(side, [{JAW: 0.8}]))[0][0, ..., 3] for side in (60, 900))
    for alpha, steepest in ((small, 150), (large, 45)):
        assert alpha.max() > 230
        assert np.abs(np.diff(alpha.astype(int), axis=0)).max() < steepest


@pytest.mark.parametrize("opening", [0.0, 0.12])
def test_without_weight_the_footages_own_mouth_stays_bit_by_bit(
    session: onnxruntime.InferenceSession, opening: float
) -> None:
    face = shown(session, 256, ask(256, [{JAW: 0.7}], opening, weight=0.0))[0]
    np.testing.assert_array_equal(face, untouched(drawn_picture(256)))


def test_the_mouth_goes_over_into_the_footages_own_as_the_weight_falls(session: onnxruntime.InferenceSession) -> None:
    weights = (1.0, 0.8, 0.6, 0.4, 0.2, 0.05)
    faces = [shown(session, 256, ask(256, [{JAW: 0.9}], weight=weight))[0] for weight in weights]
    inside = [cavity_pixels(face) for face in faces]
    assert inside == sorted(inside, reverse=True)
    assert 0.4 * inside[0] < inside[2] < 0.8 * inside[0], "narrower, not paler"
    assert inside[-1] == 0


def test_the_jaw_takes_the_chin_the_cheeks_and_some_of_the_neck_with_it(session: onnxruntime.InferenceSession) -> None:
    x, y, displacement = around(session, {JAW: 1.0})

    def moves(at_x: float, at_y: float) -> NDArray[np.float64]:
        return np.asarray(-displacement.reshape(-1, 2)[np.hypot(x - at_x, y - at_y).argmin()])

    chin, side, ear, neck, cheek = (moves(*at) for at in ((0, 0.5), (0.4, 0.4), (0.65, 0.3), (0, 0.75), (0.42, 0.1)))
    assert chin[1] > 0.1
    assert 0.3 * chin[1] < side[1] < 0.7 * chin[1]
    assert abs(ear[1]) < 0.01
    assert 0.2 * chin[1] < neck[1] < 0.7 * chin[1]
    assert cheek[1] > 0.01
    assert cheek[0] < -0.01, "it comes in"


@pytest.mark.parametrize("asked", [{JAW: 1.0}, {ROUND: 1.0, JAW: 0.2}, {WIDE: 1.0, JAW: 0.2}], ids=str)
def test_skin_is_neither_folded_nor_drawn_out(session: onnxruntime.InferenceSession, asked: dict[int, float]) -> None:
    x, y, displacement = around(session, asked)
    across = np.diff(x + displacement[..., 0], axis=1) / np.diff(x, axis=1)
    down = np.diff(y + displacement[..., 1], axis=0) / np.diff(y, axis=0)
    beside_the_lips = ((np.abs(x) > 0.34) | (y < -0.1) | (y > 0.27))[1:]
    for stretch in (across, down[beside_the_lips]):
        assert 0.65 < stretch.min() < stretch.max() < 1.65

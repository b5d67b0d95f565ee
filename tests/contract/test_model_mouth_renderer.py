"""mouth_renderer, seen on a picture: still when nothing is asked, opens with the jaw, shuts parted lips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from export.drawn_face import drawn_landmarks, drawn_picture
from services.media import Frame, Matrix, Range, rgb_to_yuv
from services.render.edits.reposing import Repose
from services.render.families.default.animator import grids
from services.render.families.default.smile import come_in

ROOT = Path(__file__).parents[2]
SIDES = (96, 256, 768)
JAW, CLOSE, WIDE, ROUND = 0, 1, 2, 3
FIELDS = ["around", "lips", "inside"]
CAVITY = (0.05, 0.9, 0.05)
BROWN = (0.4, 0.15, 0.15)
SKIN = np.array([200.0, 150.0, 130.0])

Inputs = dict[str, NDArray[np.generic]]
Picture = NDArray[np.float64]


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = ROOT / "model_repository/mouth_renderer/1/model.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def ask(
    side: int,
    rows: list[dict[int, float]],
    opening: float = 0.0,
    *,
    half_width: float = 0.28,
    cavity: tuple[float, float, float] = CAVITY,
    teeth: int = 0,
    weight: float = 1.0,
) -> Inputs:
    """A mouth with or without white teeth, asked for each row's coefficients; a face unit is side / 1.5 pixels."""
    batch = len(rows)
    coefficients = np.zeros((batch, 8), np.float32)
    for row, asked in enumerate(rows):
        coefficients[row, list(asked)] = list(asked.values())
    rest = np.repeat(drawn_landmarks(opening)[None], batch, 0) * np.array([half_width / 0.28, 1], np.float32)
    atlas = np.full((128, 256, 4), teeth, np.uint8)
    area, window = grids(side / 1.5)
    places = {"area_columns": area.x, "area_rows": area.y, "window_columns": window.x, "window_rows": window.y}
    track: Inputs = {
        "landmarks": rest,
        "rest": rest,
        "coefficients": coefficients,
        "weight": np.full((batch, 1), weight, np.float32),
        "upper_teeth": atlas[None],
        "upper_shares": np.ones((batch, 1), np.float32),
        "lower_teeth": atlas,
        "tones": np.array([cavity, cavity, (1, 1, 1)], np.float32),
        **places,
    }
    return {name: array[None] for name, array in track.items()}


def fields(session: onnxruntime.InferenceSession, names: list[str], inputs: Inputs) -> list[NDArray[np.generic]]:
    """What the model makes of the one track's faces."""
    return [made[0] for made in session.run(names, inputs)]


def shown(
    session: onnxruntime.InferenceSession, side: int, inputs: Inputs, picture: NDArray[np.uint8] | None = None
) -> Picture:
    """(rows, side, side, 3) RGB: the picture, or the drawn one, of 1.5 x 1.5 face units with each row's mouth."""
    picture = drawn_picture(side) if picture is None else picture
    area, window = grids(side / 1.5)
    to_face = np.array([[1.5 / side, 0, -0.75], [0, 1.5 / side, -0.55]])
    faces = []
    for around, lips, inside in zip(*fields(session, FIELDS, inputs), strict=True):
        frame = framed(picture)
        Repose(area, window, around, lips, inside, to_face).apply(frame)
        faces.append(frame.rgb().astype(np.float64))
    return np.stack(faces)


def framed(picture: NDArray[np.uint8]) -> Frame:
    """The picture as a frame with full chroma."""
    planes = np.moveaxis(rgb_to_yuv(picture, Matrix.BT601, Range.FULL, 8), 2, 0).copy()
    return Frame(0, planes[0], planes[1], planes[2], 8, Matrix.BT601, Range.FULL)


def untouched(picture: NDArray[np.uint8]) -> Picture:
    return framed(picture).rgb().astype(np.float64)


def cavity_pixels(face: Picture) -> int:
    """Pixels of the mouth's inside: far greener than anything in the drawn picture."""
    red, green, blue = np.moveaxis(face, -1, 0)
    return int(((green > 1.7 * red + 10) & (green > 1.7 * blue + 10)).sum())


def face_units(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x (1, side) and y (side, 1) of the pixels' centres."""
    places = (np.arange(side) + 0.5) / side * 1.5
    return places[None] - 0.75, places[:, None] - 0.55


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


def corner_shift(
    session: onnxruntime.InferenceSession, half_width: float, opening: float, asked: dict[int, float]
) -> float:
    """Face units by which a mark on the cheek at the right corner of the resting mouth moves outwards."""
    side = 512
    x, y = face_units(side)
    mark = np.exp(-(((x - half_width) / 0.02) ** 2 + ((y - 0.02) / 0.02) ** 2))
    picture = np.repeat((40 + 200 * mark)[:, :, None], 3, 2).astype(np.uint8)
    face = shown(session, side, ask(side, [asked], opening, half_width=half_width, cavity=(0, 0, 0)), picture)[0]
    brightness = np.clip(face[..., 0] - 60, 0, None) * (x > 0.15) * (np.abs(y) < 0.12)
    return float((brightness * x).sum() / brightness.sum() - half_width)


def test_corners_of_a_smile_come_in_a_little_when_it_shuts(session: onnxruntime.InferenceSession) -> None:
    shut, ajar, opened = (corner_shift(session, 0.36, 0.10, asked) for asked in ({CLOSE: 1.0}, {JAW: 0.15}, {JAW: 0.5}))
    assert -0.025 < shut < -0.01
    assert abs(shut - ajar) < 0.01, "they do not twitch with every syllable"
    assert shut - 0.03 < opened < shut, "a jaw draws them in"


@pytest.mark.parametrize(("half_width", "jaw"), [(0.33, 0.0), (0.36, 0.0), (0.36, 0.15), (0.36, 0.3), (0.28, 0.0)])
def test_folds_are_softened_as_far_as_the_corners_of_a_smile_come_in(
    session: onnxruntime.InferenceSession, half_width: float, jaw: float
) -> None:
    inputs = ask(512, [{JAW: jaw}], 0.06, half_width=half_width)
    (around,) = fields(session, ["around"], inputs)
    row = int(np.argmin(np.abs(grids(512 / 1.5)[0].y)))
    # The jaw draws the corners in as well, and the cheeks come in or go out.
    drawn_in = np.asarray(around, np.float64)[0, row, :, 0].max() - 0.14 * jaw * half_width
    assert come_in(inputs["rest"][0, 0].astype(np.float64), 0.215 * jaw) == pytest.approx(drawn_in, abs=0.005)


def test_corners_of_other_mouths_stay_when_they_shut(session: onnxruntime.InferenceSession) -> None:
    assert corner_shift(session, 0.28, 0.10, {CLOSE: 1.0}) == pytest.approx(0, abs=0.008)
    assert corner_shift(session, 0.36, 0.0, {CLOSE: 1.0}) == pytest.approx(0, abs=0.004)


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


def around(
    session: onnxruntime.InferenceSession, asked: dict[int, float], opening: float = 0.0
) -> tuple[Picture, Picture, Picture]:
    """x and y of the area in face units, and the displacement of every point of it."""
    area, _ = grids(180.0)
    x, y = np.meshgrid(area.x.astype(float), area.y.astype(float))
    return x, y, fields(session, ["around"], ask(270, [asked], opening))[0][0].astype(np.float64)


def test_a_jaw_that_hangs_in_a_laugh_rises_as_it_shuts_and_a_smiles_stays(
    session: onnxruntime.InferenceSession,
) -> None:
    def rises(opening: float) -> tuple[float, float]:
        x, y, displacement = around(session, {CLOSE: 1.0}, opening)
        nose, chin = (displacement.reshape(-1, 2)[np.hypot(x, y - at_y).argmin(), 1] for at_y in (-0.25, 0.55))
        return float(nose), float(chin)

    assert rises(0.08) == pytest.approx((0, 0), abs=0.002)
    nose, chin = rises(0.25)
    assert nose == pytest.approx(0, abs=0.002)
    assert chin > 0.04


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

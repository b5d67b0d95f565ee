"""The mouth's inside as services prepare it and as the served renderer lays it: the same places, openings and light."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from export.drawn_face import drawn_landmarks
from services.render.edits.grid import Grid, grid_over
from services.render.families.default.interior import asked_openings
from services.render.families.default.interior_colours import redness
from services.render.families.default.interior_reference import LOWER_LIP, UPPER_LIP, Reference
from services.render.families.default.teeth import ATLAS_REACH, ATLAS_SPREAD
from services.render.families.default.teeth_seen import SHADE, UPPER_EDGE, cut_teeth, teeth_drop
from tests.mouth_model import mouth_renderer

JAW, CLOSE, WIDE, FV, TONGUE = 0, 1, 2, 6, 7
WINDOW = grid_over(-0.42, -0.18, 0.42, 0.34, 1 / 250)
AREA = grid_over(-0.6, -0.4, 0.6, 0.9, 1 / 48)
ROWS = 128
HALF_WIDTH = 0.28
CAVITY, TONGUE_TONE, LIGHT = (0.3, 0.1, 0.1), (0.6, 0.3, 0.3), (1.0, 1.0, 1.0)

Atlas = NDArray[np.uint8]
Insides = NDArray[np.float64]


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return mouth_renderer()


def track_of(
    rows: list[dict[int, float]],
    *,
    upper: Atlas | None = None,
    lower: Atlas | None = None,
    light: tuple[float, float, float] = LIGHT,
) -> dict[str, NDArray[np.generic]]:
    """What the renderer is asked of one track whose mouth is shut and does what each row says."""
    many = len(rows)
    coefficients = np.zeros((many, 8), np.float32)
    for row, asked in enumerate(rows):
        coefficients[row, list(asked)] = list(asked.values())
    none = np.zeros((ROWS, 2 * ROWS, 4), np.uint8)
    rest = np.repeat(drawn_landmarks(0.0)[None], many, 0)
    track: dict[str, NDArray[np.generic]] = {
        "landmarks": rest,
        "rest": rest,
        "coefficients": coefficients,
        "weight": np.ones((many, 1), np.float32),
        "upper_teeth": (none if upper is None else upper)[None],
        "upper_shares": np.ones((many, 1), np.float32),
        "lower_teeth": none if lower is None else lower,
        "tones": np.array([CAVITY, TONGUE_TONE, light], np.float32),
        "area_columns": AREA.x,
        "area_rows": AREA.y,
        "window_columns": WINDOW.x,
        "window_rows": WINDOW.y,
    }
    return {name: array[None] for name, array in track.items()}


def insides(session: onnxruntime.InferenceSession, rows: list[dict[int, float]], **given: Any) -> Insides:
    """(rows, h, w, 4) of the window: what the renderer shows between the lips of track_of's mouths, RGBA 0..255."""
    return np.asarray(session.run(["inside"], track_of(rows, **given))[0][0], np.float64)


def plain(value: int) -> Atlas:
    return np.full((ROWS, 2 * ROWS, 4), (value, value, value, 255), np.uint8)


def stripe(y: float) -> Atlas:
    """Nothing but a white row, `y` face units below the seam."""
    atlas = np.zeros((ROWS, 2 * ROWS, 4), np.uint8)
    row = round((y / ATLAS_REACH + 1) * ROWS / 2 - 0.5)
    atlas[row - 1 : row + 2] = 255
    return atlas


def column(grid: Grid = WINDOW, x: float = 0.0) -> int:
    return int(np.argmin(np.abs(grid.x - x)))


def opening(inside: NDArray[np.float64]) -> float:
    """Face units between the lips in the middle."""
    return float((inside[:, column(), 3] / 255).sum() * WINDOW.step)


def test_openings_are_those_that_the_renderer_gives(session: onnxruntime.InferenceSession) -> None:
    rows = [{JAW: 0.3}, {JAW: 0.6}, {JAW: 1.0}, {JAW: 0.8, CLOSE: 0.5}, {JAW: 1.0, FV: 0.5}]
    coefficients = np.zeros((len(rows), 8), np.float32)
    for row, asked in enumerate(rows):
        coefficients[row, list(asked)] = list(asked.values())
    seen = [opening(inside) for inside in insides(session, rows)]
    np.testing.assert_allclose(seen, asked_openings(coefficients), atol=0.014)


def test_the_upper_atlas_stays_and_the_lower_one_drops(session: onnxruntime.InferenceSession) -> None:
    rows = [{JAW: 0.6}, {JAW: 1.0}]
    seam = 0.0
    upper = insides(session, rows, upper=stripe(0.02))
    lower = insides(session, rows, lower=stripe(0.0))
    drops = [0.86 * 0.215 * asked[JAW] for asked in rows]
    for shown, places in ((upper, (0.02, 0.02)), (lower, [teeth_drop(drop) for drop in drops])):
        for inside, place in zip(shown, places, strict=True):
            line = inside[:, column(), 2]
            assert WINDOW.y[int(line.argmax())] == pytest.approx(seam + place, abs=0.006)


def test_atlases_are_as_wide_as_the_renderer_takes_them(session: onnxruntime.InferenceSession) -> None:
    atlas = np.zeros((ROWS, 2 * ROWS, 4), np.uint8)
    at = 0.15
    place = round((at / (ATLAS_SPREAD * HALF_WIDTH) + 1) * ROWS - 0.5)
    atlas[:, place - 1 : place + 2] = 255
    inside = insides(session, [{JAW: 1.0}], upper=atlas)[0]
    line = inside[int(np.argmin(np.abs(WINDOW.y - 0.05))), :, 2]
    assert WINDOW.x[int(line.argmax())] == pytest.approx(at, abs=0.008)


def test_a_slit_is_dark_and_warm_and_never_grey(session: onnxruntime.InferenceSession) -> None:
    for inside in insides(session, [{JAW: jaw} for jaw in (0.1, 0.15, 0.2)], upper=plain(230)):
        middle = inside[int(np.argmax(inside[:, column(), 3])), column()]
        red, green, blue = middle[:3]
        assert red < 0.75 * 230
        assert red > 1.15 * green >= 1.15 * blue - 2


def test_black_and_white_footage_keeps_a_grey_mouth(session: onnxruntime.InferenceSession) -> None:
    inside = insides(session, [{JAW: 0.2}], upper=plain(230), light=(1.0, 1.0, 0.0))[0]
    seen = inside[inside[..., 3] > 128][:, :3]
    assert np.ptp(seen, axis=1).max() <= 30
    assert np.median(np.ptp(seen, axis=1)) <= 2


def test_what_lies_deeper_and_nearer_to_the_corners_is_darker(session: onnxruntime.InferenceSession) -> None:
    teeth = insides(session, [{JAW: 0.8}], upper=plain(200))[0]
    throat = insides(session, [{JAW: 0.8}])[0]
    row = int(np.argmin(np.abs(WINDOW.y - 0.03)))
    assert throat[row, column(), 0] < 0.4 * teeth[row, column(), 0]
    assert teeth[row, column(x=0.20), 0] < 0.8 * teeth[row, column(), 0]
    under_lip = int(np.argmax(teeth[:, column(), 3] > 200))
    assert teeth[under_lip, column(), 0] < 0.75 * teeth[row, column(), 0]


def test_the_tongue_rises_to_the_teeth_and_lies_on_the_lower_ones(session: onnxruntime.InferenceSession) -> None:
    rows = [{JAW: 0.5}, {JAW: 0.5, TONGUE: 1.0}]
    low, raised = insides(session, rows)
    row = int(np.argmin(np.abs(WINDOW.y - 0.03)))
    assert raised[row, column(), 0] > 1.7 * low[row, column(), 0]
    red, green, blue = raised[row, column(), :3]
    assert red > 1.5 * max(green, blue)
    teeth, behind = insides(session, rows, lower=plain(200))
    row = int(np.argmin(np.abs(WINDOW.y - 0.06)))
    assert teeth[row, column(), 2] > 1.3 * behind[row, column(), 2]


def test_spread_lips_show_more_of_the_lower_teeth(session: onnxruntime.InferenceSession) -> None:
    shown = insides(session, [{JAW: 0.5}, {JAW: 0.5, WIDE: 1.0}], lower=stripe(0.0))
    plain_row, wide_row = (float(WINDOW.y[int(inside[:, column(), 2].argmax())]) for inside in shown)
    assert 0.015 < plain_row - wide_row < 0.05


def test_lower_teeth_lie_in_the_shadow_of_the_upper_ones(session: onnxruntime.InferenceSession) -> None:
    lower = insides(session, [{JAW: 0.6}], lower=plain(200))[0]
    upper = insides(session, [{JAW: 0.6}], upper=plain(200))[0]
    under_edge, farther = (int(np.argmin(np.abs(WINDOW.y - y))) for y in (UPPER_EDGE + 0.004, UPPER_EDGE + 0.05))
    assert lower[under_edge, column(), 0] < 0.7 * upper[under_edge, column(), 0]
    assert lower[farther, column(), 0] > 0.9 * upper[farther, column(), 0]


def test_seen_teeth_look_as_they_did_in_the_same_light(session: onnxruntime.InferenceSession) -> None:
    jaw, colour = 0.6, np.array([0.80, 0.74, 0.66], np.float32)
    points = drawn_landmarks(0.0).astype(np.float64)
    arch = 1 - np.linspace(-1, 1, 11) ** 2
    points[UPPER_LIP, 1] -= 0.15 * 0.215 * jaw * arch
    points[LOWER_LIP, 1] += 0.86 * 0.215 * jaw * arch
    # Flat skin, flat teeth: whatever is not flat in the end comes from two lights that do not agree.
    image = np.broadcast_to(colour, (200, 200, 3)).copy()
    image[:60] = (0.85, 0.62, 0.52)
    flat = Reference(image, points, drawn_landmarks(0.0).astype(np.float64), np.array([-0.5, -0.5]), 200.0)
    seen = cut_teeth(flat, ROWS)
    atlas = np.rint(seen.upper * 255).astype(np.uint8)
    atlas[..., 3] = 255
    inside = insides(session, [{JAW: jaw}], upper=atlas, light=(SHADE, seen.brightness, redness(flat)))[0]
    rows = (WINDOW.y > 0.01) & (WINDOW.y < 0.09)
    np.testing.assert_allclose(inside[rows, column(), :3], np.broadcast_to(colour * 255, (rows.sum(), 3)), atol=9)


def test_the_inside_changes_in_small_steps(session: onnxruntime.InferenceSession) -> None:
    shown = insides(session, [{JAW: jaw / 100} for jaw in range(0, 100, 2)], upper=plain(220), lower=stripe(0.03))
    weighted = shown[..., :3] * shown[..., 3:] / 255
    steps = np.abs(np.diff(weighted[:, :, column() - 20 : column() + 20].mean(axis=(1, 2, 3))))
    assert steps.max() < 4


def test_openings_that_fade_into_each_other_show_the_teeth_of_both(session: onnxruntime.InferenceSession) -> None:
    track = track_of([{JAW: 0.8}] * 3)
    track["upper_teeth"] = np.stack([plain(40), plain(200)])[None]
    track["upper_shares"] = np.array([[(1, 0), (0.5, 0.5), (0, 1)]], np.float32)
    first, between, last = session.run(["inside"], track)[0][0, ..., :3].astype(float)
    assert np.abs(first - last).max() > 50
    assert np.abs(between - (first + last) / 2).max() <= 1


def test_tracks_of_one_request_keep_their_own_teeth(session: onnxruntime.InferenceSession) -> None:
    alone = [track_of([{JAW: 0.5}, {JAW: 0.9}], upper=plain(level), lower=plain(level)) for level in (60, 220)]
    together = session.run(["inside"], {name: np.concatenate([one[name] for one in alone]) for name in alone[0]})[0]
    for mixed, own in zip(together, alone, strict=True):
        np.testing.assert_array_equal(mixed, session.run(["inside"], own)[0][0])


def test_teeth_are_painted_as_far_as_any_face_shows_them(session: onnxruntime.InferenceSession) -> None:
    wide = insides(session, [{JAW: 1.0}], upper=plain(200), lower=plain(200))[0]
    beside = insides(session, [{CLOSE: 1.0}, {JAW: 1.0}, {}], upper=plain(200), lower=plain(200))
    np.testing.assert_array_equal(beside[1][wide[..., 3] > 0], wide[wide[..., 3] > 0])
    seen = np.flatnonzero(wide[:, column(), 3] > 0)
    assert (wide[seen, column(), 0] > 0).all()
    assert not beside[[0, 2], ..., 3].any()

"""mouth_renderer on faces that smile and laugh: how they shut, and what stays."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from services.render.families.default.animator import grids
from services.render.families.default.smile import come_in
from tests.mouth_model import CLOSE, JAW, around, ask, corner_shift, fields, mouth_renderer


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return mouth_renderer()


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

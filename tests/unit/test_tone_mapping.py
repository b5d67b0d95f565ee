"""The way from HDR and wide gamut to BT.709: what ordinary screens can show stays, what shines is rolled off."""

from __future__ import annotations

import numpy as np
import pytest

from services.media.colour import BT2020, DISPLAY_P3, HLG, PQ, ColourTags
from services.media.tone_mapping import HdrMetadata, mapped, mapping_table, needs_mapping
from tests.hdr_signals import hlg_of, pq_of, to_bt2020

WHITE = 203.0


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_what_lies_below_the_knee_comes_back_as_it_was(transfer: int) -> None:
    signal = np.random.default_rng(1).uniform(0.05, 0.65, (500, 3))  # up to 72 cd/m2 of 203
    light = to_bt2020(signal**2.4 * WHITE)
    back = mapped(hlg_of(light) if transfer == HLG else pq_of(light), transfer, BT2020)
    assert np.abs(back - signal).max() < 0.005


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_greys_stay_grey_and_in_order_up_to_the_peak(transfer: int) -> None:
    light = np.repeat(np.linspace(0, 1000, 400)[:, None], 3, axis=1)
    back = mapped(hlg_of(light) if transfer == HLG else pq_of(light), transfer, BT2020)
    assert np.ptp(back, axis=1).max() < 0.002
    assert np.diff(back[:, 0]).min() > 0
    assert back[0, 0] == pytest.approx(0, abs=0.001)
    assert back[-1, 0] == pytest.approx(1, abs=0.002)
    white = mapped(hlg_of(np.full((1, 3), WHITE)), HLG, BT2020)[0, 0]
    assert 0.85 < white < 0.95, "a white that does not shine leaves room for what does"


def test_a_brighter_master_is_rolled_off_further() -> None:
    signal = pq_of(np.full((1, 3), 600.0))
    values = [mapped(signal, PQ, BT2020, peak)[0, 0] for peak in (600, 1000, 4000)]
    assert values[0] > values[1] > values[2]


def test_colours_beyond_bt709_keep_their_hue() -> None:
    red = mapped(np.array([[0.9, 0.1, 0.1]]), 1, DISPLAY_P3)[0]
    assert red.min() >= 0
    assert red.max() <= 1
    assert red[0] > 0.85
    assert red[1:].max() < 0.2
    neutral = mapped(np.full((1, 3), 0.5), 1, DISPLAY_P3)[0]
    assert np.abs(neutral - 0.5).max() < 0.001


def test_the_table_is_the_curve_at_its_nodes() -> None:
    table = mapping_table(HLG, BT2020, 1000.0)
    assert table.shape == (33, 33, 33, 3)
    assert table[3, 7, 20] == pytest.approx(mapped(np.array([20, 7, 3]) / 32, HLG, BT2020))


def test_only_what_needs_it_is_mapped() -> None:
    assert not any(needs_mapping(ColourTags(m, 1, p, t)) for m, p, t in ((1, 1, 1), (6, 6, 6), (2, 2, 2), (5, 5, 13)))
    assert all(needs_mapping(ColourTags(9, 1, p, t)) for p, t in ((9, 18), (9, 16), (9, 14), (12, 1), (1, 18)))


def test_the_peak_is_the_brightest_that_the_file_says() -> None:
    screen = (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450, 40000000, 50)
    assert HdrMetadata().peak == 1000
    assert HdrMetadata(display=screen).peak == 4000
    assert HdrMetadata(display=screen, brightest=650).peak == 650

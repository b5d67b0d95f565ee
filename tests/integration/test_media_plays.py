"""Compatible outputs of sources of every kind play to their end in Chromium and in Firefox, in the right colours."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from services.media import Extend, open_clip, read_frames
from tests.delivered import ODD_SOURCES, SOURCES, clip_of, written
from tests.firefox import open_firefox
from tests.media_samples import Tone, make_sound
from tests.page_browser import open_browser
from tests.playing import Ask, levels, play

_SHOWN = {"anamorphic": (200, 120), "interlaced": (160, 576)}
_NEAR = 3.0
"""Mean levels of 255 from pixel to pixel: ways to bring chroma to full size differ by one or two"""
_SAME = 0.8
"""Of red and green over the whole picture: another matrix makes 1 to 2, other bits of the same encoder .64.

Of blue browsers take 2 for BT.709's 2.11.
"""


@pytest.fixture(scope="module", params=["Chromium", "Firefox"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """What asks a browser's empty page; the browser stays for the module's tests."""
    if request.param == "Firefox":
        with open_firefox() as firefox:
            yield firefox.call
            assert firefox.troubles == []
        return
    with open_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(30_000)
        yield lambda function, *given: page.evaluate(f"(given) => ({function})(...given)", list(given))


@pytest.mark.parametrize("source", [*SOURCES, *ODD_SOURCES])
def test_compatible_outputs_play_to_their_end(tmp_path: Path, ask: Ask, source: str) -> None:
    clip = clip_of(tmp_path, source)
    output = written(tmp_path / "b.mp4", clip, "compatible", count := round(clip.frame_rate / 2))
    played = play(ask, output, Fraction(2 * (count // 2) + 1, 2) / clip.frame_rate)

    assert played.events == ["canplay", "ended", "seeked"]
    assert played.duration == pytest.approx(count / clip.frame_rate, abs=0.002)
    assert any(0 < earlier < later for earlier, later in pairwise(played.times))
    assert played.picture.shape[1::-1] == _SHOWN.get(source, (160, 120))
    decoded = list(read_frames(open_clip(output, name="b"), count, Extend.CUT))[count // 2].rgb()
    if decoded.shape == played.picture.shape:
        assert np.abs(played.picture.astype(int) - decoded).mean() < _NEAR
    red, green, _ = np.abs(played.picture.mean(axis=(0, 1)) - decoded.mean(axis=(0, 1)))
    assert max(red, green) < _SAME


@pytest.mark.parametrize("tone", [Tone(layout="mono", rate=44100), Tone(), Tone(layout="5.1"), Tone(rate=22050)])
def test_their_sound_is_heard(tmp_path: Path, ask: Ask, tone: Tone) -> None:
    clip = clip_of(tmp_path, "plain")
    output = written(tmp_path / "b.mp4", clip, "compatible", 25, make_sound(tmp_path / "a.m4a", tone))
    seconds, heard = levels(ask, output)
    assert seconds == pytest.approx(1, abs=0.05)
    assert len(heard) == (1 if tone.layout == "mono" else 2)
    assert heard == pytest.approx([heard[0]] * len(heard), abs=0.01)
    assert 0.15 < heard[0] < 0.6  # six channels of the same tone are louder when they are mixed

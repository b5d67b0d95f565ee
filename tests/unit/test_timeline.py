"""Which source frame is shown when."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.timeline import Extend, frame_count, source_index


@pytest.mark.parametrize(
    ("extend", "expected"),
    [
        (Extend.PINGPONG, [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]),
        (Extend.LOOP, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]),
        (Extend.FREEZE, [0, 1, 2, 3, 3, 3, 3, 3, 3, 3]),
    ],
)
def test_a_short_video_is_extended(extend: Extend, expected: list[int]) -> None:
    assert [source_index(i, 4, extend) for i in range(10)] == expected


@pytest.mark.parametrize("extend", list(Extend))
def test_a_still_is_always_its_one_frame(extend: Extend) -> None:
    assert {source_index(i, 1, extend) for i in range(5)} == {0}


def test_two_frames_alternate_in_pingpong() -> None:
    assert [source_index(i, 2, Extend.PINGPONG) for i in range(5)] == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("seconds", "rate", "frames"),
    [
        (Fraction(1), Fraction(25), 25),
        (Fraction(1, 5), Fraction(30000, 1001), 6),
        (Fraction(1001, 100), Fraction(30000, 1001), 300),
        (Fraction(0), Fraction(25), 1),
    ],
)
def test_the_picture_covers_the_sound_and_no_frame_more(seconds: Fraction, rate: Fraction, frames: int) -> None:
    assert frame_count(seconds, rate) == frames
    assert frames == 1 or (frames - 1) / rate < seconds <= frames / rate

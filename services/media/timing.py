"""When each picture of a video is shown, and the constant rate that the output gets from it. Demuxing, no decoding."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from services.accepted_files import MAX_FRAME_RATE

Times = NDArray[np.int64]
STILL_RATE: Final = Fraction(25)
_STANDARD_RATES: Final = tuple(
    Fraction(*pair)
    for pair in (
        (10, 1), (12, 1), (15, 1), (20, 1), (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1),
        (60000, 1001), (60, 1), (100, 1), (120000, 1001), (120, 1)
    )
)  # fmt: skip
_SLOW: Final = 20
"""Pictures a second below which lips cannot follow speech"""
_ENOUGH: Final = 25
_MEASURED_WITHIN: Final = Fraction(1, 200)
_LONGEST: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Timing:
    """The constant frame rate of a clip, and which stored picture each of its frames shows."""

    frame_rate: Fraction
    times: Times
    """(frames,) time stamp of the picture that each frame shows: the newest at its time"""
    keyframes: Times
    """Time stamps, ascending, at which decoding can start"""
    counted: bool = False
    """The file has no usable time stamps: `times` are counts of pictures, and decoding starts at the first only"""


def still_timing() -> Timing:
    """That of a photo: one frame."""
    return Timing(STILL_RATE, np.zeros(1, np.int64), np.zeros(0, np.int64), counted=True)


def timing_of_milliseconds(times: list[int], last_duration: int) -> Timing:
    """That of pictures shown from `times` on, the last one for `last_duration`; decoding starts at the first only."""
    stamps = _Stamps(np.array(times, np.int64), np.zeros(0, np.int64), len(times), last_duration)
    return _quick_enough(_timing_of(stamps, Fraction(1, 1000), []))


def middle_keyframe(timing: Timing) -> int | None:
    """The time stamp of a keyframe in the middle; None when decoding can start at the first picture only."""
    return int(timing.keyframes[len(timing.keyframes) // 2]) if len(timing.keyframes) else None


def doubled(timing: Timing) -> Timing:
    """Twice the rate: the pictures with stamp t are followed by others, and have the stamps 2 t and 2 t + 1."""
    # Sorted, so that a picture that is shown for several frames gives its first half to them before its second.
    times = np.sort(np.concatenate([2 * timing.times, 2 * timing.times + 1]))
    return Timing(2 * timing.frame_rate, times, timing.keyframes, timing.counted)


@dataclass(frozen=True, slots=True)
class _Stamps:
    times: Times
    keyframes: Times
    packets: int
    last_duration: int


class PacketNotes:
    """What the packets of a stream say of its times, noted as they are read."""

    def __init__(self) -> None:
        self._times = array("q")
        self._keyframes = array("q")
        self._without_time = 0
        self._latest: tuple[float, int] = (-math.inf, 0)
        """The largest time stamp and the duration of its packet"""

    def noted(self, packets: Iterable[Packet[Any]]) -> Iterator[Packet[Any]]:
        """The packets, each noted before it is given."""
        for packet in packets:
            if not packet.is_discard:  # before the start of an edit list: decoded, never shown
                self._note(packet)
            yield packet

    def stamps(self, first: int | None) -> _Stamps:
        """Of the pictures from time stamp `first` on."""
        times, keyframes = np.array(self._times, np.int64), np.array(self._keyframes, np.int64)
        if first is not None:
            times, keyframes = times[times >= first], keyframes[keyframes >= first]
        packets, last_duration = self._without_time + len(times), self._latest[1] if len(times) else 0
        return _Stamps(np.unique(times), np.unique(keyframes), packets, last_duration)

    def _note(self, packet: Packet[Any]) -> None:
        if packet.pts is None:
            self._without_time += 1
            return
        self._times.append(packet.pts)
        if packet.is_keyframe:
            self._keyframes.append(packet.pts)
        if packet.pts > self._latest[0]:
            self._latest = packet.pts, packet.duration or 0


def noted_timing(notes: PacketNotes, stream: VideoStream, *, first: int | None) -> Timing:
    """That of a stream all of whose packets were noted, from the time stamp of the `first` picture that can be decoded.

    A video with a constant rate keeps its pictures one by one; any other is put on a constant rate. Below 20 pictures a
    second each is repeated, up to 25 or the next multiple. `first` is None when the time stamps are known to be wrong.
    """
    assert stream.time_base is not None
    time_base = stream.time_base
    hints = [tidy(rate) for rate in (stream.base_rate, stream.guessed_rate, stream.average_rate) if rate]
    stamps = notes.stamps(first)
    if first is None or len(stamps.times) < 0.4 * stamps.packets:
        rate = next((hint for hint in hints if hint <= MAX_FRAME_RATE), STILL_RATE)
        return _quick_enough(Timing(rate, np.arange(stamps.packets), np.zeros(0, np.int64), counted=True))
    return _quick_enough(_timing_of(stamps, time_base, hints))


def _quick_enough(timing: Timing) -> Timing:
    """A slow clip with each picture repeated, so that every frame can have a mouth of its own."""
    if timing.frame_rate >= _SLOW:
        return timing
    times = math.ceil(_ENOUGH / timing.frame_rate)
    return Timing(timing.frame_rate * times, np.repeat(timing.times, times), timing.keyframes, timing.counted)


def _timing_of(stamps: _Stamps, time_base: Fraction, hints: list[Fraction]) -> Timing:
    if len(stamps.times) < 2:
        return Timing(STILL_RATE, stamps.times, stamps.keyframes)
    hints = [*hints, *_measured(stamps.times, time_base)]
    constant = next((rate for rate in hints if _is_constant(stamps.times, time_base, rate)), None)
    if constant is not None and constant <= MAX_FRAME_RATE:
        return Timing(constant, stamps.times, stamps.keyframes)
    rate = (
        constant / math.ceil(constant / MAX_FRAME_RATE) if constant else _nominal_rate(stamps.times, time_base, hints)
    )
    return Timing(rate, _put_on_grid(stamps, time_base * rate), stamps.keyframes)


def tidy(rate: Fraction) -> Fraction:
    """The rate itself when it is a plain fraction, or the plain one that was meant by a measured average."""
    if rate.denominator <= 1001:
        return rate
    nearest = _nearest_standard(rate)
    return nearest if abs(nearest / rate - 1) < _MEASURED_WITHIN else rate.limit_denominator(100)


def _is_constant(times: Times, time_base: Fraction, rate: Fraction) -> bool:
    """Each picture lies at its place: within half a frame for a rate that cameras have, else within rounding."""
    places = (times - times[:1]) * float(time_base * rate)
    slack = 0.5 if rate in _STANDARD_RATES else min(0.5, 1.5 * float(time_base * rate))
    return bool(np.all(np.abs(places - np.arange(len(times))) < slack))


def _measured(times: Times, time_base: Fraction) -> list[Fraction]:
    """The standard rate that the pictures have on average, if there is one."""
    average = (len(times) - 1) / (time_base * int(times[-1] - times[0]))
    nearest = _nearest_standard(average)
    return [nearest] if abs(nearest / average - 1) < _MEASURED_WITHIN else []


def _nominal_rate(times: Times, time_base: Fraction, hints: list[Fraction]) -> Fraction:
    """The file's own rate when it is believable; else the standard rate next to the usual distance of pictures."""
    usual = 1 / (time_base * max(1, int(np.median(np.diff(times)))))
    average = (len(times) - 1) / (time_base * int(times[-1] - times[0]))
    believable = (hint for hint in hints if hint in _STANDARD_RATES and 0.9 * average <= hint <= 2 * average)
    return next(believable, None) or _nearest_standard(usual)


def _put_on_grid(stamps: _Stamps, frames_a_tick: Fraction) -> Times:
    """For each frame of a constant rate the newest picture; a picture is due at the frame nearest to its time."""
    numerator, denominator = frames_a_tick.numerator, frames_a_tick.denominator
    due = ((stamps.times - stamps.times[0]) * (2 * numerator) + denominator) // (2 * denominator)
    ticks = int(stamps.times[-1] - stamps.times[0]) + (stamps.last_duration or 1 / frames_a_tick)
    # At most a day: a wrong time stamp must not fill the memory.
    frames = max(1, min(round(ticks * frames_a_tick), _LONGEST * round(MAX_FRAME_RATE)))
    shown: Times = stamps.times[np.searchsorted(due, np.arange(frames), side="right") - 1]
    return shown


def _nearest_standard(rate: Fraction) -> Fraction:
    return min(_STANDARD_RATES, key=lambda standard: abs(standard - rate))

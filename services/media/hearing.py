"""Which of a file's sounds is the speech: the track, and what of its channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from services.media.source import decode, open_source, sound_streams

_RATE: Final = 16000
_BLOCK: Final = 320
"""Samples of 20 ms"""
_SECONDS: Final = 60
"""Of each track that are listened to"""
_AUDIBLE: Final = 10 ** (-50 / 10)
"""Mean square of a block, 1 is full scale"""
_PAUSE: Final = 10 ** (-15 / 10)
_PAUSES: Final = 0.12
_CANCELS: Final = 0.1
_CENTRE_HEARD: Final = 0.01
_FULL_SCALE: Final = 0.985
_BADLY: Final = 0.005


class Mix(StrEnum):
    """How channels become one."""

    ALL = "all"
    DIFFERENCE = "difference"
    """Left less right: their sum would be silent"""
    CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class SoundChoice:
    """What is heard of a file."""

    track: int = 0
    """Among the tracks of sound, from 0"""
    tracks: int = 1
    mix: Mix = Mix.ALL
    centre: int = 0
    """The channel in the middle, when that is taken"""


@dataclass(slots=True)
class _Track:
    """What was heard of one track: mean squares, and how much of it is at full scale."""

    levels: NDArray[np.float64]
    """(blocks, channels)"""
    total: float
    difference: float
    """Of the sum and the difference of two channels"""
    clipped: float
    centre: int | None


def choose_sound(path: Path, name: str) -> SoundChoice:
    """What of a file is heard, the same in every process; INVALID_INPUT when it cannot be opened."""
    state = path.stat() if path.is_file() else None
    return _choose(path, name, state and (state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=16)
def _choose(path: Path, name: str, state: object) -> SoundChoice:
    """Listen to the first minute of each track; the first that sounds like speech is taken, else the first audible.

    Speech is told from noise and music by its pauses, since no model is at hand where files are opened.
    """
    with open_source(path, name) as container:
        channels = [stream.codec_context.channels for stream in sound_streams(container)]
    if channels in ([], [1]):
        return SoundChoice()
    tracks = [_listen(path, name, number) for number in range(len(channels))]
    order = sorted(range(len(tracks)), key=lambda number: (not _speaks(tracks[number]), not _is_heard(tracks[number])))
    chosen = order[0]
    mix, centre = _mix_of(tracks[chosen])
    return SoundChoice(chosen, len(tracks), mix, centre)


def is_clipped(path: Path, name: str, track: int) -> bool:
    """True when a good part of the first minute lies at full scale."""
    return _listen(path, name, track).clipped > _BADLY


def _mix_of(track: _Track) -> tuple[Mix, int]:
    energies = track.levels.mean(axis=0) if len(track.levels) else np.zeros(1)
    if track.centre is not None and energies[track.centre] > _CENTRE_HEARD * energies.sum():
        return Mix.CENTRE, track.centre
    if len(energies) == 2 and track.total < _CANCELS * track.difference:
        return Mix.DIFFERENCE, 0
    return Mix.ALL, 0


def _is_heard(track: _Track) -> bool:
    return bool(len(track.levels)) and float(np.percentile(_loudest(track), 95)) > _AUDIBLE


def _speaks(track: _Track) -> bool:
    if not _is_heard(track):
        return False
    levels = _loudest(track)
    return float((levels < _PAUSE * np.percentile(levels, 95)).mean()) > _PAUSES


def _loudest(track: _Track) -> NDArray[np.float64]:
    return np.asarray(track.levels.max(axis=1))


def _listen(path: Path, name: str, number: int) -> _Track:
    levels: list[NDArray[np.float64]] = []
    total, difference, clipped, samples = 0.0, 0.0, 0, 0
    centre: int | None = None
    for block, names in _blocks(path, name, number):
        whole = block[:, : block.shape[1] // _BLOCK * _BLOCK]
        if levels and whole.shape[0] != levels[0].shape[1]:
            break  # the stream changes its channels: what was heard so far must do
        levels.append((whole.reshape(len(whole), -1, _BLOCK) ** 2).mean(axis=2).T.astype(np.float64))
        loudest = np.abs(block).max(axis=0)
        clipped += int((loudest > _FULL_SCALE).sum())
        samples += block.shape[1]
        if len(block) == 2:
            total += float(((block[0] + block[1]) ** 2).sum())
            difference += float(((block[0] - block[1]) ** 2).sum())
        centre = names.index("FC") if len(names) > 2 and "FC" in names else None
    heard = np.concatenate(levels) if levels else np.zeros((0, 1))
    return _Track(heard, total, difference, clipped / max(1, samples), centre)


def _blocks(path: Path, name: str, number: int) -> Iterator[tuple[NDArray[np.float32], list[str]]]:
    """(channels, samples) at 16 kHz, up to a minute, and the channels' names."""
    with open_source(path, name) as container:
        resampler = AudioResampler(format="flt", rate=_RATE)
        heard = 0.0
        for frame in decode(container, sound_streams(container)[number]):
            assert isinstance(frame, AudioFrame)
            if heard > _SECONDS:
                return
            heard += frame.samples / frame.sample_rate
            frame.pts = None
            try:
                resampled = resampler.resample(frame)
            except (FFmpegError, ValueError):
                return
            for each in resampled:
                yield channels_of(each), [channel.name for channel in each.layout.channels]


def channels_of(frame: AudioFrame) -> NDArray[np.float32]:
    """(channels, samples) of a packed frame of floats; planes of eight channels and more crash PyAV 18."""
    packed = np.nan_to_num(frame.to_ndarray().astype(np.float32, copy=False), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.asarray(packed.reshape(-1, frame.layout.nb_channels).T)

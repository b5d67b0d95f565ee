"""The sound of a file: speech for the models, and blocks of samples for the output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.media.hearing import Mix, channels_of, choose_sound
from services.media.source import decode, open_source, sound_streams

SPEECH_RATE: Final = 16000
"""Hertz"""
_KEPT_RATES: Final = frozenset({44100, 48000})

Layout = Literal["mono", "stereo"]
Block = NDArray[np.float32]
"""(channels, samples), -1..1"""


def read_speech(path: Path, *, name: str) -> NDArray[np.float32]:
    """(samples,) mono at 16 kHz, -1..1, of the track and the channels that hold the speech (see hearing.py).

    INVALID_INPUT when the file has no sound.
    """
    # It grows in place: blocks that are joined at the end would lie in memory twice.
    samples = bytearray()
    for block in speech_blocks(path, name):
        samples += block.astype(np.float32, copy=False).tobytes()
    return np.frombuffer(samples, np.float32)


def speech_seconds(path: Path, *, name: str = "The audio file") -> Fraction:
    """Exact length of the sound, by decoding it; INVALID_INPUT when the file has no sound."""
    return sum((Fraction(frame.samples, frame.sample_rate) for frame in _decoded(path, name)), Fraction(0))


def output_format(path: Path, name: str) -> tuple[int, Layout]:
    """Sample rate and layout of the output's sound: the source's own as far as every player takes them."""
    with open_source(path, name) as container:
        stream = _chosen_stream(container, path, name)
        rate = stream.rate if stream.rate in _KEPT_RATES else 48000
        return rate, "mono" if stream.codec_context.channels == 1 else "stereo"


def speech_blocks(path: Path, name: str) -> Iterator[NDArray[np.float32]]:
    """As read_speech, block by block."""
    choice = choose_sound(path, name)
    if choice.mix is Mix.ALL:
        yield from (block[0] for block in read_sound(path, name, SPEECH_RATE, "mono"))
        return
    for block in read_sound(path, name, SPEECH_RATE, None):
        if choice.mix is Mix.CENTRE:
            yield block[min(choice.centre, len(block) - 1)]
        else:
            yield (block[0] - block[-1]) / 2 if len(block) > 1 else block[0]


def read_sound(path: Path, name: str, rate: int, layout: Layout | None) -> Iterator[Block]:
    """The whole sound, resampled and mixed to `layout`, or with all its channels, block by block."""
    resampler: AudioResampler | None = None
    given = None
    for frame in _decoded(path, name):
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != given:  # at the start, and where a stream changes in the middle
            yield from _samples(resampler.resample(None) if resampler else ())
            resampler, given = AudioResampler(format="fltp" if layout else "flt", layout=layout, rate=rate), shape
        assert resampler is not None
        frame.pts = None  # only the order counts; gaps and offsets in the file's time do not
        try:
            mixed = resampler.resample(frame)
        except FFmpegError as error:
            raise ChorusError(ErrorKind.INVALID_INPUT, "sound-cannot-be-mixed", name=name, channels=shape[1]) from error
        yield from _samples(mixed)
    yield from _samples(resampler.resample(None) if resampler else ())


def _decoded(path: Path, name: str) -> Iterator[AudioFrame]:
    with open_source(path, name) as container:
        stream = _chosen_stream(container, path, name)
        heard = False
        for frame in decode(container, stream):
            assert isinstance(frame, AudioFrame)
            heard = heard or frame.samples > 0
            yield frame
        if not heard:
            raise _no_sound(name)


def _chosen_stream(container: InputContainer, path: Path, name: str) -> AudioStream:
    streams = sound_streams(container)
    if not streams:
        raise _no_sound(name)
    return streams[choose_sound(path, name).track]


def _samples(frames: Iterable[AudioFrame]) -> Iterator[Block]:
    for frame in frames:
        if frame.format.is_packed:
            yield np.clip(channels_of(frame), -1.0, 1.0)
            continue
        block = np.nan_to_num(frame.to_ndarray().astype(np.float32, copy=False), nan=0.0, posinf=1.0, neginf=-1.0)
        yield np.clip(block, -1.0, 1.0)


def _no_sound(name: str) -> ChorusError:
    return ChorusError(ErrorKind.INVALID_INPUT, "sound-cannot-be-decoded", name=name)

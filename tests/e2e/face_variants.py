"""The sample face as the awkward files that people upload: odd sizes, rates, depths, rotations, gaps, broken files."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.running_stack import SAMPLES


def face_frames(count: int, width: int = 640, height: int = 360) -> Iterator[av.VideoFrame]:
    """The first `count` frames of the sample, scaled."""
    with av.open(str(SAMPLES / "astronaut.mp4")) as source:
        for index, frame in enumerate(source.decode(video=0)):
            if index == count:
                return
            yield frame.reformat(width=width, height=height, format="yuv420p")


def encode(
    path: Path,
    frames: Iterator[av.VideoFrame],
    *,
    rate: Fraction = Fraction(25),
    pixel_format: str = "yuv420p",
    times: list[Fraction] | None = None,
    rotation: int = 0,
) -> Path:
    """Write `frames` as H.264; `times` (seconds a frame) makes the rate variable; `rotation` only sets the matrix."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate, options={"crf": "16", "preset": "veryfast"})
        stream.pix_fmt = pixel_format
        stream.time_base = Fraction(1, 90_000)
        for index, frame in enumerate(frames):
            if index == 0:
                stream.width, stream.height = frame.width, frame.height
            picture = frame.reformat(format=pixel_format)
            picture.time_base = Fraction(1, 90_000)
            picture.pts = round((times[index] if times else index / rate) * 90_000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return _rotated(path, rotation) if rotation else path


def _rotated(path: Path, degrees: int) -> Path:
    """Patch the track header's display matrix in place, as a phone that was held sideways writes it."""
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    matrix = header + 4 + 40
    one, minus = (1 << 16).to_bytes(4, "big"), (-(1 << 16) & 0xFFFFFFFF).to_bytes(4, "big")
    zero = bytes(4)
    a, b, c, d = {90: (zero, one, minus, zero), 180: (minus, zero, zero, minus), 270: (zero, minus, one, zero)}[degrees]
    content[matrix : matrix + 36] = a + b + zero + c + d + zero + zero + zero + (1 << 30).to_bytes(4, "big")
    path.write_bytes(content)
    return path


def picture_of(rgb: NDArray[Any]) -> av.VideoFrame:
    """(height, width, 3) uint8 as a frame."""
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb, np.uint8), format="rgb24")


def turned(frames: Iterator[av.VideoFrame], quarter_turns: int) -> Iterator[av.VideoFrame]:
    """The pictures turned by quarter turns against the clock."""
    for frame in frames:
        yield picture_of(np.rot90(frame.to_ndarray(format="rgb24"), quarter_turns))


def with_gap(frames: Iterator[av.VideoFrame], first: int, last: int) -> Iterator[av.VideoFrame]:
    """Frames first..last show no face: a flat grey picture."""
    for index, frame in enumerate(frames):
        grey = np.full((frame.height, frame.width, 3), 90, np.uint8)
        yield picture_of(grey) if first <= index <= last else frame


def cropped(frames: Iterator[av.VideoFrame], width: int, height: int) -> Iterator[av.VideoFrame]:
    """The upper left width x height of every picture, also for odd numbers."""
    for frame in frames:
        yield picture_of(frame.to_ndarray(format="rgb24")[:height, :width])


def recording(path: Path, seconds: float, rate: int, channels: int) -> Path:
    """The sample announcement's first seconds at another rate and channel count, as a WAV file."""
    with wave.open(str(SAMPLES / "announcement_en.wav")) as source:
        samples = np.frombuffer(source.readframes(source.getnframes()), np.int16)
        own_rate = source.getframerate()
    times = np.arange(int(seconds * rate)) / rate
    mono = np.interp(times, np.arange(len(samples)) / own_rate, samples).astype("<i2")
    with wave.open(str(path), "w") as output:
        output.setnchannels(channels)
        output.setsampwidth(2)
        output.setframerate(rate)
        output.writeframes(np.repeat(mono[:, None], channels, axis=1).tobytes())
    return path

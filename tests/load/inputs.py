"""What the clients of a load test upload."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from tests.running_stack import SAMPLES

_RATE = 25


def short_clip(path: Path, seconds: float) -> Path:
    """The beginning of the sample video, small."""
    with av.open(str(SAMPLES / "astronaut.mp4")) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=_RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 320, 320, "yuv420p"
        for number, frame in enumerate(islice(source.decode(video=0), round(seconds * _RATE))):
            small = frame.reformat(width=320, height=320, format="yuv420p")
            small.pts, small.time_base = number, Fraction(1, _RATE)
            target.mux(stream.encode(small))
        target.mux(stream.encode(None))
    return path


def made_different(path: Path, number: int) -> Path:
    """The same clip as another content, so that nobody's faces have been found before."""
    copy = path.with_name(f"{path.stem}-{number}{path.suffix}")
    copy.write_bytes(path.read_bytes() + struct.pack(">I4sI", 12, b"free", number))
    return copy

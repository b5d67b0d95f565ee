"""The states of a net that a family names to hear a recording: asked for in pieces of 30 s, kept, cut into windows.

They are a file of half floats that is mapped: of two hours they are 1.4 GB with a width of 1920.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.preprocess.detection import Inference
from services.preprocess.faces import STATE_RATE, SoundNet
from services.preprocess.mel import SAMPLE_RATE, gain_of_levels
from services.preprocess.track_store import content_hash

SEGMENT: Final = 30 * SAMPLE_RATE
"""Samples that the net hears at once, each piece by itself"""
SEGMENT_STATES: Final = 30 * STATE_RATE
_STATE_SAMPLES: Final = SAMPLE_RATE // STATE_RATE
_VERSION: Final = "1"
"""Changes when what is stored changes, so that older files are made again and not misread"""
_FOOTER: Final = struct.Struct("<QQ")
"""Rows of the recording, and the width of all"""

Halves = NDArray[np.float16]


def states_key(audio_key: str, net: SoundNet) -> str:
    """Where the states of a recording lie: by its content and by the net's weights."""
    weights = hashlib.sha256(net.identity.encode()).hexdigest()[:16]
    return f"states/{content_hash(audio_key)}/{_VERSION}/{weights}"


def heard(
    blocks: Iterable[NDArray[np.float32]], level_db: NDArray[np.float32], net: SoundNet, triton: Inference
) -> Iterator[Halves]:
    """(up to 1500, width) states of every 30 s of a recording that comes in blocks (n,) at 16 kHz.

    It is levelled as for every model, by its levels (columns,) in dB. A last piece of less than a state has none.
    """
    gain = np.float32(gain_of_levels(level_db))
    for segment, samples in _segments(blocks):
        if rows := samples // _STATE_SAMPLES:
            yield _asked(np.clip(segment * gain, -1, 1), net, triton)[:rows]


def silent(net: SoundNet, triton: Inference) -> Halves:
    """(1500, width) states of 30 s of digital silence."""
    return _asked(np.zeros(SEGMENT, np.float32), net, triton)


def write_states(path: Path, silence: Halves, pieces: Iterable[Halves]) -> Generator[int]:
    """Write a new file, silence first, then the recording piece by piece; how many of its rows are written, each time.

    It is whole when the last piece is.
    """
    rows = 0
    with path.open("xb") as file:
        for piece in chain([silence], pieces):
            file.write(piece.astype("<f2", copy=False).tobytes())
            if piece is not silence:
                rows += len(piece)
                yield rows
        file.write(_FOOTER.pack(rows, silence.shape[1]))


@dataclass(frozen=True, slots=True)
class States:
    """Of a whole recording; mapped, so that only what is looked at comes into memory."""

    rows: Halves
    """(n, width), 50 a second"""
    silence: Halves
    """(1500, width)"""

    def windows(self, net: SoundNet, first_frame: int, frames: int, frame_rate: Fraction) -> tuple[Halves, Halves]:
        """(frames, net.rows, width) twice: what the net heard, zeros beyond the ends, and silence at these places."""
        shape = (frames, net.rows, self.rows.shape[1])
        sound, silence = np.zeros(shape, np.float16), np.empty(shape, np.float16)
        for number in range(frames):
            start = net.first_row(first_frame + number, frame_rate)
            low, high = max(start, 0), min(start + net.rows, len(self.rows))
            if low < high:
                sound[number, low - start : high - start] = self.rows[low:high]
            silence[number] = self.silence[np.arange(start, start + net.rows) % SEGMENT_STATES]
        return sound, silence


@contextmanager
def map_states(path: Path) -> Iterator[States]:
    """What lies in the file, valid inside the block."""
    with path.open("rb") as file:
        file.seek(-_FOOTER.size, 2)
        rows, width = _FOOTER.unpack(file.read(_FOOTER.size))
    every = np.memmap(path, "<f2", "r", shape=(SEGMENT_STATES + rows, width))
    yield States(every[SEGMENT_STATES:], every[:SEGMENT_STATES])


def _segments(blocks: Iterable[NDArray[np.float32]]) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Pieces of 30 s, the last one with zeros behind it, and how many samples of the recording each has."""
    segment, filled = np.zeros(SEGMENT, np.float32), 0
    for block in blocks:
        start = 0
        while start < len(block):
            taken = block[start : start + SEGMENT - filled]
            segment[filled : filled + len(taken)] = taken
            filled, start = filled + len(taken), start + len(taken)
            if filled == SEGMENT:
                yield segment, filled
                segment, filled = np.zeros(SEGMENT, np.float32), 0
    if filled:
        yield segment, filled


def _asked(samples: NDArray[np.float32], net: SoundNet, triton: Inference) -> Halves:
    """(1500, width) of 30 s; INTERNAL when the model gives anything else."""
    states = triton.infer(net.model, {"samples": samples[None]}, ["states"])["states"]
    if states.ndim != 3 or states.shape[:2] != (1, SEGMENT_STATES):
        wanted = f"(1, {SEGMENT_STATES}, width)"
        raise ChorusError(
            ErrorKind.INTERNAL, "model-answer-differs", model=net.model, given=str(states.shape), wanted=wanted
        )
    return np.asarray(states[0], np.float16)

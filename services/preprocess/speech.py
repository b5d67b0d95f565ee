"""The speech of a recording: its mel, levels, voice, and what is being said in it, all on the mel's columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.preprocess.detection import Inference
from services.preprocess.faces import MEL_RATE, Speech
from services.preprocess.mel import SAMPLE_RATE, Levelled, mel_of
from services.preprocess.voice import voice_of

_FRAME: Final = 320
"""Samples of a frame of speech_features; frame k is centred on sample 320 k"""
_PIECE: Final = 500
_MARGIN: Final = 50
"""Frames of a request, 10 s, and of what is heard beyond its ends, so that a cut between two leaves no trace"""


def speech_of(samples: NDArray[np.float32], triton: Inference) -> Speech:
    """The speech of mono samples (n,) at 16 kHz: 1 + n // 200 columns."""
    return speech_with(samples, list(feature_pieces(samples, triton)), triton)


def speech_with(samples: NDArray[np.float32], pieces: Sequence[NDArray[np.float32]], triton: Inference) -> Speech:
    """The same, of whose features all pieces are there already."""
    mel, level_db = mel_of(samples)
    return Speech(mel, level_db, voice_of(samples, triton), _at_columns(np.concatenate(pieces, axis=1), mel.shape[1]))


def feature_frames(samples: NDArray[np.float32]) -> int:
    """How many frames all pieces have together."""
    return 1 + len(samples) // _FRAME


def feature_pieces(samples: NDArray[np.float32], triton: Inference) -> Iterator[NDArray[np.float32]]:
    """(64, up to 500) features, 50 frames a second, request by request: 1.7 % of one core at real time."""
    frames = feature_frames(samples)
    levelled = Levelled(samples)
    for start in range(0, frames, _PIECE):
        stop = min(start + _PIECE, frames)
        left, right = max(0, start - _MARGIN), min(frames, stop + _MARGIN)
        heard = levelled.part(left * _FRAME, right * _FRAME)[None]
        features = triton.infer("speech_features", {"samples": heard}, ["features"])["features"][0]
        yield features[:, start - left : stop - left].astype(np.float32)


def _at_columns(frames: NDArray[np.float32], columns: int) -> NDArray[np.float16]:
    """(64, columns) between the frames, 80 a second."""
    place = np.arange(columns) * (SAMPLE_RATE / MEL_RATE / _FRAME)
    before = place.astype(np.int64)
    share = (place - before).astype(np.float32)
    after = np.minimum(before + 1, frames.shape[1] - 1)
    between = np.empty((len(frames), columns), np.float16)
    # Row by row: in one go it would take six times what comes out.
    for row, values in zip(between, frames, strict=True):
        row[:] = values[before] * (1 - share) + values[after] * share
    return between

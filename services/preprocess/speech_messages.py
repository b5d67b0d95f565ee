"""A recording's speech on the wire: in pieces of about 1 MB, however long it is; only messages.py calls it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.preprocess.faces import MEL_BANDS, SPEECH_FEATURES, Speech
from services.preprocess.v1 import preprocess_pb2 as wire

_PIECE_COLUMNS: Final = 2000
"""25 s, 912 kB"""


def speech_pieces(speech: Speech) -> Iterator[wire.SpeechPiece]:
    """The speech, cut into pieces as they travel; each is made when it is asked for."""
    total = speech.mel.shape[1]
    for first in range(0, total, _PIECE_COLUMNS):
        part = slice(first, min(first + _PIECE_COLUMNS, total))
        yield wire.SpeechPiece(
            first_column=first,
            columns=part.stop - first,
            total_columns=total,
            mel=packed(speech.mel[:, part]),
            level_db=packed(speech.level_db[part]),
            voice=packed(speech.voice[part]),
            features=speech.features[:, part].astype("<f2").tobytes(),
        )


class JoinedSpeech:
    """Puts the pieces together as they come: in memory is the speech, and one piece."""

    def __init__(self) -> None:
        self._speech = _empty(0)
        self._columns = 0

    def add(self, piece: wire.SpeechPiece) -> Speech | None:
        """The whole speech with its last piece; INTERNAL when `piece` is not the one after the last."""
        if piece.first_column == 0:
            self._speech = _empty(piece.total_columns)
        total, part = self._speech.mel.shape[1], slice(self._columns, self._columns + piece.columns)
        if (piece.first_column, piece.total_columns) != (part.start, total) or part.stop > total:
            raise ChorusError(ErrorKind.INTERNAL, "preprocess-differs")
        self._speech.mel[:, part] = np.frombuffer(piece.mel, "<f4").reshape(MEL_BANDS, piece.columns)
        self._speech.level_db[part] = np.frombuffer(piece.level_db, "<f4")
        self._speech.voice[part] = np.frombuffer(piece.voice, "<f4")
        self._speech.features[:, part] = np.frombuffer(piece.features, "<f2").reshape(SPEECH_FEATURES, piece.columns)
        self._columns = part.stop
        return self._speech if self._columns == total else None


def packed(array: NDArray[np.float32]) -> bytes:
    """The array's bytes in C order, little-endian."""
    return array.astype("<f4", copy=False).tobytes()


def _empty(columns: int) -> Speech:
    return Speech(
        mel=np.empty((MEL_BANDS, columns), np.float32),
        level_db=np.empty(columns, np.float32),
        voice=np.empty(columns, np.float32),
        features=np.empty((SPEECH_FEATURES, columns), np.float16),
    )

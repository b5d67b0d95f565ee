"""The speech of a recording as a file: one record a column, mapped into memory and not read into it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from services.preprocess.faces import MEL_BANDS, SPEECH_FEATURES, Speech
from services.preprocess.track_store import content_hash

_VERSION: Final = "5"
"""Changes when what is stored of a recording changes, so that older files are made again and not misread."""
_COLUMN: Final = np.dtype(
    [
        ("mel", "<f4", (MEL_BANDS,)),
        ("level_db", "<f4"),
        ("voice", "<f4"),
        ("features", "<f2", (SPEECH_FEATURES,)),
    ]
)
"""456 bytes: two hours are 263 MB"""


def speech_key(audio_key: str) -> str:
    """Where the speech of a recording lies."""
    return f"speech/{content_hash(audio_key)}/{_VERSION}/speech.npy"


def write_speech(path: Path, speech: Speech) -> None:
    """Write a new file."""
    columns = np.lib.format.open_memmap(path, "w+", _COLUMN, speech.level_db.shape)
    columns["mel"] = speech.mel.T
    columns["level_db"] = speech.level_db
    columns["voice"] = speech.voice
    columns["features"] = speech.features.T
    columns.flush()


def map_speech(path: Path) -> Speech:
    """What lies in the file; of its arrays only what is looked at comes into memory, and can leave it again."""
    columns = np.load(path, mmap_mode="r")
    return Speech(columns["mel"].T, columns["level_db"], columns["voice"], columns["features"].T)

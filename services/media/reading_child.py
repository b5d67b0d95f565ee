"""Decodes the files of strangers for its parent, one after the other, on the socket that is its standard input.

The parent sends a pickle for each file: path and name of a clip or a recording, or a clip and which of its frames.
Answers are never pickles, since a file that takes this process over shall not have its parent: chunks of numbers or
JSON, then an end or an error as JSON.
"""

from __future__ import annotations

import json
import pickle
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.confined import FILE_MEMORY_BYTES, confine
from services.errors import ChorusError, ErrorKind, error_to_json
from services.media.audio import speech_blocks
from services.media.clip import open_clip
from services.media.frames import lent_frames, lent_glances
from services.media.told_clip import tell_clip
from services.media.wire import HEADER_BYTES, Description, Frames, Glances, Header, Wanted, Word, receive


def serve(parent: socket.socket) -> None:
    """Answer until the parent hangs up."""
    while said := receive(parent, HEADER_BYTES):
        header = Header.unpack(said)
        if header.word == Word.REQUEST:
            wanted: Wanted = pickle.loads(receive(parent, header.size))  # noqa: S301  # our parent's
            _answer(parent, wanted)


def _answer(parent: socket.socket, wanted: Wanted) -> None:
    try:
        for chunk in _chunks(wanted):
            if _is_stopped(parent):
                break
            _send(parent, Word.CHUNK, chunk)
    except ChorusError as error:
        _send_error(parent, error)
    except MemoryError:
        _send_error(parent, ChorusError(ErrorKind.INVALID_INPUT, "probe-needs-too-much", name=wanted.name))
    else:
        _send(parent, Word.END, [])


def _chunks(wanted: Wanted) -> Iterator[Sequence[NDArray[Any]]]:
    if isinstance(wanted, Description):
        for part in tell_clip(open_clip(wanted.path, name=wanted.name)):
            yield [part]
    elif isinstance(wanted, Frames):
        yield from lent_frames(*wanted)
    elif isinstance(wanted, Glances):
        yield from lent_glances(*wanted)
    else:
        for block in speech_blocks(wanted.path, wanted.name):
            yield [block.astype(np.float32, copy=False)]


def _is_stopped(parent: socket.socket) -> bool:
    try:
        return bool(parent.recv(HEADER_BYTES, socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False


def _send(parent: socket.socket, word: Word, arrays: Sequence[NDArray[Any]]) -> None:
    parts = [np.ascontiguousarray(each) for each in arrays]
    parent.sendall(Header(word, sum(each.nbytes for each in parts)).packed())
    for each in parts:
        parent.sendall(each.data.cast("B"))


def _send_error(parent: socket.socket, error: ChorusError) -> None:
    words = json.dumps(error_to_json(error)).encode()
    parent.sendall(Header(Word.ERROR, len(words)).packed() + words)


def main() -> None:
    """The child process."""
    confine(FILE_MEMORY_BYTES, file_bytes=0)
    with socket.socket(fileno=0) as parent:
        parent.sendall(Header(Word.END, 0).packed())  # loaded
        serve(parent)


if __name__ == "__main__":
    main()

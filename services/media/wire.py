"""What the reading child and its parent say to each other."""

from __future__ import annotations

import socket
import struct
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from services.media.clip import Clip
from services.timeline import Extend

_FORMAT: Final = struct.Struct("<BI")
HEADER_BYTES: Final = _FORMAT.size
"""Of a header that is packed"""


class Word(IntEnum):
    """What a header is of."""

    CHUNK = 1
    """Samples, the planes of a frame or a block of sound; or a part of what a clip is"""
    END = 2
    ERROR = 3
    """JSON, see errors.error_to_json"""
    REQUEST = 4
    """From the parent: a pickle"""
    STOP = 5
    """From the parent: it wants no more chunks; it may come when all were sent already"""


class Recording(NamedTuple):
    """A file whose speech is wanted."""

    path: Path
    name: str


class Description(NamedTuple):
    """A file that is to be opened as a clip."""

    path: Path
    name: str


class Frames(NamedTuple):
    """A clip of which frames are wanted as media.read_frames gives them."""

    clip: Clip
    frames: int
    extend: Extend

    @property
    def name(self) -> str:
        """As the user knows the file."""
        return self.clip.name


class Glances(NamedTuple):
    """A clip of which a few frames are wanted."""

    clip: Clip
    indices: tuple[int, ...]

    @property
    def name(self) -> str:
        """As the user knows the file."""
        return self.clip.name


Wanted = Description | Frames | Glances | Recording
"""What a reading child can be asked for"""


class Header(NamedTuple):
    """Before everything that is said."""

    word: int
    size: int
    """How many bytes follow"""

    def packed(self) -> bytes:
        """As it is sent."""
        return _FORMAT.pack(*self)

    @classmethod
    def unpack(cls, content: bytes | memoryview) -> Header:
        """The inverse of packed."""
        return cls(*_FORMAT.unpack(content))


def receive(peer: socket.socket, count: int) -> memoryview:
    """Exactly `count` bytes, or none when the peer has hung up before them; EOFError when it hangs up within."""
    content = np.empty(count, np.uint8).data  # a bytearray would be zeroed first, which takes as long as to fill it
    left = content
    while left:
        got = peer.recv_into(left)
        if not got:
            if len(left) == count:
                return content[:0]
            raise EOFError
        left = left[got:]
    return content

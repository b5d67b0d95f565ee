"""What a net that a family names sees in the faces of a video: asked for once a face, and kept in pieces.

A piece is some consecutive rows of a track. It is published create-only and whole, so that what is found is right;
rows of a stream that breaks off are asked for again.
"""

from __future__ import annotations

import hashlib
import logging
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.media import DECODING_VERSION
from services.preprocess.detection import Inference
from services.preprocess.faces import CropBox, CropSpec, SourceNet, shown_to_net
from services.preprocess.track_store import ANALYSIS_VERSION, content_hash
from services.storage import Storage

_log = logging.getLogger(__name__)

PIECE_ROWS: Final = 128
"""A piece ends where a multiple of these rows does: 2 MB of half floats, if a face has (8, 32, 32)"""
_VERSION: Final = "1"
"""Changes when the same net would be shown another picture, or pieces are stored otherwise"""

Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True, order=True)
class _Piece:
    """Rows that lie in the store."""

    first: int
    stop: int
    """Not included"""

    def has(self, row: int) -> bool:
        """Whether it holds that one."""
        return self.first <= row < self.stop


class SeenFaces:
    """The latents of one stream's faces; for one thread at a time. In memory are two pieces at most."""

    def __init__(self, storage: Storage, video_key: str, net: SourceNet, triton: Inference) -> None:
        self._storage = storage
        self._video_key = video_key
        self._net = net
        self._triton = triton
        self._track: _TrackPieces | None = None
        self.asked = 0
        """Faces that the net was shown"""
        self.reused = 0
        """Faces whose latents were known"""

    def look_at(self, number: int, spec: CropSpec, side: int, box: CropBox) -> None:
        """From here on come faces of this track, with crops of `side` in which the net sees `box`."""
        key = f"{latents_folder(self._video_key)}{_digest(self._net, spec, side, box)}/{number}/"
        if self._track is None or self._track.folder != key:
            self.keep()
            self._track = _TrackPieces(self._storage, self._video_key, key)
        self._box = box

    def latents(self, rows: Sequence[int], crops: Sequence[NDArray[np.uint8]]) -> Halves:
        """(m, ...) of as many rows of the track, which may repeat, and their crops; at most eight."""
        assert self._track is not None
        found = {row: self._track.find(row) for row in dict.fromkeys(rows)}
        missing = {row: crop for row, crop in zip(rows, crops, strict=True) if found[row] is None}
        if missing:
            for row, latent in zip(missing, self._seen(list(missing.values())), strict=True):
                found[row] = latent
                self._track.add(row, latent)
        self.asked += len(missing)
        self.reused += len(rows) - len(missing)
        return np.stack([latent for row in rows if (latent := found[row]) is not None])

    def keep(self) -> None:
        """Publish what is not published yet: with the last face, or before those of another track."""
        if self._track is not None:
            self._track.publish()

    def finish(self) -> None:
        """After the last face: publish what is left, and tell the log what was asked."""
        self.keep()
        _log.info("%s was shown %d faces, %d were known", self._net.model, self.asked, self.reused)

    def _seen(self, crops: Sequence[NDArray[np.uint8]]) -> Halves:
        """(m, ...) as the net gives them; INTERNAL when it gives something else."""
        pictures = np.stack([shown_to_net(crop, self._box, self._net.side) for crop in crops])
        most = self._net.most_rows
        parts = [self._asked(pictures[start : start + most]) for start in range(0, len(pictures), most)]
        return np.concatenate(parts)

    def _asked(self, pictures: NDArray[np.uint8]) -> Halves:
        latents = self._triton.infer(self._net.model, {"crop": pictures}, ["latents"])["latents"]
        if len(latents) != len(pictures):
            given, wanted = str(latents.shape), f"({len(pictures)}, ...)"
            raise ChorusError(
                ErrorKind.INTERNAL, "model-answer-differs", model=self._net.model, given=given, wanted=wanted
            )
        return np.asarray(latents, np.float16)


class _TrackPieces:
    """What is known of one track: the pieces in the store, of which one is in memory, and the rows for the next one."""

    def __init__(self, storage: Storage, video_key: str, folder: str) -> None:
        self.folder = folder
        self._storage = storage
        self._video_key = video_key
        self._stored: list[_Piece] = self._listed()
        self._open: tuple[_Piece, Halves] | None = None
        self._first = 0
        self._pending: list[Halves] = []

    def find(self, row: int) -> Halves | None:
        """(...) of a row, or None when nobody has seen it."""
        if 0 <= row - self._first < len(self._pending):
            return self._pending[row - self._first]
        if self._open is None or not self._open[0].has(row):
            self._open_piece(row)
        return self._open[1][row - self._open[0].first] if self._open is not None and self._open[0].has(row) else None

    def add(self, row: int, latent: Halves) -> None:
        """Keep the latents of a row that was not known."""
        if self._pending and row != self._first + len(self._pending):
            self.publish()
        if not self._pending:
            self._first = row
        self._pending.append(latent)
        if (row + 1) % PIECE_ROWS == 0:
            self.publish()

    def publish(self) -> None:
        """Store the rows that wait for it; a store that fails costs the next job their computing, and not this one."""
        if not self._pending:
            return
        piece, rows = _Piece(self._first, self._first + len(self._pending)), np.stack(self._pending)
        self._pending = []
        self._open = piece, rows
        content = BytesIO()
        np.save(content, rows)
        content.seek(0)
        try:
            # A video that was deleted meanwhile must not leave anything behind.
            if self._storage.size(self._video_key) is not None:
                self._storage.put_file(f"{self.folder}{piece.first}-{piece.stop}", content, create_only=True)
        except ChorusError as error:
            _log.warning("latents of %d faces are not kept: %s", len(rows), error)
            return
        insort(self._stored, piece)

    def _open_piece(self, row: int) -> None:
        """Bring the piece with that row into memory, if there is one."""
        if not self._pending and not any(piece.has(row) for piece in self._stored):
            self._stored = self._listed()  # another stream may have come by
        for piece in self._stored:
            if piece.has(row):
                content = b"".join(self._storage.read(f"{self.folder}{piece.first}-{piece.stop}"))
                self._open = piece, np.load(BytesIO(content), allow_pickle=False)
                return

    def _listed(self) -> list[_Piece]:
        names = (key.removeprefix(self.folder).split("-") for key in self._storage.keys(self.folder))
        return sorted(_Piece(int(first), int(stop)) for first, stop in names)


def latents_folder(video_key: str) -> str:
    """Below which all that nets have seen in the faces of a video lies; it depends on how they were found."""
    return f"latents/{content_hash(video_key)}/{ANALYSIS_VERSION}.{DECODING_VERSION}.{_VERSION}/"


def _digest(net: SourceNet, spec: CropSpec, side: int, box: CropBox) -> str:
    """Of all that decides what the net sees of a face."""
    facts: tuple[Any, ...] = (net.identity, net.side, spec.left, spec.top, spec.extent, side, *box)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

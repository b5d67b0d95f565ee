"""Small grey pictures of a track's lower face, one a row, in a scratch file: by them its skin is followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from services.preprocess.face_picture import FacePicture, resized

_SIDE: Final = 96
_RECORD: Final = np.dtype([("box", "<f4", 4), ("grey", "u1", (_SIDE, _SIDE))])


@dataclass(frozen=True, slots=True, eq=False)
class SkinPicture:
    """What one row shows."""

    from_frame: NDArray[np.float64]
    """(2, 3) affine frame -> pixels of `grey`"""
    grey: NDArray[np.uint8] = field(repr=False)


def append_skin(file: BinaryIO, face: FacePicture, missing: int = 0) -> None:
    """Append the skin of a face, after `missing` rows without a picture."""
    file.write(bytes(missing * _RECORD.itemsize))
    left, top, right, bottom = face.lower
    # Green is most of the luma, and skin's grain is least in it.
    green = np.ascontiguousarray(face.rgb[top:bottom, left:right, 1])
    record = np.zeros((), _RECORD)
    (x, y), (across, down) = face.corner.tolist(), face.scale.tolist()
    record["box"] = left / across + x, top / down + y, right / across + x, bottom / down + y
    record["grey"] = resized(green, _SIDE, _SIDE)
    file.write(record.tobytes())


def read_skin(file: BinaryIO, row: int) -> SkinPicture | None:
    """The picture of a row; None where none was taken."""
    file.seek(row * _RECORD.itemsize)
    record = np.frombuffer(file.read(_RECORD.itemsize), _RECORD)[0]
    left, top, right, bottom = record["box"].tolist()
    if right <= left:
        return None
    across, down = _SIDE / (right - left), _SIDE / (bottom - top)
    return SkinPicture(np.array([[across, 0, -left * across], [0, down, -top * down]]), record["grey"])

"""Small grey pictures of a track's lower face, one a row, in a scratch file: by them its skin is followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from services.preprocess.crops import Picture, box_round
from services.preprocess.landmarks import eye_distance

_SIDE: Final = 96
_REACH: Final = 0.75
"""Half side of what is kept, in eye distances; a face may be rolled"""
_NOSE, _CHIN = 2, 152
_RECORD: Final = np.dtype([("box", "<f4", 4), ("grey", "u1", (_SIDE, _SIDE))])


@dataclass(frozen=True, slots=True, eq=False)
class SkinPicture:
    """What one row shows."""

    from_frame: NDArray[np.float64]
    """(2, 3) affine frame -> pixels of `grey`"""
    grey: NDArray[np.uint8] = field(repr=False)


def append_skin(file: BinaryIO, picture: Picture, landmarks: NDArray[np.float32], missing: int = 0) -> None:
    """Append the face with these landmarks (478, 3), after `missing` rows without a picture."""
    file.write(bytes(missing * _RECORD.itemsize))
    record = np.zeros((), _RECORD)
    centre = landmarks[[_NOSE, _CHIN], :2].mean(axis=0)
    reach = _REACH * max(eye_distance(landmarks), 1.0)
    box = box_round(centre - reach, centre + reach, picture)
    # Green is most of the luma, and skin's grain is least in it.
    record["grey"] = picture.rgb_shrunk(*box, (_SIDE, _SIDE), halving=True)[:, :, 1]
    record["box"] = box
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

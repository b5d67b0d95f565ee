"""How stored pictures become upright: the EXIF orientation of a photo, the display matrix of a video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame

from services.media.colour import Samples


@dataclass(frozen=True, slots=True)
class Orientation:
    """How stored pictures become upright: first swap rows and columns, then mirror."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def rotation(self) -> int:
        """Degrees clockwise, leaving a mirrored picture's mirroring out."""
        if self.swap:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    def turn(self, plane: Samples) -> Samples:
        """The plane upright, as a view."""
        upright = plane.T if self.swap else plane
        return upright[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]


_OF_EXIF: Final[Mapping[int, Orientation]] = {
    1: Orientation(),
    2: Orientation(mirror_x=True),
    3: Orientation(mirror_x=True, mirror_y=True),
    4: Orientation(mirror_y=True),
    5: Orientation(swap=True),
    6: Orientation(swap=True, mirror_x=True),
    7: Orientation(swap=True, mirror_x=True, mirror_y=True),
    8: Orientation(swap=True, mirror_y=True),
}
_OF_QUARTER_TURNS: Final = (1, 8, 3, 6)


def exif_orientation(value: object) -> Orientation:
    """What the tag Orientation (1..8) asks for; anything else is upright."""
    return _OF_EXIF.get(value, Orientation()) if isinstance(value, int) else Orientation()


def display_orientation(picture: VideoFrame) -> Orientation:
    """What the display matrix of the container asks for, to the nearest quarter turn."""
    try:
        side_data = cast("Iterable[SideData]", picture.side_data)
        matrix = next((bytes(data) for data in side_data if data.type is Type.DISPLAYMATRIX), None)
    except ValueError:  # PyAV 18 has no name for some kinds of side data, and gives none of it then
        return _OF_EXIF[_OF_QUARTER_TURNS[round(picture.rotation / 90) % 4]]
    if matrix is None:
        return Orientation()
    a, b, _, c, d = (int(v) for v in np.frombuffer(matrix, "<i4")[:5])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)

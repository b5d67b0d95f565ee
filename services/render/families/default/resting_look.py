"""How a person who talks in the footage looks at rest, and when that is laid over the mouth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Frame, Matrix, Range, rgb_to_yuv
from services.preprocess.faces import FaceIntroduction
from services.render.edits.resting import RestingMouth
from services.render.edits.smoothstep import smoothstep
from services.render.families.default.interior_reference import LOWER_LIP, LOWER_RIM, UPPER_LIP, UPPER_RIM, Reference
from services.render.families.family import MouthEdit

Points = NDArray[np.floating]

_LIPS: Final = sorted({*UPPER_LIP, *LOWER_LIP, *UPPER_RIM, *LOWER_RIM})
_ROUND: Final = [*_LIPS, 2, 98, 327, 152, 148, 377, 206, 426, 205, 425]
"""The lips, the edge of the nose, the chin and the cheeks: what the picture is fitted to"""
_EYES, _NOSE = [33, 263], 4
_SHUT: Final = 0.02
"""Face units between the lips; a mouth that is never less open is not known at rest"""
_FINEST: Final = 600.0
"""Eye distance in pixels; pictures of larger faces are kept less fine than the faces are"""
_OFF: Final = 0.012
"""Face units by which lips of the footage are away from rest, from where on nothing of them is shown"""
_TURNED: Final = (0.12, 0.25)
"""Face units by which the tip of the nose lies elsewhere: the head looks another way, and then too far"""
_AT_REST: Final = 0.04
"""The largest coefficient of a mouth that rests"""
_AHEAD: Final = 12
"""Columns beside a movement in which the footage's own skin shows already"""
_SOFT: Final = 4.0
_LEAST: Final = 1 / 256
"""A smaller share of a picture changes no level"""


@dataclass(frozen=True, slots=True, eq=False)
class RestingLook:
    """A person's resting mouth."""

    picture: NDArray[np.uint8] = field(repr=False)
    """(rows, columns, 3) RGB"""
    points: Points = field(repr=False)
    """(478, 2) face units"""
    to_picture: NDArray[np.float64]
    """(2, 3) affine face units -> its pixels"""

    def mouth(self, seen: Points, rest: Points, share: float) -> RestingMouth | None:
        """For a face (478, 2) in face units and its rest; `share` is how much it is asked to rest, 0..1."""
        off = float(np.abs(seen[_LIPS] - rest[_LIPS]).max())
        turned = float(np.linalg.norm(_nose(rest) - _nose(self.points)))
        shown = share * smoothstep(off / _OFF) * (1 - smoothstep((turned - _TURNED[0]) / (_TURNED[1] - _TURNED[0])))
        if shown < _LEAST:
            return None
        around = np.column_stack([rest[_ROUND], np.ones(len(_ROUND))])
        fit = np.linalg.lstsq(around, self.points[_ROUND], rcond=None)[0].T
        linear, offset = self.to_picture[:, :2], self.to_picture[:, 2]
        return RestingMouth(self.picture, np.column_stack([linear @ fit[:, :2], linear @ fit[:, 2] + offset]), shown)


def rests_in_view(introduction: FaceIntroduction, closed: Reference) -> bool:
    """Whether the introduced person talks, and the most closed mouth is shut and its picture as fine as the frames."""
    talks = introduction.speaking_opening > 0
    return talks and closed.opening <= _SHUT and introduction.eye_distance <= _FINEST


def resting_look(closed: Reference, to_rest: MouthEdit) -> RestingLook:
    """Of the person whose shut mouth is given; the edit lays it to rest."""
    yuv = rgb_to_yuv(np.rint(closed.image * 255).astype(np.uint8), Matrix.BT709, Range.FULL, 8)
    y, u, v = (np.ascontiguousarray(plane) for plane in np.moveaxis(yuv, -1, 0))
    frame = Frame(0, y, u, v, 8, Matrix.BT709, Range.FULL)
    to_rest.apply(frame)
    return RestingLook(frame.rgb(), closed.rest, closed.to_picture)


def rests(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """(columns,) 1 where mouth coefficients (columns, 8) ask for rest, falling to 0 before they ask for anything."""
    most = coefficients.max(axis=1)[:, None]
    moving = (cv2.dilate(most, np.ones((2 * _AHEAD + 1, 1), np.uint8)) > _AT_REST).astype(np.float32)
    soft = cv2.GaussianBlur(moving, (1, 0), sigmaX=1, sigmaY=_SOFT, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(1 - soft[:, 0], np.float32)


def _nose(points: Points) -> Points:
    """(2,) where the tip of the nose lies, from the eyes."""
    return np.asarray(points[_NOSE] - points[_EYES].mean(axis=0))

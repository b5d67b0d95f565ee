"""Blinks: the lids shut over the eyes and open again, only where a blink would look right."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Frame, Range
from services.render.stills.eyelids import Eyelids
from tests.drawn_face import EYE, EYES, UNIT, Look, draw_face, face_points

LOOKS = [
    Look(),
    Look(skin=70, iris=15),
    Look(bit_depth=10, chroma_step=(2, 1)),
    Look(bit_depth=10, chroma_step=(1, 1), range=Range.FULL),
]


def lids_of(frame: Frame, opening: float = 1.0, scale: float = 1.0) -> Eyelids:
    return Eyelids(frame, scale * face_points(opening)[:, :2])


def blinked(look: Look, closed: float) -> tuple[Frame, Frame]:
    """The photo and the photo with its lids at `closed`."""
    photo = draw_face(look)
    frame = deepcopy(photo)
    lids_of(photo).close(frame, closed)
    return photo, frame


def openings(frame: Frame, look: Look) -> NDArray[np.float64]:
    """How high the dark of each eye stands, of what the whole iris would be."""
    steps = 1 << (look.bit_depth - 8)
    dark = (look.skin + look.iris) / 2
    limit = (dark if look.range is Range.FULL else 16 + dark * 219 / 255) * steps
    heights = []
    for x, y in EYES.astype(int):
        column = frame.y[y - 10 : y + 10, x - 2 : x + 2]
        heights.append(float((column < limit).sum(axis=0).mean()) / (2 * EYE[1]))
    return np.array(heights)


@pytest.mark.parametrize("look", LOOKS)
def test_open_lids_leave_the_photo_as_it_is(look: Look) -> None:
    photo, frame = blinked(look, 0.0)
    assert all(np.array_equal(*planes) for planes in zip(photo.planes, frame.planes, strict=True))


@pytest.mark.parametrize("look", LOOKS)
def test_the_eyes_shut_together_and_evenly(look: Look) -> None:
    seen = [openings(blinked(look, closed)[1], look) for closed in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert (seen[0] > 0.9).all()
    assert np.ptp(seen, axis=1).max() < 0.15, "both eyes shut alike"
    assert (np.diff(np.mean(seen, axis=1)) < -0.1).all()
    assert (seen[-1] < 0.12).all(), "shut eyes show no iris"


def test_only_the_surroundings_of_the_eyes_change() -> None:
    photo, frame = blinked(Look(), 1.0)
    changed = np.not_equal(photo.y, frame.y)
    for x, y in EYES.astype(int):
        changed[y - 30 : y + 30, x - 28 : x + 28] = False
    assert not changed.any()


def test_shut_lids_are_skin() -> None:
    look = Look()
    _, frame = blinked(look, 1.0)
    x, y = EYES[0].astype(int)
    lid = frame.y[y - 6 : y + 3, x - 8 : x + 8]
    skin = 16 + look.skin * 219 / 255
    assert abs(float(np.median(lid)) - skin) < 8


def test_a_slowly_shutting_lid_does_not_jump() -> None:
    photo = draw_face()
    lids, before = lids_of(photo), photo.y.astype(int)
    for closed in np.linspace(0.02, 1, 50):
        frame = deepcopy(photo)
        lids.close(frame, float(closed))
        assert np.abs(frame.y.astype(int) - before).mean() < 0.2
        before = frame.y.astype(int)


@pytest.mark.parametrize(
    ("look", "opening"),
    [(Look(glasses=25), 1.0), (Look(opening=0.05), 0.15), (Look(iris=150, white=150), 1.0)],
    ids=["dark glasses", "shut", "covered"],
)
def test_eyes_that_cannot_be_seen_do_not_blink(look: Look, opening: float) -> None:
    photo = draw_face(look)
    lids, frame = lids_of(photo, opening), deepcopy(photo)
    lids.close(frame, 1.0)
    assert not lids.can_blink
    assert np.array_equal(photo.y, frame.y)


def test_tiny_eyes_and_those_turned_away_do_not_blink() -> None:
    photo = draw_face()
    assert lids_of(photo).can_blink
    assert not lids_of(photo, scale=35 / UNIT).can_blink
    points = face_points()[:, :2]
    far = points[:, 0] > points[362, 0] - 1
    points[far, 0] = points[362, 0] + 0.4 * (points[far, 0] - points[362, 0])
    assert not Eyelids(photo, points).can_blink


def test_a_face_that_leaves_the_picture_does_not_blink() -> None:
    photo = draw_face()
    cut = replace(photo, y=photo.y[:, 120:], u=photo.u[:, 60:], v=photo.v[:, 60:])
    assert not Eyelids(cut, face_points()[:, :2] - (120, 0)).can_blink

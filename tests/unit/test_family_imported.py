"""The family of an imported net: what it hears, where it shows, and that all else stays the footage's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.jobs.imported import ImportedFamily
from services.jobs.options import RenderOptions
from services.media import Frame, Matrix, Range
from services.preprocess.crops import cut, inverse_affine
from services.preprocess.faces import CropBox, FaceBatch, FaceIntroduction, Speech
from services.render.families.imported.animator import ImportedAnimator
from services.render.families.imported.mask import LOWER_FACE, Masks, masks_of
from services.render.families.imported.sound import WINDOW, Sound
from services.render.families.imported.wav2lip import CROP, MelPainter
from services.triton import TritonClient

SIDE, NET = 160, 96
HALF = CropBox(16, 80, 144, 160)
"""What the net paints"""
RATE = Fraction(30000, 1001)
COLUMNS = 400
# x and y in face units of the landmarks that masks are drawn from: the lower face's outline, then the lips'.
OUTLINE = {
    2: (0, -0.27), 98: (-0.12, -0.28), 327: (0.12, -0.28), 205: (-0.4, -0.25), 425: (0.4, -0.25),
    192: (-0.5, 0), 416: (0.5, 0), 135: (-0.42, 0.2), 364: (0.42, 0.2), 169: (-0.32, 0.32), 394: (0.32, 0.32),
    140: (-0.2, 0.42), 369: (0.2, 0.42), 171: (-0.1, 0.46), 396: (0.1, 0.46), 175: (0, 0.46), 152: (0, 0.5),
    61: (-0.28, 0), 291: (0.28, 0), 0: (0, -0.1), 17: (0, 0.12), 40: (-0.15, -0.07), 37: (-0.06, -0.1),
    267: (0.06, -0.1), 270: (0.15, -0.07), 321: (0.18, 0.06), 314: (0.07, 0.11), 84: (-0.07, 0.11), 91: (-0.18, 0.06),
}  # fmt: skip


class Net:
    """In Triton's place: what it is asked, and a picture made of the crops."""

    def __init__(self, change: int = 0) -> None:
        self.asked: list[Mapping[str, NDArray[np.generic]]] = []
        self._change = change

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        assert (model, list(outputs)) == ("mine", ["mouth"])
        self.asked.append(inputs)
        crops = inputs["crop"].astype(np.int16)
        return {"mouth": np.clip(crops + self._change, 0, 255).astype(np.uint8)}


def speech(voice: float = 1.0) -> Speech:
    mel = np.tile(np.linspace(-3, 3, COLUMNS, dtype=np.float32), (80, 1))
    level, heard = np.zeros(COLUMNS, np.float32), np.full(COLUMNS, voice, np.float32)
    return Speech(mel, level, heard, np.zeros((64, COLUMNS), np.float16))


def animator(net: Net, options: RenderOptions | None = None, *, rows: int = 16, voice: float = 1.0) -> ImportedAnimator:
    family = ImportedFamily(
        name="mine",
        licence="",
        description="",
        side=NET,
        most_rows=rows,
        variant="",
        container="",
        source_sha256="",
        steps=0,
    )
    sound = Sound(speech(voice), options or RenderOptions())
    painter = MelPainter(family, sound, RATE, cast(TritonClient, net))
    return ImportedAnimator(painter, sound, RATE)


def face_points() -> NDArray[np.float32]:
    points = np.zeros((478, 3), np.float32)
    for point, place in OUTLINE.items():
        points[point, :2] = (np.array(place) - (CROP.left, CROP.top)) * SIDE / CROP.extent
    return points


def frame() -> Frame:
    random = np.random.default_rng(3)
    y, u, v = (random.integers(60, 200, size, np.uint8) for size in ((400, 600), (200, 300), (200, 300)))
    return Frame(0, y, u, v, 8, Matrix.BT709, Range.LIMITED)


TO_CROP = np.array([[0.8, 0.1, -120], [-0.1, 0.8, -60]], np.float32)
"""A face of 200 pixels that is rolled"""


def batch_of(picture: Frame, faces: int = 1, weight: float = 1.0, first_frame: int = 30) -> FaceBatch:
    crop = cut(picture, inverse_affine(TO_CROP.astype(np.float64)), SIDE)
    points = face_points()
    return FaceBatch(
        first_frame=first_frame,
        track=0,
        present=np.ones(faces, np.bool_),
        crops=np.stack([crop] * faces),
        landmarks=np.stack([points] * faces),
        rest=np.stack([points] * faces),
        to_crop=np.stack([TO_CROP] * faces),
        weight=np.full(faces, weight, np.float32),
        mels=np.zeros((faces, 80, 0), np.float32),
    )


@pytest.mark.parametrize("rate", [Fraction(25), RATE, Fraction(60)])
def test_a_frame_hears_sixteen_columns_from_its_beginning_on(rate: Fraction) -> None:
    frames = np.array([0, 1, 17, 60])
    windows = Sound(speech(), RenderOptions()).windows(frames, rate)
    for window, number in zip(windows, frames.tolist(), strict=True):
        start = int(80 * number / rate)
        assert np.allclose(window, speech().mel[:, start : start + WINDOW], atol=0.02)


def test_beyond_the_end_and_where_nobody_speaks_the_net_hears_silence() -> None:
    beyond = Sound(speech(), RenderOptions()).windows(np.array([148, 400]), RATE)
    assert (beyond[0, :, 0] > 2).all()
    assert (beyond[0, :, 8:] == -4).all()
    assert (beyond[1] == -4).all()
    assert (Sound(speech(voice=0), RenderOptions()).windows(np.arange(20), RATE) == -4).all()


def test_in_pauses_the_footage_shows_its_own_mouth_if_it_is_asked_to() -> None:
    frames = np.arange(40)
    assert (Sound(speech(voice=0), RenderOptions(silence="source")).shown(frames, RATE) == 0).all()
    assert (Sound(speech(voice=0), RenderOptions(silence="rest")).shown(frames, RATE) == 1).all()
    assert (Sound(speech(), RenderOptions(silence="source")).shown(frames + 20, RATE) > 0.99).all()


def test_the_mask_is_soft_inside_the_outline_and_nothing_outside() -> None:
    points = face_points()
    whole = np.zeros((2, SIDE, SIDE), np.float32)
    left, top, right, bottom = HALF
    part = masks_of(points, points, SIDE, HALF)
    whole[:, top:bottom, left:right] = part.face, part.lips
    masks = Masks(*whole)
    outline = points[list(LOWER_FACE), :2]
    low, high = np.floor(outline.min(axis=0)).astype(int), np.ceil(outline.max(axis=0)).astype(int)
    assert masks.face.max() == 1
    assert masks.face[: max(low[1], SIDE // 2)].max() == masks.face[high[1] + 4 :].max() == 0
    assert masks.face[:, : low[0]].max() == masks.face[:, high[0] :].max() == 0
    assert np.abs(np.diff(masks.face, axis=0)).max() < 0.3
    lips = masks.lips > 0.5
    assert (masks.face[lips] > 0.9).all()
    assert 0.1 < lips.sum() / (masks.face > 0.5).sum() < 0.5


def test_a_net_that_gives_back_its_face_changes_next_to_nothing() -> None:
    picture = frame()
    waves = np.sin(np.arange(600) / 5)[None] * np.sin(np.arange(400) / 7)[:, None]
    picture.y[...] = np.rint(125 + 60 * waves)
    picture.u[...], picture.v[...] = 110, 150
    before = picture.y.copy()
    (edit,) = animator(Net()).synthesise(batch_of(picture))
    edit.apply(picture)
    assert (edit.pixels[..., 3] > 0).mean() > 0.1
    # What 96 pixels cannot hold comes back as the source's own detail, but for sampling it twice.
    assert np.abs(picture.y.astype(int) - before).max() <= 6


def test_skin_keeps_every_grain_where_the_net_gives_back_its_face() -> None:
    picture = frame()
    picture.y[...] = 125 + np.random.default_rng(4).integers(-8, 9, picture.y.shape)
    picture.u[...], picture.v[...] = 128, 128
    before = picture.y.copy()
    (edit,) = animator(Net()).synthesise(batch_of(picture))
    edit.apply(picture)
    rows, columns = np.mgrid[:400, :600] + 0.5
    in_crop = np.stack([columns, rows], axis=-1) @ TO_CROP[:, :2].T + TO_CROP[:, 2]
    shown = masks_of(face_points(), face_points(), SIDE, HALF)
    across, down = np.moveaxis(in_crop - HALF[:2], -1, 0).astype(np.float32)
    face, lips = (cv2.remap(mask, across, down, cv2.INTER_LINEAR) for mask in (shown.face, shown.lips))
    skin = (face > 0.9) & (lips < 0.01)
    assert skin.sum() > 500
    assert np.abs(picture.y.astype(int) - before)[skin].mean() < 0.3
    assert np.abs(picture.y.astype(int) - before)[lips > 0.9].mean() > 0.5


def test_what_lies_outside_the_mask_keeps_its_bits() -> None:
    picture, before = frame(), frame()
    (edit,) = animator(Net(change=90)).synthesise(batch_of(picture))
    edit.apply(picture)
    rows, columns = np.mgrid[:400, :600] + 0.5
    in_crop = np.stack([columns, rows], axis=-1) @ TO_CROP[:, :2].T + TO_CROP[:, 2]
    outline = face_points()[list(LOWER_FACE), :2]
    outside = (in_crop[..., 1] < outline[:, 1].min() - 3) | (in_crop[..., 1] > outline[:, 1].max() + 6)
    outside |= (in_crop[..., 0] < outline[:, 0].min() - 3) | (in_crop[..., 0] > outline[:, 0].max() + 3)
    assert (picture.y != before.y).sum() > 1000
    assert (picture.y[outside] == before.y[outside]).all()


def test_colours_that_are_off_are_brought_back_to_the_footage() -> None:
    flat = frame()
    for plane, level in ((flat.y, 120), (flat.u, 110), (flat.v, 150)):
        plane[...] = level
    mouths = animator(Net(change=15)), animator(Net())
    (off,), (right,) = (mouth.synthesise(batch_of(flat)) for mouth in mouths)
    difference = off.pixels[..., :3].astype(int) - right.pixels[..., :3]
    assert np.abs(difference[off.pixels[..., 3] > 128]).max() <= 2


def test_the_weight_of_the_analysis_is_that_of_the_patch() -> None:
    (edit,) = animator(Net(change=90)).synthesise(batch_of(frame(), weight=0.25))
    assert edit.weight == pytest.approx(0.25)
    picture, before = frame(), frame()
    (hidden,) = animator(Net(change=90)).synthesise(batch_of(picture, weight=0))
    hidden.apply(picture)
    assert (picture.y == before.y).all()


def test_a_face_that_does_not_show_is_not_painted() -> None:
    net, weights = Net(change=15), np.array([0, 1, 0, 0.5, 0], np.float32)
    batch = batch_of(frame(), faces=5)
    edits = animator(net).synthesise(replace(batch, weight=weights))
    assert [edit.weight for edit in edits] == weights.tolist()
    assert [len(asked["crop"]) for asked in net.asked] == [2]
    # The mel windows are those of the frames that show.
    assert np.array_equal(net.asked[0]["mel"], Sound(speech(), RenderOptions()).windows(np.array([31, 33]), RATE))
    picture, before = frame(), frame()
    for hidden in (0, 2, 4):
        edits[hidden].apply(picture)
    assert (picture.y == before.y).all()
    edits[3].apply(picture)
    assert (picture.y != before.y).any()


@pytest.mark.parametrize(("rows", "requests"), [(16, 1), (1, 8), (3, 3)])
def test_no_request_is_larger_than_the_net_allows(rows: int, requests: int) -> None:
    net = Net()
    assert len(animator(net, rows=rows).synthesise(batch_of(frame(), faces=8))) == 8
    assert [len(asked["crop"]) == len(asked["mel"]) <= rows for asked in net.asked] == [True] * requests
    assert net.asked[0]["crop"].shape[1:] == (NET, NET, 3)


def test_a_batch_without_a_face_asks_nothing_and_another_person_starts_anew() -> None:
    net, picture = Net(change=15), frame()
    mouth = animator(net)
    batch = batch_of(picture)
    empty = batch_of(picture, faces=1)
    none = FaceBatch(
        first_frame=0,
        track=-1,
        present=np.zeros(3, np.bool_),
        crops=empty.crops[:0],
        landmarks=empty.landmarks[:0],
        rest=empty.rest[:0],
        to_crop=empty.to_crop[:0],
        weight=empty.weight[:0],
        mels=empty.mels[:0],
    )
    assert (mouth.synthesise(none), net.asked) == ([], [])
    (first,) = mouth.synthesise(batch)
    mouth.introduce(FaceIntroduction(5, 70.0, 0.1, batch))
    (again,) = mouth.synthesise(batch)
    assert (first.pixels == again.pixels).all()

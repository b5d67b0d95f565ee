"""Finding faces in frames: the way from a model's fractions to source pixels, doubles, tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.detection import Detection, detect, overlap, suppress, tile_views, turned_views, whole_view
from tests.shown_picture import ShownPicture


class BrightestSpot:
    """A stand-in for face_detection: the 'face' is whatever is white in the image."""

    def __init__(self, least_pixels: int = 1) -> None:
        self.least_pixels = least_pixels

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        assert model == "face_detection"
        images = inputs["image"]
        assert images.shape[1:] == (192, 192, 3)
        assert images.dtype == np.uint8
        boxes, scores = np.zeros((len(images), 32, 4), np.float32), np.zeros((len(images), 32), np.float32)
        for row, image in enumerate(images):
            ys, xs = np.nonzero(image[:, :, 0] > 128)
            if len(xs) >= self.least_pixels:
                boxes[row, 3] = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / 192
                scores[row, 3] = 0.9
        keypoints = np.repeat(boxes[:, :, None, :2], 6, axis=2)
        return {"boxes": boxes, "keypoints": keypoints, "scores": scores}


def picture_with(left: int, top: int, side: int) -> ShownPicture:
    rgb = np.zeros((720, 1280, 3), np.uint8)
    rgb[top : top + side, left : left + side] = 255
    return ShownPicture(rgb)


def test_letterbox_is_undone() -> None:
    (found,) = detect(picture_with(400, 200, 240), [whole_view(1280, 720)], BrightestSpot())
    assert found.box == pytest.approx([400, 200, 640, 440], abs=7)
    assert found.keypoints[0] == pytest.approx([400, 200], abs=7)


def test_small_faces_are_found_in_tiles_and_once() -> None:
    picture, model = picture_with(900, 500, 40), BrightestSpot(least_pixels=100)
    assert detect(picture, [whole_view(1280, 720)], model) == []
    (found,) = detect(picture, tile_views(1280, 720), model)
    assert found.box == pytest.approx([900, 500, 940, 540], abs=4)


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_turned_views_lead_back_to_the_frame(turns: int) -> None:
    view = turned_views(1280, 720)[turns]
    (found,) = detect(picture_with(300, 100, 160), [view], BrightestSpot())
    assert found.box == pytest.approx([300, 100, 460, 260], abs=7)
    # The corner that is the first one in the turned picture.
    corner = {1: (460, 100), 2: (460, 260), 3: (300, 260)}[view.quarter_turns]
    assert found.keypoints[0] == pytest.approx(corner, abs=7)


def test_nothing_is_found_in_an_empty_picture() -> None:
    assert detect(ShownPicture(np.zeros((480, 640, 3), np.uint8)), tile_views(640, 480), BrightestSpot()) == []


@pytest.mark.parametrize(
    ("width", "height"), [(1280, 720), (720, 1280), (3840, 2160), (1000, 1000), (2560, 400), (2000, 1000)]
)
def test_tiles_cover_the_frame(width: int, height: int) -> None:
    views = tile_views(width, height)
    assert 1 < len(views) <= 15
    covered = np.zeros((height, width), np.bool_)
    for view in views:
        covered[
            int(view.top) : int(np.ceil(view.top + view.side)), int(view.left) : int(np.ceil(view.left + view.side))
        ] = True
    assert covered.all()
    assert whole_view(width, height).side == max(width, height)


def test_better_detection_suppresses_the_one_below() -> None:
    boxes = [([0, 0, 10, 10], 0.6), ([1, 1, 11, 11], 0.9), ([30, 30, 40, 40], 0.7)]
    found = [Detection(np.array(box, float), np.zeros((6, 2)), score) for box, score in boxes]
    assert [detection.score for detection in suppress(found)] == [0.9, 0.7]


def test_overlap_of_boxes() -> None:
    one = np.array([0.0, 0, 10, 10])
    assert overlap(one, one) == pytest.approx(1)
    assert overlap(one, np.array([5.0, 0, 15, 10])) == pytest.approx(1 / 3)
    assert overlap(one, np.array([20.0, 0, 30, 10])) == 0
    assert overlap(one, np.array([3.0, 3, 3, 3])) == 0

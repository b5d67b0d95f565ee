"""Where crops come from: pixel conventions, sides, edges of the frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import HALVED
from services.preprocess.crops import box_round, crop_side, crop_to_frame, cut, cut_region, inverse_affine
from services.preprocess.detection import Detection
from services.preprocess.faces import LANDMARKS, CropSpec
from services.preprocess.landmarks import LEFT_EYE, RIGHT_EYE, square_of_detection, square_of_landmarks
from tests.shown_picture import ShownPicture

SPEC = CropSpec(-0.75, -0.55, 1.5, (256, 384, 512))


class Picture(ShownPicture):
    """An RGB picture in memory that counts what is asked of it."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        super().__init__(rgb)
        self.pixels = 0

    def rgb_region(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        assert 0 <= left < right <= self.width
        assert 0 <= top < bottom <= self.height
        self.pixels += (right - left) * (bottom - top)
        return super().rgb_region(left, top, right, bottom)


def blob(x: float, y: float, width: int = 640, height: int = 360) -> NDArray[np.uint8]:
    """A soft bright spot round the continuous point (x, y)."""
    across, down = np.arange(width) + 0.5, np.arange(height) + 0.5
    grey = 255 * np.exp(-(np.square(across[None] - x) + np.square(down[:, None] - y)) / 50)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


def centroid(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    grey = rgb[:, :, 0].astype(float)
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]] + 0.5
    return np.asarray(np.array([(grey * columns).sum(), (grey * rows).sum()]) / grey.sum())


@pytest.mark.parametrize(
    ("low", "high"),
    [((10.2, 20.7), (101.3, 57.0)), ((-30, 5), (33, 400)), ((630.5, 355), (700, 357)), ((3, 3), (4, 4))],
)
def test_a_box_that_shrinks_fast_covers_what_it_shall_inside_the_frame(
    low: tuple[float, float], high: tuple[float, float]
) -> None:
    left, top, right, bottom = box_round(np.array(low), np.array(high), Picture(blob(0, 0)))
    assert left % 2 == top % 2 == (right - left) % HALVED == (bottom - top) % HALVED == 0
    assert 0 <= left < right <= 640
    assert 0 <= top < bottom <= 360
    assert left <= max(low[0], 0)
    assert top <= max(low[1], 0)
    assert right >= min(high[0], 640 - HALVED + 1)
    assert bottom >= min(high[1], 360 - HALVED + 1)


@pytest.mark.parametrize(
    ("eye_distance", "side"), [(100, 256), (155, 256), (156, 384), (232, 384), (234, 512), (900, 512)]
)
def test_smallest_side_that_keeps_the_detail(eye_distance: float, side: int) -> None:
    assert crop_side(SPEC, eye_distance) == side


def test_crop_corners_lie_where_the_window_says() -> None:
    face_to_frame = np.array([[100.0, 0, 320], [0, 100, 180]])
    affine = crop_to_frame(face_to_frame, SPEC, 256)
    assert affine @ [0, 0, 1] == pytest.approx([245, 125])
    assert affine @ [256, 256, 1] == pytest.approx([395, 275])


def test_points_and_pixels_agree() -> None:
    angle = 0.3
    turned = 90 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    to_frame = crop_to_frame(np.column_stack([turned, [300, 170]]), SPEC, 256)
    spot = np.array([310.25, 190.75])
    picture = Picture(blob(*spot))
    crop = cut(picture, to_frame, 256)
    back = inverse_affine(to_frame)
    assert centroid(crop) == pytest.approx(back[:, :2] @ spot + back[:, 2], abs=0.1)
    assert picture.pixels < 640 * 360 / 2


def test_region_at_another_scale_agrees_too() -> None:
    spot = np.array([310.25, 190.75])
    half = blob(*spot).reshape(180, 2, 320, 2, 3).mean(axis=(1, 3)).astype(np.uint8)
    to_frame = crop_to_frame(np.array([[90.0, 0, 300], [0, 90, 170]]), SPEC, 256)
    region = half[50:150, 100:250]
    to_region = (to_frame - np.array([[0, 0, 200], [0, 0, 100]])) * 0.5
    back = inverse_affine(to_frame)
    crop = cut_region(np.ascontiguousarray(region), (0, 0), to_region, 256)
    assert centroid(crop) == pytest.approx(back[:, :2] @ spot + back[:, 2], abs=0.15)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (639, 359), (-400, 180), (2000, -900)])
def test_crops_beyond_the_edge_repeat_it(x: float, y: float) -> None:
    to_frame = crop_to_frame(np.array([[100.0, 0, x], [0, 100, y]]), SPEC, 256)
    crop = cut(Picture(np.full((360, 640, 3), 77, np.uint8)), to_frame, 256)
    assert crop.shape == (256, 256, 3)
    assert (crop == 77).all()


def test_square_of_landmarks_is_turned_with_the_eyes() -> None:
    landmarks = np.zeros((LANDMARKS, 3), np.float32)
    landmarks[:, :2] = [300, 200]
    landmarks[LEFT_EYE, :2], landmarks[RIGHT_EYE, :2] = (250, 180), (350, 220)
    square = square_of_landmarks(landmarks)
    assert (square.x, square.y) == pytest.approx((300, 200))
    assert square.side == pytest.approx(150)
    assert np.degrees(square.angle) == pytest.approx(21.8, abs=0.1)
    assert square.to_frame() @ [96, 96, 1] == pytest.approx([300, 200])
    right = square.to_frame() @ [192, 96, 1] - [300, 200]
    assert np.degrees(np.arctan2(right[1], right[0])) == pytest.approx(21.8, abs=0.1)


def test_square_of_a_detection() -> None:
    keypoints = np.array([[100.0, 110], [200, 110], [150, 150], [150, 180], [80, 120], [220, 120]])
    square = square_of_detection(Detection(np.array([80.0, 60, 220, 200]), keypoints, 0.9))
    assert (square.x, square.y, square.side, square.angle) == pytest.approx((150, 130, 210, 0))

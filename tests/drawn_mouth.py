"""Pictures of a mouth with known landmarks, as preprocess introduces a face to the renderer."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.faces import CropSpec, FaceBatch, FaceIntroduction
from services.render.families.default.interior import MouthInterior, mouth_interior
from services.render.families.default.interior_reference import Reference, read_references

CROP = CropSpec(left=-0.95, top=-0.97, extent=1.9, sizes=(384,))
SIDE = 384
SKIN = (205, 160, 135)
LIP = (170, 80, 80)
UPPER_TEETH = (230, 225, 215)
LOWER_TEETH = (200, 195, 185)
GAP = (40, 15, 15)
UPPER_LIP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]
LOWER_LIP = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
UPPER_RIM = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]
LOWER_RIM = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]
EYES = (
    [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7],
    [362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382],
)
IRISES = ([468, 469, 470, 471, 472], [473, 474, 475, 476, 477])
WHITE = (228, 222, 218)


def landmarks(opening: float) -> NDArray[np.float32]:
    """(478, 3) crop pixels of a mouth 0.46 face units wide that is open by `opening`."""
    across = np.linspace(-1, 1, 11)
    arch = 1 - across**2
    points = np.zeros((478, 2))
    for indices, width, y in (
        (UPPER_RIM, 0.23, -0.05 * arch - 0.15 * opening * arch),
        (UPPER_LIP, 0.20, -0.15 * opening * arch),
        (LOWER_LIP, 0.20, 0.85 * opening * arch),
        (LOWER_RIM, 0.23, 0.06 * arch + 0.85 * opening * arch),
    ):
        points[indices] = np.column_stack([across * width, y])
    for middle, eye, iris in zip((-0.33, 0.33), EYES, IRISES, strict=True):
        turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        points[eye] = np.column_stack([middle + 0.15 * np.cos(turn), -0.72 + 0.07 * np.sin(turn)])
        points[iris] = (middle, -0.72) + 0.05 * np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)])
    scale = SIDE / CROP.extent
    pixels = (points - (CROP.left, CROP.top)) * scale
    return np.column_stack([pixels, np.zeros(478)]).astype(np.float32)


def picture(points: NDArray[np.float32], inside: tuple[tuple[int, int, int], ...]) -> NDArray[np.uint8]:
    """A face-coloured crop with lips, and between them bands of colour from the upper lip to the lower one."""
    image = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    fill(image, points, UPPER_RIM, LOWER_RIM, LIP)
    upper, lower = points[UPPER_LIP, :2], points[LOWER_LIP, :2]
    for band, colour in enumerate(inside):
        share, end = band / len(inside), (band + 1) / len(inside)
        outline = np.concatenate([upper + (lower - upper) * share, (upper + (lower - upper) * end)[::-1]])
        cv2.fillPoly(image, [np.rint(outline).astype(np.int32)], colour)
    return image


def fill(
    image: NDArray[np.uint8], points: NDArray[np.float32], top: list[int], bottom: list[int], colour: tuple[int, ...]
) -> None:
    outline = np.concatenate([points[top, :2], points[bottom, :2][::-1]])
    cv2.fillPoly(image, [np.rint(outline).astype(np.int32)], colour)


def introduction(
    opening: float, inside: tuple[tuple[int, int, int], ...], *, eye_distance: float = 160
) -> FaceIntroduction:
    """A closed and an open reference of one person."""
    rest, opened = landmarks(0), landmarks(opening)
    return introduced([picture(rest, ()), picture(opened, inside)], [rest, opened], eye_distance)


def introduced(
    pictures: list[NDArray[np.uint8]], points: list[NDArray[np.float32]], eye_distance: float = 160
) -> FaceIntroduction:
    rows = len(pictures)
    references = FaceBatch(
        first_frame=-1,
        track=0,
        present=np.ones(rows, np.bool_),
        crops=np.stack(pictures),
        landmarks=np.stack(points),
        rest=np.repeat(landmarks(0)[None], rows, 0),
        to_crop=np.zeros((rows, 2, 3), np.float32),
        weight=np.ones(rows, np.float32),
        mels=np.zeros((rows, 80, 0), np.float32),
    )
    return FaceIntroduction(track=0, eye_distance=eye_distance, speaking_opening=0, references=references)


def with_eyes(image: NDArray[np.uint8], white: tuple[int, int, int]) -> NDArray[np.uint8]:
    points = landmarks(0)
    for eye, iris in zip(EYES, IRISES, strict=True):
        cv2.fillPoly(image, [np.rint(points[eye, :2]).astype(np.int32)], white)
        cv2.circle(image, np.rint(points[iris[0], :2]).astype(int).tolist(), 10, (60, 40, 30), -1)
    return image


def recoloured(shown: FaceIntroduction, factors: tuple[float, float, float]) -> FaceIntroduction:
    crops = shown.references.crops
    crops[...] = np.clip(crops * np.array(factors), 0, 255).astype(np.uint8)
    return shown


def interior_of(shown: FaceIntroduction) -> MouthInterior:
    return mouth_interior(read_references(shown, CROP), shown.eye_distance)


def reference(picture: NDArray[np.uint8]) -> Reference:
    """A closed mouth."""
    return read_references(introduced([picture], [landmarks(0)]), CROP)[0]


def own_teeth(opening: float, level: int) -> NDArray[np.uint8]:
    """A mouth whose upper teeth, six of them, end 0.05 face units below its seam, with a highlight of that level."""
    points = landmarks(opening)
    image = picture(points, (GAP,))
    scale = SIDE / CROP.extent
    upper = points[UPPER_LIP, :2]
    edge = -CROP.top * scale + 0.05 * scale
    outline = np.concatenate([upper, np.column_stack([upper[::-1, 0], np.full(11, edge)])])
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    inside = np.zeros(image.shape[:2], np.uint8)
    fill_mask(inside, points)
    x = (np.arange(SIDE) + 0.5) / scale + CROP.left
    shade = np.where(np.abs((x / 0.06) % 1 - 0.5) > 0.42, 0.6, 1.0)[None, :, None]
    shine = level * np.exp(-(((x + 0.03) / 0.02) ** 2))[None, :, None]
    teeth = np.clip(np.array((215, 208, 198)) * shade + shine, 0, 255)
    return np.where((mask * inside)[..., None] > 0, teeth, image).astype(np.uint8)


def fill_mask(mask: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
    outline = np.concatenate([points[UPPER_LIP, :2], points[LOWER_LIP, :2][::-1]])
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)

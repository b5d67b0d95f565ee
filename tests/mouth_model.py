"""The served mouth_renderer, asked for a drawn face; what it makes of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.drawn_face import drawn_landmarks, drawn_picture
from services.media import Frame, Matrix, Range, rgb_to_yuv
from services.render.edits.reposing import Repose
from services.render.families.default.animator import grids

ROOT = Path(__file__).parents[1]
JAW, CLOSE, WIDE, ROUND = 0, 1, 2, 3
FIELDS = ["around", "lips", "inside"]
CAVITY = (0.05, 0.9, 0.05)

Inputs = dict[str, NDArray[np.generic]]
Picture = NDArray[np.float64]


def mouth_renderer() -> onnxruntime.InferenceSession:
    """The model of the repository, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = ROOT / "model_repository/mouth_renderer/1/model.onnx"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def ask(
    side: int,
    rows: list[dict[int, float]],
    opening: float = 0.0,
    *,
    half_width: float = 0.28,
    cavity: tuple[float, float, float] = CAVITY,
    teeth: int = 0,
    weight: float = 1.0,
) -> Inputs:
    """A mouth with or without white teeth, asked for each row's coefficients; a face unit is side / 1.5 pixels."""
    batch = len(rows)
    coefficients = np.zeros((batch, 8), np.float32)
    for row, asked in enumerate(rows):
        coefficients[row, list(asked)] = list(asked.values())
    rest = np.repeat(drawn_landmarks(opening)[None], batch, 0) * np.array([half_width / 0.28, 1], np.float32)
    atlas = np.full((128, 256, 4), teeth, np.uint8)
    area, window = grids(side / 1.5)
    places = {"area_columns": area.x, "area_rows": area.y, "window_columns": window.x, "window_rows": window.y}
    track: Inputs = {
        "landmarks": rest,
        "rest": rest,
        "coefficients": coefficients,
        "weight": np.full((batch, 1), weight, np.float32),
        "upper_teeth": atlas[None],
        "upper_shares": np.ones((batch, 1), np.float32),
        "lower_teeth": atlas,
        "tones": np.array([cavity, cavity, (1, 1, 1)], np.float32),
        **places,
    }
    return {name: array[None] for name, array in track.items()}


def fields(session: onnxruntime.InferenceSession, names: list[str], inputs: Inputs) -> list[NDArray[np.generic]]:
    """What the model makes of the one track's faces."""
    return [made[0] for made in session.run(names, inputs)]


def shown(
    session: onnxruntime.InferenceSession, side: int, inputs: Inputs, picture: NDArray[np.uint8] | None = None
) -> Picture:
    """(rows, side, side, 3) RGB: the picture, or the drawn one, of 1.5 x 1.5 face units with each row's mouth."""
    picture = drawn_picture(side) if picture is None else picture
    area, window = grids(side / 1.5)
    to_face = np.array([[1.5 / side, 0, -0.75], [0, 1.5 / side, -0.55]])
    faces = []
    for around, lips, inside in zip(*fields(session, FIELDS, inputs), strict=True):
        frame = framed(picture)
        Repose(area, window, around, lips, inside, to_face).apply(frame)
        faces.append(frame.rgb().astype(np.float64))
    return np.stack(faces)


def framed(picture: NDArray[np.uint8]) -> Frame:
    """The picture as a frame with full chroma."""
    planes = np.moveaxis(rgb_to_yuv(picture, Matrix.BT601, Range.FULL, 8), 2, 0).copy()
    return Frame(0, planes[0], planes[1], planes[2], 8, Matrix.BT601, Range.FULL)


def untouched(picture: NDArray[np.uint8]) -> Picture:
    return framed(picture).rgb().astype(np.float64)


def cavity_pixels(face: Picture) -> int:
    """Pixels of the mouth's inside: far greener than anything in the drawn picture."""
    red, green, blue = np.moveaxis(face, -1, 0)
    return int(((green > 1.7 * red + 10) & (green > 1.7 * blue + 10)).sum())


def face_units(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x (1, side) and y (side, 1) of the pixels' centres."""
    places = (np.arange(side) + 0.5) / side * 1.5
    return places[None] - 0.75, places[:, None] - 0.55


def corner_shift(
    session: onnxruntime.InferenceSession, half_width: float, opening: float, asked: dict[int, float]
) -> float:
    """Face units by which a mark on the cheek at the right corner of the resting mouth moves outwards."""
    side = 512
    x, y = face_units(side)
    mark = np.exp(-(((x - half_width) / 0.02) ** 2 + ((y - 0.02) / 0.02) ** 2))
    picture = np.repeat((40 + 200 * mark)[:, :, None], 3, 2).astype(np.uint8)
    face = shown(session, side, ask(side, [asked], opening, half_width=half_width, cavity=(0, 0, 0)), picture)[0]
    brightness = np.clip(face[..., 0] - 60, 0, None) * (x > 0.15) * (np.abs(y) < 0.12)
    return float((brightness * x).sum() / brightness.sum() - half_width)


def around(
    session: onnxruntime.InferenceSession, asked: dict[int, float], opening: float = 0.0
) -> tuple[Picture, Picture, Picture]:
    """x and y of the area in face units, and the displacement of every point of it."""
    area, _ = grids(180.0)
    x, y = np.meshgrid(area.x.astype(float), area.y.astype(float))
    return x, y, fields(session, ["around"], ask(270, [asked], opening))[0][0].astype(np.float64)

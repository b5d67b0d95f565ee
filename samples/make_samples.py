"""Makes astronaut.mp4 and portrait.jpg from the two public-domain photographs that README.md names.

Needs scikit-image, matplotlib, PyAV and OpenCV; none but the last two belong to Chorus:
    python samples/make_samples.py
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av  # noqa: TID251 (no part of a service)
import cv2
import matplotlib.cbook
import numpy as np
from numpy.typing import NDArray
from skimage import data

HERE = Path(__file__).parent
WIDTH, HEIGHT, RATE, SECONDS = 1280, 720, 25, 10

# In pixels of the astronaut's photograph (512 x 512).
HEAD = (227.0, 110.0)
HAIR_RADII = (76.0, 92.0)
FACE_DEPTH, NOSE_DEPTH, AXIS_DEPTH = 95.0, 14.0, 30.0
NOSE_TIP = (227.0, 122.0)
NECK = (227.0, 195.0)
CHEST_X = 215.0

BT709 = 1
LIMITED_RANGE = 1

Grid = NDArray[np.float64]
Image = NDArray[np.uint8]


def wave(seconds: float, *parts: tuple[float, float, float]) -> float:
    """Sum of slow sines, each (amplitude, period in seconds, phase in turns)."""
    return float(sum(a * np.sin(2 * np.pi * (seconds / period + phase)) for a, period, phase in parts))


def smooth_step(x: Grid) -> Grid:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def turned_head(x: Grid, y: Grid, seconds: float) -> tuple[Grid, Grid]:
    """How far each point moves when the head, an ellipsoid with a nose, turns, nods and tilts on its neck."""
    yaw = np.radians(wave(seconds, (8.5, 6.3, 0.0), (3.5, 2.9, 0.3)))
    pitch = np.radians(wave(seconds, (3.0, 4.1, 0.2), (1.8, 1.7, 0.6)))
    roll = np.radians(wave(seconds, (2.6, 5.2, 0.55), (1.0, 2.3, 0.1)))
    dx, dy = x - HEAD[0], y - HEAD[1]
    radius = np.hypot(dx / HAIR_RADII[0], dy / HAIR_RADII[1])
    depth = FACE_DEPTH * np.cos(np.pi / 2 * np.clip(radius / 1.12, 0, 1))
    depth += NOSE_DEPTH * np.exp(-(((x - NOSE_TIP[0]) / 7) ** 2 + ((y - NOSE_TIP[1]) / 10) ** 2) / 2) - AXIS_DEPTH
    # The backdrop around the hair is plain, so it may stretch; the neck hands over to the collar.
    share = (1 - smooth_step((radius - 0.95) / 0.55)) * (1 - smooth_step((y - 180) / 45))
    move_x = share * (dx * (np.cos(yaw) - 1) + depth * np.sin(yaw))
    move_y = share * (dy * (np.cos(pitch) - 1) + depth * np.sin(pitch))
    arm_x, arm_y = x + move_x - NECK[0], y + move_y - NECK[1]
    move_x += share * (arm_x * (np.cos(roll) - 1) - arm_y * np.sin(roll))
    move_y += share * (arm_x * np.sin(roll) + arm_y * (np.cos(roll) - 1))
    return move_x, move_y


def displaced(x: Grid, y: Grid, seconds: float) -> tuple[Grid, Grid]:
    """Where the photograph's points lie at that time; the shoulders follow the head slowly and less."""
    move_x, move_y = turned_head(x, y, seconds)
    body = np.exp(-(((x - CHEST_X) / 190) ** 4) - (np.clip(150 - y, 0, None) / 120) ** 2)
    sway = wave(seconds, (3.2, 6.3, -0.06), (1.0, 3.7, 0.4))
    return x + move_x + body * sway, y + move_y + body * wave(seconds, (1.3, 3.6, 0.0))


def photo_points(seconds: float, step: int = 4) -> list[NDArray[np.float32]]:
    """For every pixel of the frame, the photograph's point that it shows: the displacement, inverted step by step."""
    width = 462 + wave(seconds, (7, 8.1, 0.1))
    left = 236 - width / 2 + wave(seconds, (6, 7.3, 0.35))
    top = 3 + wave(seconds, (2.2, 5.9, 0.2))
    columns, rows = np.meshgrid(np.arange(0, WIDTH + step, step), np.arange(0, HEIGHT + step, step))
    x, y = left + columns * width / WIDTH, top + rows * width / WIDTH
    u, v = x.copy(), y.copy()
    for _ in range(6):
        shown_x, shown_y = displaced(u, v, seconds)
        u, v = u + 0.9 * (x - shown_x), v + 0.9 * (y - shown_y)
    # Grid node k lies at pixel step * k.
    place = np.array([[step, 0, 0], [0, step, 0]], np.float32)
    return [cv2.warpAffine(grid.astype(np.float32), place, (WIDTH, HEIGHT)) for grid in (u, v)]


def lit(frame: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    """The room's light: exposure, a side light and its warmth drift slowly."""
    across = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :, None]
    down = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None, None]
    side = wave(seconds, (0.09, 8.3, 0.45))
    gain = 1 + wave(seconds, (0.05, 6.7, 0.1)) + across * side - 0.05 * down
    warmth = wave(seconds, (0.02, 9.1, 0.2))
    return np.asarray(frame * gain * np.array([1 + warmth, 1, 1 - warmth], np.float32))


def enlarged(photo: Image, scale: float) -> NDArray[np.float32]:
    """The photograph enlarged and sharpened a little, 0..255."""
    large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4).astype(np.float32)
    return np.clip(large + 0.6 * (large - cv2.GaussianBlur(large, (0, 0), 0.73 * scale)), 0, 255)


def astronaut_frames() -> Iterator[Image]:
    scale = 3
    photo = enlarged(data.astronaut(), scale)
    sensor = np.random.default_rng(7)
    for index in range(RATE * SECONDS):
        seconds = index / RATE
        u, v = ((points + 0.5) * scale - 0.5 for points in photo_points(seconds))
        frame = lit(cv2.remap(photo, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), seconds)
        noise = 1.6 * sensor.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
        yield np.clip(frame + noise + 0.5, 0, 255).astype(np.uint8)


def write_clip(path: Path, frames: Iterator[Image]) -> None:
    with av.open(path, "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"crf": "20", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        codec = stream.codec_context
        codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        codec.color_range = LIMITED_RANGE
        for image in frames:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        container.mux(stream.encode(None))


def main() -> None:
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        photo = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
    portrait = enlarged(photo[:, 36:486], 1.6)
    cv2.imwrite(str(HERE / "portrait.jpg"), portrait.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
    write_clip(HERE / "astronaut.mp4", astronaut_frames())


main()

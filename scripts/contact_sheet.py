"""Frames of videos side by side in one picture: what a person looks at first after a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from services.media import Extend, open_clip, read_frames

Image = NDArray[np.uint8]


def spread_frames(video: Path, count: int) -> list[Image]:
    """`count` frames spread evenly over the video (all of them when it has fewer): (height, width, 3) RGB."""
    clip = open_clip(video, name=video.name)
    wanted = {round(frame) for frame in np.linspace(0, clip.frames - 1, count + 2)[1:-1]}
    return [frame.rgb() for frame in read_frames(clip, clip.frames, Extend.CUT) if frame.index in wanted]


def tiled(rows: Sequence[Sequence[Image]], height: int) -> Image:
    """All pictures scaled to `height` pixels, row below row; a short row ends in white."""
    strips = [np.hstack([_scaled(image, height) for image in row]) for row in rows]
    width = max(strip.shape[1] for strip in strips)
    return np.vstack([np.pad(s, ((0, 4), (0, width - s.shape[1]), (0, 0)), constant_values=255) for s in strips])


def around_faces(frames: Sequence[Image]) -> list[Image]:
    """A square round the face of each frame, as large in all of them; the frames themselves where none is found."""
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"))
    faces = [cascade.detectMultiScale(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 1.1, 6) for frame in frames]
    if any(len(found) == 0 for found in faces):
        return list(frames)
    # The largest may be none; of one person's frames the face is where it mostly is.
    usual = np.median([max(found, key=lambda box: box[2]) for found in faces], axis=0)
    boxes = [min(found, key=lambda box: float(np.abs(box - usual).sum())) for found in faces]
    side = min(round(1.4 * float(np.median([box[2] for box in boxes]))), *frames[0].shape[:2])
    return [
        _square(frame, box[0] + box[2] / 2, box[1] + box[3] / 2, side) for frame, box in zip(frames, boxes, strict=True)
    ]


def write_picture(path: Path, image: Image) -> None:
    """Write (height, width, 3) RGB as the suffix of `path` says (.jpg, .png), making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, encoded = cv2.imencode(path.suffix, image[..., ::-1])
    path.write_bytes(encoded.tobytes())


def _square(image: Image, x: float, y: float, side: int) -> Image:
    """side x side pixels round (x, y), moved inside the image."""
    left, top = (int(np.clip(c - side / 2, 0, size - side)) for c, size in ((x, image.shape[1]), (y, image.shape[0])))
    return image[top : top + side, left : left + side]


def _scaled(image: Image, height: int) -> Image:
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """`contact_sheet.py VIDEO [VIDEO ...] --output PICTURE`; prints where the picture lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--frames", type=int, default=8, help="frames a video (default: 8)")
    parser.add_argument("--height", type=int, default=240, help="of each frame, pixels (default: 240)")
    chosen = parser.parse_args(arguments)
    rows = [around_faces(spread_frames(video, chosen.frames)) for video in chosen.videos]
    write_picture(chosen.output, tiled(rows, chosen.height))
    sys.stdout.write(f"contact sheet: {chosen.output}\n")


if __name__ == "__main__":
    main()

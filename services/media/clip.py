"""A source video as it is rendered: exact rate and frame count, upright even size, what its planes are."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from services.accepted_files import MAX_SIDE, MAX_STILL_SIDE, MIN_SIDE
from services.errors import ChorusError, ErrorKind
from services.media.colour import ColourTags
from services.media.planes import Orientation, kept_format, orientation_of, tags_of
from services.media.source import decode, open_source, picture_format, picture_stream
from services.media.timing import STILL_RATE, Timing, read_timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video or a still, as two processes agree on it index by index."""

    path: Path
    name: str
    """As the user knows the file, for messages"""
    frame_rate: Fraction
    frames: int
    width: int
    """Upright and even, in pixels"""
    height: int
    pixel_format: str
    """Of the frames: yuv420p, yuv422p or yuv444p, or their 10-bit forms (yuv420p10le, ...)"""
    colour: ColourTags
    sample_aspect_ratio: Fraction
    """Width of a pixel by its height, upright"""
    still: bool
    orientation: Orientation = field(repr=False)
    stored_size: tuple[int, int] = field(repr=False)
    """Width and height before turning and padding"""
    timing: Timing = field(repr=False, compare=False)

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which the stored pictures are turned to be upright."""
        return self.orientation.rotation

    @property
    def seconds(self) -> Fraction:
        """How long the clip is."""
        return self.frames / self.frame_rate


def open_clip(path: Path, *, name: str) -> Clip:
    """Read the times of all pictures and decode the first; raises INVALID_INPUT for what cannot be rendered.

    The frame rate of a video with a variable one is its nominal rate if that is believable, else the nearest standard
    one; never above 120. The pictures of a still larger than 3840 pixels a side are scaled to fit.
    """
    still = picture_format(path) is not None if path.is_file() else False
    picture, aspect, timed = _first_picture(path, name, 2 * MAX_SIDE if still else MAX_SIDE)
    orientation = orientation_of(picture)
    stored_size = _fit_still(picture) if still else (picture.width, picture.height)
    upright = stored_size[::-1] if orientation.swap else stored_size
    timing = _still_timing() if still else _timing(path, name, picture.pts if timed else None)
    return Clip(
        path=path,
        name=name,
        frame_rate=timing.frame_rate,
        frames=len(timing.times),
        width=upright[0] + upright[0] % 2,
        height=upright[1] + upright[1] % 2,
        pixel_format=kept_format(picture, orientation),
        colour=tags_of(picture),
        sample_aspect_ratio=1 / aspect if orientation.swap else aspect,
        still=still,
        orientation=orientation,
        stored_size=stored_size,
        timing=timing,
    )


def _first_picture(path: Path, name: str, limit: int) -> tuple[VideoFrame, Fraction, bool]:
    """The first picture that can be decoded, the shape of its pixels, and whether the file's time stamps hold."""
    with open_source(path, name) as container:
        stream = picture_stream(container)
        if stream is None:
            raise ChorusError(ErrorKind.INVALID_INPUT, "only-sound", name=name)
        _check_size(stream.width, stream.height, limit, name)
        picture = next(decode(container, stream), None)
        if not isinstance(picture, VideoFrame):
            raise ChorusError(ErrorKind.INVALID_INPUT, "picture-cannot-be-decoded", name=name)
        _check_size(picture.width, picture.height, limit, name)
        # AVI has decoding times only, so the pictures' order is not in the file when they are stored reordered.
        reordered = container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
        return picture, stream.sample_aspect_ratio or Fraction(1), not reordered


def _timing(path: Path, name: str, first: int | None) -> Timing:
    with open_source(path, name) as container:
        stream = picture_stream(container)
        assert stream is not None
        timing = read_timing(container, stream, first=first)
    if not len(timing.times):
        raise ChorusError(ErrorKind.INVALID_INPUT, "frames-unusable", name=name)
    return timing


def _still_timing() -> Timing:
    return Timing(STILL_RATE, np.zeros(1, np.int64), np.zeros(0, np.int64), counted=True)


def _fit_still(picture: VideoFrame) -> tuple[int, int]:
    scale = min(1.0, MAX_STILL_SIDE / max(picture.width, picture.height))
    return max(MIN_SIDE, round(picture.width * scale)), max(MIN_SIDE, round(picture.height * scale))


def _check_size(width: int, height: int, limit: int, name: str) -> None:
    # 0 x 0: the container does not say, the first picture will.
    if max(width, height) > limit or (0 < min(width, height) < MIN_SIDE):
        raise ChorusError(
            ErrorKind.INVALID_INPUT,
            "picture-size",
            name=name,
            width=width,
            height=height,
            least=MIN_SIDE,
            limit=limit,
        )

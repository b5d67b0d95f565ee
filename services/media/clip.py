"""A source video as it is rendered: exact rate and frame count, upright even size, what its planes are."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from av.video.frame import VideoFrame

from services.accepted_files import MAX_STILL_SIDE, MIN_SIDE
from services.errors import ChorusError, ErrorKind
from services.media.colour import ColourTags
from services.media.fields import Scan, may_be_interlaced, scan_of
from services.media.orientation import Orientation
from services.media.pictures import Pictures, open_pictures
from services.media.planes import hdr_metadata, kept_format, tags_of
from services.media.timing import Timing, doubled, middle_keyframe
from services.media.tone_mapping import HdrMetadata

_PICTURES_LOOKED_AT: Final = 5
"""To tell interlaced footage: 70 ms of CPU at 1080 lines, and nobody pays it twice in one process"""


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
    hdr: HdrMetadata | None
    """Of high dynamic range: what its light was mastered for, as far as the file says"""
    orientation: Orientation = field(repr=False)
    scan: Scan
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
    with open_pictures(path, name) as pictures:
        picture, first = _first_picture(pictures, name)
        orientation, still, aspect = pictures.orientation(picture), pictures.still, pictures.aspect
        timing = pictures.timing(first)
    if not len(timing.times):
        raise ChorusError(ErrorKind.INVALID_INPUT, "frames-unusable", name=name)
    stored_size = _fit_still(picture) if still else (picture.width, picture.height)
    upright = stored_size[::-1] if orientation.swap else stored_size
    scan = Scan.PROGRESSIVE if still else _scan(path, name, timing, picture)
    timing = timing if scan is Scan.PROGRESSIVE else doubled(timing)
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
        hdr=hdr_metadata(picture),
        orientation=orientation,
        scan=scan,
        stored_size=stored_size,
        timing=timing,
    )


def _first_picture(pictures: Pictures, name: str) -> tuple[VideoFrame, int | None]:
    """The first picture that can be decoded, and its time stamp if the file's time stamps hold."""
    _check_size(*pictures.size, pictures.largest_side, name)
    picture, first = pictures.first()
    if picture is None:
        raise ChorusError(ErrorKind.INVALID_INPUT, "picture-cannot-be-decoded", name=name)
    _check_size(picture.width, picture.height, pictures.largest_side, name)
    return picture, first


def _scan(path: Path, name: str, timing: Timing, picture: VideoFrame) -> Scan:
    scan = scan_of([picture])
    if scan is Scan.PROGRESSIVE and may_be_interlaced(picture.height, timing.frame_rate):
        state = path.stat()
        return _scan_seen(path, name, middle_keyframe(timing), (state.st_size, state.st_mtime_ns))
    return scan


@lru_cache(maxsize=64)
def _scan_seen(path: Path, name: str, keyframe: int | None, state: object) -> Scan:
    """What some pictures from a keyframe on look like; `state` tells one content of the path from another."""
    with open_pictures(path, name) as pictures:
        if keyframe is None or not pictures.start_at(keyframe):
            return Scan.PROGRESSIVE
        return scan_of([picture for _, picture in islice(pictures.decode(), _PICTURES_LOOKED_AT)])


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

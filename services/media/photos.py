"""Pictures that FFmpeg cannot read whole or in right colours, through Pillow: HEIF, AVIF, ICC profiles, animations.

What is transparent lies on white, as on a page: the samples below it are whatever an editor has left there.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
import pillow_heif
from av.error import FFmpegError
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from services.accepted_files import MAX_STILL_PIXELS, MAX_STILL_SIDE
from services.errors import ChorusError, ErrorKind
from services.media.orientation import Orientation, exif_orientation

pillow_heif.register_heif_opener(thumbnails=False, decode_threads=2)
Image.MAX_IMAGE_PIXELS = None  # photo_header refuses what is too large, in words that name the file

_EXIF_ORIENTATION: Final = 0x0112
_SRGB: Final = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_NCLX: Final = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
_HEADER_BYTES: Final = 1 << 16
_ANIMATED: Final = ("WEBP", "AVIF", "PNG")
_OPAQUE: Final = 0xFFFF
# What Pillow and its decoders raise for files that are damaged.
_DAMAGED: Final = (OSError, ValueError, SyntaxError, EOFError, RuntimeError, IndexError, FFmpegError, struct.error)


@dataclass(frozen=True, slots=True)
class PhotoHeader:
    """What a picture file says before anything is decoded."""

    width: int
    height: int
    orientation: Orientation
    pictures: int
    """More than one: an animation"""
    by_pillow: bool
    """FFmpeg would give a part of it, or wrong colours"""


def photo_header(path: Path, name: str) -> PhotoHeader | None:
    """Read the header of a picture file; None when Pillow cannot. INVALID_INPUT for one that is too large to decode."""
    try:
        with _open(path) as image:
            width, height = image.size
            if width * height > MAX_STILL_PIXELS:
                raise _too_many_pixels(width, height, name)
            pictures = len(_numbers(image)) if image.format in _ANIMATED else 1
            foreign = image.format in ("HEIF", "AVIF") or image.mode == "CMYK" or _foreign_profile(image) is not None
            foreign = foreign or image.has_transparency_data
            orientation = exif_orientation(image.getexif().get(_EXIF_ORIENTATION))
    except (UnidentifiedImageError, *_DAMAGED):
        return None
    return PhotoHeader(width, height, orientation, pictures, foreign or pictures > 1)


def decode_photo(path: Path, name: str) -> VideoFrame:
    """The picture as RGB of 8 or 16 bits, in sRGB or in the colours that its tags name; INVALID_INPUT if damaged."""
    with _readable(name), _open(path) as image:
        profile = _foreign_profile(image)
        deep = _deep_samples(path, image)
        if deep is not None and profile is None:
            return _tagged(VideoFrame.from_ndarray(deep, format="rgb48le"), path, image)
        flat = image if deep is None else Image.fromarray(dithered(deep))
        flat.thumbnail((MAX_STILL_SIDE, MAX_STILL_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return _tagged(_frame(_in_srgb(_on_white(flat), profile)), path, image)


def decode_animation(path: Path, name: str) -> Iterator[tuple[int, VideoFrame]]:
    """Milliseconds at which each picture of an animation is shown, and the picture in RGB, one at a time."""
    shown = 0
    with _readable(name), _open(path) as image:
        for number in _numbers(image):
            image.seek(number)
            image.load()
            yield shown, _frame(_in_srgb(_on_white(image), _foreign_profile(image)))
            shown += _duration(image)


def animation_times(path: Path, name: str) -> tuple[list[int], int]:
    """Milliseconds at which the pictures of an animation are shown, and for how long the last one is."""
    times, shown, duration = [], 0, 0
    with _readable(name), _open(path) as image:
        for number in _numbers(image):
            image.seek(number)
            image.load()
            duration = _duration(image)
            times.append(shown)
            shown += duration
    return times, duration


def _numbers(image: Image.Image) -> range:
    """Of the pictures that are shown; the first one of an animated PNG may be for those who see no animations."""
    return range(1 if image.info.get("default_image") else 0, getattr(image, "n_frames", 1))


def _duration(image: Image.Image) -> int:
    """Of the picture that was loaded, ms; browsers show what says less than 11 for 100."""
    said = round(image.info.get("duration") or 0)
    return said if said > 10 else 100


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    with Image.open(path) as image:
        yield image


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise ChorusError(ErrorKind.INVALID_INPUT, "picture-cannot-be-decoded", name=name) from error


def _in_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    if profile is not None:
        flat = image if image.mode in ("RGB", "CMYK", "L") else image.convert("RGB")
        with suppress(ImageCms.PyCMSError):  # the profile is for other samples than the picture's: left aside
            converted = ImageCms.profileToProfile(flat, profile, _SRGB, outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


def _foreign_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The picture's ICC profile, unless it has none, a broken one or sRGB."""
    content = image.info.get("icc_profile")
    if not content:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        return None if "sRGB" in ImageCms.getProfileDescription(profile) else profile
    except (ImageCms.PyCMSError, OSError):
        return None


def _deep_samples(path: Path, image: Image.Image) -> NDArray[np.uint16] | None:
    """(h, w, 3) of a picture with more than 8 bits, all 16 in use; Pillow itself would cut them off."""
    if image.format == "HEIF" and image.info.get("bit_depth", 8) > 8:
        return _deep_on_white(np.asarray(pillow_heif.open_heif(path, convert_hdr_to_8bit=False)))
    if image.format == "PNG":
        with av.open(path, format="png_pipe") as container:
            picture = next(container.decode(video=0), None)
        if picture is None:
            raise ValueError("no picture in the file")
        if picture.format.components[0].bits > 8:
            return _deep_on_white(np.asarray(picture.to_ndarray(format="rgba64le"), np.uint16))
    return None


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")


def _deep_on_white(samples: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(h, w, 3) of (h, w, 3) or (h, w, 4), a fourth being the opacity."""
    colours, opacity = samples[..., :3], samples[..., 3:].astype(np.uint32)
    if not opacity.size or opacity.min() == _OPAQUE:
        return np.ascontiguousarray(colours)
    return np.asarray((colours * opacity + _OPAQUE * (_OPAQUE - opacity)) // _OPAQUE, np.uint16)


def _tagged(picture: VideoFrame, path: Path, image: Image.Image) -> VideoFrame:
    """The picture with the colours that HEIF and AVIF name in a box of four numbers, where no profile goes before."""
    if image.format in ("HEIF", "AVIF") and not image.info.get("icc_profile"):
        with path.open("rb") as file:
            box = _NCLX.search(file.read(_HEADER_BYTES))
        if box:
            picture.color_primaries, picture.color_trc = (int.from_bytes(part, "big") for part in box.groups())
    return picture


def dithered(samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(h, w, 3) of 16 bits as 8, with a fixed noise of one step in place of bands."""
    noise = np.random.default_rng(0).integers(0, 256, samples.shape, np.uint16)
    return np.asarray((np.minimum(samples, 0xFF00) + noise) >> 8, np.uint8)


def _frame(image: Image.Image) -> VideoFrame:
    return VideoFrame.from_ndarray(np.asarray(image), format="rgb24")


def _too_many_pixels(width: int, height: int, name: str) -> ChorusError:
    return ChorusError(
        ErrorKind.INVALID_INPUT,
        "picture-pixels",
        name=name,
        millions=width * height / 1e6,
        limit=MAX_STILL_PIXELS / 1e6,
    )

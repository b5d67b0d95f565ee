"""Photos as phones write them: HEIF, AVIF, mirrored, in other colours, deep, animated, too large."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from services.errors import ChorusError, ErrorKind
from services.media import Clip, Extend, open_clip, probe, read_frames
from tests.media_samples import make_still, orient_jpeg

# Display P3's primaries and white (D65) in the D50 of ICC profiles, and its transfer function as a plain gamma.
_P3_COLORANTS = {
    b"rXYZ": (0.5151, 0.2412, -0.0011),
    b"gXYZ": (0.2919, 0.6922, 0.0419),
    b"bXYZ": (0.1571, 0.0666, 0.7841),
}


def corners(size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture whose four corners differ."""
    picture = np.full((size[1], size[0], 3), 128, np.uint8)
    half_x, half_y = size[0] // 2, size[1] // 2
    picture[:half_y, :half_x] = (200, 40, 40)
    picture[:half_y, half_x:] = (40, 180, 60)
    picture[half_y:, :half_x] = (50, 60, 200)
    return Image.fromarray(picture)


def shown(path: Path, name: str = "a") -> tuple[Clip, NDArray[np.int64]]:
    """The clip of a photo, and its frame in RGB."""
    clip = open_clip(path, name=name)
    return clip, next(read_frames(clip, 1, Extend.CUT)).rgb().astype(int)


def p3_profile() -> bytes:
    """An ICC profile of Display P3's primaries with a gamma of 2.2."""

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(2.2 * 256), 0)
    text = b"desc\0\0\0\0" + struct.pack(">I", 8) + b"Plain P3"[:7] + b"\0" + bytes(78)
    tags = {b"desc": text, b"wtpt": xyz((0.9642, 1, 0.8249)), **{k: xyz(v) for k, v in _P3_COLORANTS.items()}}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, content, place = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += tag + struct.pack(">II", place + len(content), len(data))
        content += padded
    head = struct.pack(">I4sI4s4s4s", 0, b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    head += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    body = head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + content
    return struct.pack(">I", len(body)) + body[4:]


@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_photos_of_phones_are_stills_in_their_colours(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    corners().save(path, quality=95)
    assert probe(path, name="a").kind == "still"
    clip, picture = shown(path)
    assert (clip.still, clip.width, clip.height, clip.frames) == (True, 160, 120, 1)
    assert np.abs(picture - np.asarray(corners(), int)).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "avif", "webp", "png"])
def test_a_photo_is_upright_whatever_its_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    corners().save(path, exif=exif, quality=95)
    with Image.open(path) as image:
        truth = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), int)
    _, picture = shown(path)
    assert picture.shape == truth.shape
    assert np.abs(picture - truth).mean() < 4


def test_a_mirrored_jpeg_keeps_its_samples(tmp_path: Path) -> None:
    path = orient_jpeg(make_still(tmp_path / "a.jpg"), 5)
    with av.open(path, format="jpeg_pipe") as container:
        luma = next(container.decode(video=0)).to_ndarray()[:120]
    assert np.array_equal(next(read_frames(open_clip(path, name="a"), 1, Extend.CUT)).y, luma.T)


def test_a_profile_is_applied(tmp_path: Path) -> None:
    profile = p3_profile()
    for suffix in ("jpg", "png", "heic"):
        path = tmp_path / f"a.{suffix}"
        corners().save(path, icc_profile=profile, quality=95)
        p3 = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        truth = ImageCms.profileToProfile(corners(), p3, ImageCms.createProfile("sRGB"))
        assert truth is not None
        _, picture = shown(path)
        assert np.abs(picture - np.asarray(truth, int)).mean() < 4
        assert np.abs(picture - np.asarray(corners(), int)).mean() > 5


def test_a_print_photo_is_shown_in_the_colours_of_screens(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    corners().convert("CMYK").save(path, quality=95)
    clip, picture = shown(path)
    assert clip.pixel_format == "yuv420p"
    assert np.abs(picture - np.asarray(corners(), int)).mean() < 6


def test_sixteen_bits_are_kept_as_ten(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(20000, 22000, 160, dtype=np.uint16)[None, :, None], 120, axis=0).repeat(3, axis=2)
    cv2.imwrite(str(tmp_path / "a.png"), ramp)
    clip = open_clip(tmp_path / "a.png", name="a")
    assert clip.pixel_format == "yuv420p10le"
    assert len(np.unique(next(read_frames(clip, 1, Extend.CUT)).y)) > 25  # of 8 bits there would be 9


def test_sixteen_bits_with_a_profile_are_dithered(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(20000, 22000, 160, dtype=np.uint16)[None, :, None], 120, axis=0).repeat(3, axis=2)
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), ramp)
    content = path.read_bytes()
    chunk = b"iCCP" + b"p3\0\0" + zlib.compress(p3_profile())
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(content[:33] + chunk + content[33:])
    rows = next(read_frames(open_clip(path, name="a"), 1, Extend.CUT)).y.astype(float).mean(axis=0)
    assert len(np.unique(rows.round(1))) > 25


def half_hidden(mode: str) -> Image.Image:
    """`corners`, of which the right half cannot be seen."""
    opacity = np.zeros((120, 160), np.uint8)
    opacity[:, :80] = 255
    picture = corners().convert("RGBA")
    picture.putalpha(Image.fromarray(opacity))
    return picture.convert(mode)


def deep_half_hidden(path: Path) -> None:
    samples = np.asarray(half_hidden("RGBA"), np.uint16)[..., [2, 1, 0, 3]] * 257
    cv2.imwrite(str(path), samples)


def palette_half_hidden(path: Path) -> None:
    picture = corners().quantize(4)
    picture.putpalette([*(picture.getpalette() or [])[:12], *[9] * 12])
    picture.paste(7, (80, 0, 160, 120))
    picture.save(path, transparency=7)


@pytest.mark.parametrize(
    ("suffix", "save"),
    [
        ("png", half_hidden("RGBA").save),
        ("png", half_hidden("LA").save),
        ("png", palette_half_hidden),
        ("png", deep_half_hidden),
        ("webp", lambda path: half_hidden("RGBA").save(path, lossless=True, exact=True)),
        ("heic", lambda path: half_hidden("RGBA").save(path, quality=95)),
        ("avif", lambda path: half_hidden("RGBA").save(path, quality=95)),
    ],
)
def test_what_is_transparent_lies_on_white(tmp_path: Path, suffix: str, save: Callable[[Path], object]) -> None:
    path = tmp_path / f"a.{suffix}"
    save(path)
    _, picture = shown(path)
    truth = np.asarray(corners(), int)
    if np.ptp(picture[30, 30]) < 10:
        truth = np.repeat(np.asarray(corners().convert("L"), int)[..., None], 3, axis=2)
    assert np.abs(picture[:, :72] - truth[:, :72]).mean() < 6
    assert picture[:, 88:].min() > 248


@pytest.mark.parametrize("apart", [False, True])
def test_an_animated_png_is_a_video(tmp_path: Path, apart: bool) -> None:
    """`apart`: its first picture is for viewers that show no animations."""
    pictures = [Image.new("RGB", (64, 48), (20 * number, 100, 50)) for number in range(-apart, 10)]
    pictures[0].save(tmp_path / "a.png", save_all=True, append_images=pictures[1:], duration=40, default_image=apart)
    clip = open_clip(tmp_path / "a.png", name="a")
    assert (clip.still, clip.frame_rate, clip.frames) == (False, Fraction(25), 10)
    reds = [frame.rgb()[..., 0].mean() for frame in read_frames(clip, 10, Extend.CUT)]
    assert np.abs(np.array(reds) - 20 * np.arange(10)).max() < 3


@pytest.mark.parametrize("suffix", ["webp", "avif"])
def test_an_animation_is_a_video(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    pictures = [Image.new("RGB", (64, 48), (20 * number, 100, 50)) for number in range(10)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40, quality=95, lossless=True)
    assert probe(path, name="a").kind == "video"
    clip = open_clip(path, name="a")
    assert (clip.still, clip.frame_rate, clip.frames) == (False, Fraction(25), 10)
    reds = [frame.rgb()[..., 0].mean() for frame in read_frames(clip, 18, Extend.PINGPONG)]
    assert np.abs(np.array(reds) - 20 * np.array([*range(10), *range(8, 0, -1)])).max() < 8


def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path) -> None:
    head = struct.pack(">II5B", 16000, 16000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = b"IDAT" + zlib.compress(bytes(1000))
    png += struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    (tmp_path / "bomb.png").write_bytes(png)
    with pytest.raises(ChorusError, match=r"bomb\.png has 256 million pixels") as refusal:
        probe(tmp_path / "bomb.png", name="bomb.png")
    assert refusal.value.kind is ErrorKind.INVALID_INPUT


@pytest.mark.parametrize("suffix", ["heic", "avif", "webp"])
def test_a_photo_that_was_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    corners((640, 480)).effect_spread(20).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ChorusError, match=r"^holiday") as refusal:
        probe(path, name="holiday")
    assert refusal.value.kind is ErrorKind.INVALID_INPUT

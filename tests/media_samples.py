"""Small clips, tones and stills with known content, made on the fly: every picture carries its number in its pixels."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

Planes = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
LOSSLESS: Mapping[str, str] = {"qp": "0", "preset": "ultrafast"}
_BITS = 10
_STEPS = {
    "yuv420p": (2, 2),
    "yuvj420p": (2, 2),
    "yuv422p": (2, 1),
    "yuvj422p": (2, 1),
    "yuv444p": (1, 1),
    "yuv440p": (1, 2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """The sound of a sample: a sine wave with a slow swell."""

    seconds: float = 1.0
    rate: int = 48000
    layout: str = "stereo"
    codec: str = "aac"
    hertz: float = 440.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRecipe:
    """How to make a sample clip; the defaults give one second at 25 fps, 160x120, lossless H.264 without sound."""

    frames: int = 25
    rate: Fraction = Fraction(25)
    size: tuple[int, int] = (160, 120)
    pixel_format: str = "yuv420p"
    codec: str = "libx264"
    options: Mapping[str, str] = field(default_factory=lambda: LOSSLESS)
    gop: int = 12
    rotation: int = 0
    """Degrees counter-clockwise of the display matrix; players turn the picture so"""
    mirrored: bool = False
    times: Sequence[Fraction] | None = None
    """Seconds at which each picture is shown, instead of a constant rate"""
    ticks: int | None = None
    """Time stamps a second; by default what the rate needs"""
    tags: Mapping[str, int] = field(default_factory=dict)
    """color_range, colorspace, color_primaries, color_trc in FFmpeg's numbers"""
    aspect: Fraction | None = None
    tone: Tone | None = None


def pattern(number: int, width: int, height: int, pixel_format: str = "yuv420p") -> Planes:
    """The planes of picture `number`: noise and a gradient that differ each time, and the number as ten squares."""
    deep = pixel_format.endswith("10le")
    across, down = _STEPS[pixel_format.removesuffix("10le")]
    noise = np.random.default_rng(number)
    luma = 40 + (np.arange(width)[None, :] + np.arange(height)[:, None] + number) % 160
    luma = luma + noise.integers(0, 8, (height, width))
    side = max(2, min(width // (_BITS + 1), height // 4))
    for bit in range(_BITS):
        luma[2 : 2 + side, bit * side + 2 : (bit + 1) * side + 2] = 220 if number >> bit & 1 else 30
    chroma_shape = (-(-height // down), -(-width // across))
    blue = np.broadcast_to(100 + (number + np.arange(chroma_shape[1])) % 50, chroma_shape)
    red = np.broadcast_to(110 + (number + np.arange(chroma_shape[0])[:, None]) % 40, chroma_shape)
    if deep:
        return tuple((p * 4 + noise.integers(0, 4, p.shape)).astype(np.uint16) for p in (luma, blue, red))  # type: ignore[return-value]
    return luma.astype(np.uint8), blue.astype(np.uint8), red.astype(np.uint8)


def read_number(luma: NDArray[Any], bit_depth: int = 8) -> int:
    """The number that `pattern` wrote into a picture; it survives ordinary compression."""
    height, width = luma.shape
    side = max(2, min(width // (_BITS + 1), height // 4))
    squares = [luma[2 : 2 + side, bit * side + 2 : (bit + 1) * side + 2].mean() for bit in range(_BITS)]
    return sum(int(square > 125 << bit_depth - 8) << bit for bit, square in enumerate(squares))


def make_clip(path: Path, recipe: ClipRecipe | None = None) -> Path:
    """Write a clip whose picture i is pattern(i); the container follows the path's suffix."""
    recipe = recipe or ClipRecipe()
    with av.open(path, "w") as container:
        video = _add_video(container, recipe)
        audio = _add_audio(container, recipe.tone) if recipe.tone else None
        times = recipe.times or [i / recipe.rate for i in range(recipe.frames)]
        for number, seconds in enumerate(times):
            frame = _numbered_frame(number, recipe)
            frame.time_base = video.codec_context.time_base
            frame.pts = round(seconds / frame.time_base)
            for tag, value in recipe.tags.items():
                setattr(frame, tag, value)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if recipe.tone and audio:
            _encode_tone(container, audio, recipe.tone)
    return path


def remux(source: Path, target: Path, *, broken: Sequence[int] = (), shift: Fraction = Fraction(0)) -> Path:
    """Copy a clip without coding it again.

    Packets whose number (in stored order) is in `broken` get rubbish for content; all times move by `shift` seconds:
    what then lies before 0 is hidden by an edit list in MP4.
    """
    options = {"avoid_negative_ts": "disabled"}
    with av.open(source) as reader, av.open(target, "w", options=options) as writer:
        stream = reader.streams.video[0]
        copy = writer.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in reader.demux(stream) if packet.size):
            if number in broken:
                rubbish = np.random.default_rng(number).integers(0, 256, packet.size - 8, np.uint8)
                packet.update(bytes(packet)[:8] + rubbish.tobytes())
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.stream = copy
            writer.mux(packet)
    return target


def make_sound(path: Path, tone: Tone | None = None) -> Path:
    """Write a file that holds nothing but sound."""
    tone = tone or Tone()
    with av.open(path, "w") as container:
        _encode_tone(container, _add_audio(container, tone), tone)
    return path


def add_cover(sound: Path, picture: Path, target: Path) -> Path:
    """Copy a recording and put a picture on its cover."""
    with av.open(sound) as reader, av.open(picture, format="jpeg_pipe") as image, av.open(target, "w") as writer:
        cover_source, sound_source = image.streams.video[0], reader.streams.audio[0]
        track = writer.add_stream_from_template(sound_source)
        cover = writer.add_stream_from_template(cover_source)
        cover.disposition = Disposition.attached_pic
        for source, stream, copy in ((reader, sound_source, track), (image, cover_source, cover)):
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = copy
                    writer.mux(packet)
    return target


def make_still(path: Path, size: tuple[int, int] = (160, 120)) -> Path:
    """Write a picture file (.png, .jpg, .webp): a gradient with a red square at the top left."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 1] = np.linspace(0, 255, width).astype(np.uint8)
    picture[: height // 4, : width // 4] = (0, 0, 255)
    cv2.imwrite(str(path), picture)
    return path


def orient_jpeg(path: Path, orientation: int) -> Path:
    """Put an EXIF orientation (1..8) into a JPEG, as a phone does."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 1) + entry + b"\0\0\0\0"
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:])
    return path


def decode_planes(path: Path) -> list[Planes]:
    """Every picture of a file as PyAV decodes it, in order of presentation: the truth that tests compare with."""
    with av.open(path) as container:
        return [planes_of(frame) for frame in container.decode(video=0)]


def planes_of(frame: VideoFrame) -> Planes:
    """Copies of the three planes of a planar frame, without the padding of its rows."""
    kind = np.dtype(np.uint16 if "10" in frame.format.name else np.uint8)
    found = []
    for plane in frame.planes[:3]:
        rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1)
        found.append(rows[:, : plane.width].copy())
    return found[0], found[1], found[2]


def frame_of(planes: Planes, pixel_format: str) -> VideoFrame:
    """A PyAV frame that holds copies of the planes."""
    height, width = planes[0].shape
    frame = VideoFrame(width, height, pixel_format)
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(memoryview(target), plane.dtype).reshape(target.height, -1)
        rows[:, : target.width] = plane
    return frame


def tone_samples(tone: Tone) -> NDArray[np.float32]:
    """(samples,) of the sine wave."""
    seconds = np.arange(round(tone.seconds * tone.rate)) / tone.rate
    swell = 0.3 + 0.2 * np.sin(2 * np.pi * seconds)
    return (swell * np.sin(2 * np.pi * tone.hertz * seconds)).astype(np.float32)


def _numbered_frame(number: int, recipe: ClipRecipe) -> VideoFrame:
    drawn = recipe.pixel_format if recipe.pixel_format.removesuffix("10le") in _STEPS else "yuv420p"
    frame = frame_of(pattern(number, *recipe.size, drawn), drawn)
    return frame.reformat(format=recipe.pixel_format)


def _add_video(container: OutputContainer, recipe: ClipRecipe) -> VideoStream:
    stream = container.add_stream(recipe.codec, rate=recipe.rate, options=dict(recipe.options))
    assert isinstance(stream, VideoStream)
    stream.width, stream.height = recipe.size
    stream.pix_fmt = recipe.pixel_format
    context = stream.codec_context
    context.time_base = Fraction(1, recipe.ticks) if recipe.ticks else 1 / recipe.rate
    context.gop_size = recipe.gop
    if recipe.aspect:
        context.sample_aspect_ratio = recipe.aspect
    for tag, value in recipe.tags.items():
        setattr(context, tag, value)
    if recipe.rotation or recipe.mirrored:
        stream.set_display_rotation(recipe.rotation, hflip=recipe.mirrored)
    return stream


def _add_audio(container: OutputContainer, tone: Tone) -> AudioStream:
    stream = container.add_stream(tone.codec, rate=tone.rate, layout=tone.layout)
    assert isinstance(stream, AudioStream)
    return stream


def _encode_tone(container: OutputContainer, stream: AudioStream, tone: Tone) -> None:
    samples = tone_samples(tone)
    planes = stream.layout.nb_channels
    kind = stream.format.name
    step = stream.codec_context.frame_size or 1024
    for start in range(0, len(samples), step):
        block = np.repeat(samples[None, start : start + step], planes, axis=0)
        if kind.startswith("s16"):
            block = (block * 32767).astype(np.int16)
        elif kind.startswith("s32"):
            block = (block * (2**31 - 1)).astype(np.int32)
        if not kind.endswith("p"):
            block = block.T.reshape(1, -1)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block), format=kind, layout=tone.layout)
        frame.rate = tone.rate
        frame.pts = start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))

"""The output: H.264 or HEVC and AAC in an MP4, and its poster."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.errors import ChorusError, ErrorKind
from services.media.audio import Block, Layout, output_format, read_sound
from services.media.clip import Clip
from services.media.converting import Converter, converter_for, on_ordinary_screens
from services.media.delivery import Delivery, Encoding, encoding_of
from services.media.frame import Frame
from services.media.hardware import HardwareFailedError
from services.media.mp4_boxes import write_shown_width
from services.media.planes import plane_view

_THREADS: Final = 2
_SOUND_BITS: Final[Mapping[Layout, int]] = {"mono": 96_000, "stereo": 160_000}
_AAC_BLOCK: Final = 1024
_POSTER_SIDE: Final = 1280
_POSTER_QUALITY: Final = 88
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_video(
    path: Path,
    clip: Clip,
    frames: Iterable[Frame],
    audio_path: Path | None,
    *,
    seconds: Fraction,
    crf: int,
    preset: str,
    delivery: Delivery,
    metadata: Mapping[str, str],
    hardware: str | None = None,
) -> int:
    """Encode `frames` at the clip's rate with the sound of `audio_path`, cut or padded to `seconds`; frames written.

    Frames are pulled one at a time. crf 0 is lossless. Mono stays mono, anything else becomes stereo. `hardware` is
    which encoder of graphics hardware to use where that can be. Nothing is left at `path` when this raises:
    STORAGE_FULL when the disk is full, HardwareFailedError, and whatever `frames` raises.
    """
    encoding = encoding_of(clip, delivery, crf=crf, preset=preset, hardware=hardware)
    with (
        _finished_whole(path) as unfinished,
        _open_output(unfinished, clip.sample_aspect_ratio) as container,
        converter_for(clip, encoding) as converter,
    ):
        container.metadata.update(metadata)
        video = _add_video(container, clip, encoding)
        sound = _Sound(container, audio_path, seconds) if audio_path else None
        canvas = VideoFrame(clip.width, clip.height, clip.pixel_format)
        written = 0
        for frame in frames:
            container.mux(_encoded(video, _picture(frame, canvas, clip, encoding, converter, written), encoding))
            written += 1
            if sound:
                sound.write_until(written / clip.frame_rate)
        if not written:
            raise ChorusError(ErrorKind.INTERNAL, "no-frame-rendered", name=clip.name)
        container.mux(_encoded(video, None, encoding))
        if sound:
            sound.finish()
    return written


def write_poster(path: Path, frame: Frame, clip: Clip, *, side: int = _POSTER_SIDE) -> None:
    """Write a frame of the clip as a JPEG of at most `side` pixels a side; STORAGE_FULL when the disk is full."""
    rgb = frame.rgb()
    scale = min(1.0, side / max(frame.width, frame.height))
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    rgb = on_ordinary_screens(rgb, clip.colour, clip.hdr)
    _, content = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _POSTER_QUALITY])
    with _finished_whole(path) as unfinished:
        unfinished.write_bytes(content.tobytes())


class _Sound:
    """The sound track of an output while it is written: exactly as long as the picture, never ahead of it."""

    def __init__(self, container: OutputContainer, path: Path, seconds: Fraction) -> None:
        rate, layout = output_format(path, path.name)
        self._container = container
        self._stream = container.add_stream("aac", rate=rate, layout=layout, bit_rate=_SOUND_BITS[layout])
        self._frames = _aac_frames(read_sound(path, path.name, rate, layout), rate, layout, round(seconds * rate))
        self._seconds = Fraction(0)

    def write_until(self, seconds: Fraction) -> None:
        """Encode what is heard before `seconds`."""
        while self._seconds < seconds:
            frame = next(self._frames, None)
            if frame is None:
                return
            self._seconds += Fraction(frame.samples, frame.sample_rate)
            self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Encode the rest."""
        for frame in self._frames:
            self._container.mux(self._stream.encode(frame))
        self._container.mux(self._stream.encode(None))


def _aac_frames(blocks: Iterator[Block], rate: int, layout: Layout, total: int) -> Iterator[AudioFrame]:
    """Exactly `total` samples, cut or padded with silence, in the blocks that AAC eats."""
    waiting = np.zeros((1 if layout == "mono" else 2, 0), np.float32)
    for start in range(0, total, _AAC_BLOCK):
        wanted = min(_AAC_BLOCK, total - start)
        while waiting.shape[1] < wanted and (block := next(blocks, None)) is not None:
            waiting = np.concatenate([waiting, block], axis=1)
        samples = np.pad(waiting[:, :wanted], ((0, 0), (0, max(0, wanted - waiting.shape[1]))))
        waiting = waiting[:, wanted:]
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = start
        yield frame


def _add_video(container: OutputContainer, clip: Clip, encoding: Encoding) -> VideoStream:
    stream = container.add_stream(encoding.codec, rate=clip.frame_rate)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, encoding.pixel_format
    stream.options = dict(encoding.options)
    context = stream.codec_context
    context.codec_tag = encoding.tag
    context.time_base = 1 / clip.frame_rate
    context.sample_aspect_ratio = clip.sample_aspect_ratio
    context.color_range = encoding.colour.range
    context.colorspace = encoding.colour.matrix
    context.color_primaries = encoding.colour.primaries
    context.color_trc = encoding.colour.transfer
    context.thread_count = _THREADS
    # Slices, PyAV's default, hold the caller until a picture is done; whole frames are encoded beside its next work.
    context.thread_type = "FRAME"
    return stream


def _encoded(video: VideoStream, picture: VideoFrame | None, encoding: Encoding) -> list[Packet[VideoStream]]:
    """What comes out when `picture` goes in; with None all that is left."""
    try:
        return video.encode(picture)
    except FFmpegError as error:
        if encoding.by_hardware:
            raise HardwareFailedError(encoding.codec) from error
        raise


def _picture(
    frame: Frame, canvas: VideoFrame, clip: Clip, encoding: Encoding, converter: Converter | None, number: int
) -> VideoFrame:
    """The frame for the encoder, painted on `canvas`: fresh memory for each would cost more than the copy."""
    # Whoever still holds the picture before keeps it: FFmpeg gives the canvas other memory then.
    canvas.make_writable()
    picture = canvas
    for plane_number, plane in enumerate(frame.planes):
        plane_view(picture, plane_number)[:] = plane
    if converter:
        picture = converter.convert(picture)
    picture.pts = number
    picture.time_base = 1 / clip.frame_rate
    picture.color_range = encoding.colour.range
    picture.colorspace = encoding.colour.matrix
    picture.color_primaries = encoding.colour.primaries
    picture.color_trc = encoding.colour.transfer
    return picture


@contextmanager
def _open_output(path: Path, pixel_aspect: Fraction) -> Iterator[OutputContainer]:
    container = av.open(path, "w", format="mp4", options={"movflags": "+faststart+use_metadata_tags"})
    try:
        yield container
    except BaseException:
        with suppress(FFmpegError):  # the first error is the one to tell
            container.close()
        raise
    container.close()
    write_shown_width(path, pixel_aspect)


@contextmanager
def _finished_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` that takes its name when the block ends well, and is removed when it does not."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    except (OSError, FFmpegError) as error:
        if getattr(error, "errno", None) in _FULL:
            raise ChorusError(ErrorKind.STORAGE_FULL, "storage-full", name=str(path)) from error
        raise
    finally:
        unfinished.unlink(missing_ok=True)

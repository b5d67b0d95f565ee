"""Opening a file that somebody uploaded: only media formats, only the file itself, and clear words when it fails."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.errors import ChorusError, ErrorKind

_log = logging.getLogger(__name__)

# Play lists and image sequences are left out on purpose: they make FFmpeg read other files than the one uploaded.
_FORMATS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,gif,"
    "wav,w64,aiff,mp3,aac,flac,ogg,caf,amr,ac3,eac3,au"
)
_PICTURES: Final = {b"\xff\xd8\xff": "jpeg_pipe", b"\x89PNG\r\n\x1a\n": "png_pipe", b"BM": "bmp_pipe"}
_CONTAINER_HEADS: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"\x1a\x45\xdf\xa3", b"RIFF", b"OggS", b"fLaC")
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")


def picture_format(path: Path) -> str | None:
    """The format of a picture file, as FFmpeg calls it, or heif for HEIF and AVIF; None for anything else."""
    head = _head(path)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "heif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp_pipe"
    return next((name for magic, name in _PICTURES.items() if head.startswith(magic)), None)


@contextmanager
def open_source(path: Path, name: str) -> Iterator[InputContainer]:
    """Open a media file for reading; INVALID_INPUT says what is wrong with `name` when it is none."""
    if not path.is_file():
        raise ChorusError(ErrorKind.NOT_FOUND, "file-gone", name=name)
    head = _head(path)
    still = picture_format(path)
    if still == "heif":  # of a whole one FFmpeg would give one tile; photos.py opens those
        raise ChorusError(ErrorKind.INVALID_INPUT, "file-damaged", name=name)
    options = {"protocol_whitelist": "file"} | ({} if still else {"format_whitelist": _FORMATS})
    try:
        container = av.open(path.absolute(), format=still, options=options, metadata_errors="replace")
    except FFmpegError as error:
        raise _unreadable(head, name) from error
    with container:
        yield container


def picture_stream(container: InputContainer) -> VideoStream | None:
    """The stream that holds the pictures; the cover of an audio file is none."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    return max(streams, key=lambda s: bool(s.disposition & Disposition.default), default=None)


def sound_streams(container: InputContainer) -> list[AudioStream]:
    """The streams that hold sound, those that a player would take first before the others."""
    return sorted(container.streams.audio, key=lambda s: not s.disposition & Disposition.default)


def read_packets(container: InputContainer, stream: VideoStream | AudioStream) -> Iterator[Packet[Any]]:
    """The stream's packets as far as the file can be read; a file that was cut off simply ends earlier."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        if packet.size:
            yield packet


def decode(container: InputContainer, stream: VideoStream | AudioStream) -> Iterator[VideoFrame | AudioFrame]:
    """Everything in the stream that can be decoded, in order of presentation; broken packets are passed over."""
    yield from decode_packets(read_packets(container, stream), stream)


def decode_packets(
    packets: Iterable[Packet[Any]], stream: VideoStream | AudioStream
) -> Iterator[VideoFrame | AudioFrame]:
    """The same of all packets of the stream."""
    for packet in packets:
        try:
            yield from packet.decode()
        except FFmpegError:
            continue
    try:
        yield from stream.decode(None)
    except FFmpegError:
        return


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _unreadable(head: bytes, name: str) -> ChorusError:
    if not head:
        return ChorusError(ErrorKind.INVALID_INPUT, "file-empty", name=name)
    if head[4:8] in _CONTAINER_HEADS or head[:4] in _CONTAINER_HEADS:
        return ChorusError(ErrorKind.INVALID_INPUT, "file-damaged", name=name)
    return ChorusError(ErrorKind.INVALID_INPUT, "not-a-recording", name=name)

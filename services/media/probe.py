"""What an uploaded file is, and why it is refused when it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from av.audio.stream import AudioStream
from av.container import InputContainer

from services.errors import ChorusError, ErrorKind
from services.media.clip import open_clip
from services.media.source import decode, open_source, picture_format, picture_stream, read_packets, sound_stream


@dataclass(frozen=True, slots=True)
class VideoShape:
    """The picture side of a file, as it will be rendered."""

    width: int
    height: int
    frame_rate: Fraction
    frames: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What an uploaded file holds."""

    kind: Literal["video", "audio", "still"]
    seconds: Fraction
    """Of the pictures for a video, of the sound for an audio file, 0 for a still"""
    has_audio: bool
    video: VideoShape | None


def probe(path: Path, *, name: str) -> MediaInfo:
    """Look into a file without decoding more than its first picture or sound.

    Raises INVALID_INPUT, saying what is wrong with `name`, for whatever could neither be rendered nor be spoken.
    """
    has_audio = False
    if not (path.is_file() and picture_format(path)):
        with open_source(path, name) as container:
            sound = sound_stream(container)
            has_audio = sound is not None
            if picture_stream(container) is None:
                return MediaInfo("audio", _sound_seconds(container, sound, name), True, None)
    clip = open_clip(path, name=name)
    shape = VideoShape(clip.width, clip.height, clip.frame_rate, clip.frames)
    return MediaInfo("still" if clip.still else "video", Fraction(0) if clip.still else clip.seconds, has_audio, shape)


def _sound_seconds(container: InputContainer, stream: AudioStream | None, name: str) -> Fraction:
    """By the packets' time stamps: some formats say no duration, others a wrong one."""
    unusable = ChorusError(ErrorKind.INVALID_INPUT, "nothing-can-be-decoded", name=name)
    if stream is None or stream.time_base is None or next(decode(container, stream), None) is None:
        raise unusable
    container.seek(0)
    seconds = sum(packet.duration or 0 for packet in read_packets(container, stream)) * stream.time_base
    if seconds <= 0:
        raise unusable
    return seconds

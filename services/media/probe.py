"""What an uploaded file is, and why it is refused when it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from av.audio.stream import AudioStream
from av.container import InputContainer

from services.errors import ChorusError, ErrorKind
from services.media.clip import Clip, open_clip
from services.media.hearing import SoundChoice, choose_sound, is_clipped
from services.media.source import decode, open_source, picture_format, picture_stream, read_packets, sound_streams


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What an uploaded file holds."""

    kind: Literal["video", "audio", "still"]
    seconds: Fraction
    """Of the pictures for a video, of the sound for an audio file, 0 for a still"""
    has_audio: bool
    video: Clip | None
    """The picture side of a file, as it will be rendered"""
    sound: SoundChoice | None = None
    """Of an audio file, and of a video with several tracks of sound: what is heard of it"""
    clipped: bool = False
    """Of an audio file: the peaks of a good part were cut off"""


def probe(path: Path, *, name: str) -> MediaInfo:
    """Look into a file without decoding more than its first picture or sound.

    Raises INVALID_INPUT, saying what is wrong with `name`, for whatever could neither be rendered nor be spoken.
    """
    several = has_audio = False
    if not (path.is_file() and picture_format(path)):
        with open_source(path, name) as container:
            tracks = len(sound_streams(container))
            has_audio, several = tracks > 0, tracks > 1
            has_pictures = picture_stream(container) is not None
        if not has_pictures:
            choice = choose_sound(path, name)
            seconds = _sound_seconds(path, name, choice.track)
            return MediaInfo("audio", seconds, True, None, choice, is_clipped(path, name, choice.track))
    clip = open_clip(path, name=name)
    if clip.still:
        return MediaInfo("still", Fraction(0), has_audio, clip)
    return MediaInfo("video", clip.seconds, has_audio, clip, choose_sound(path, name) if several else None)


def _sound_seconds(path: Path, name: str, track: int) -> Fraction:
    """By the packets' time stamps: some formats say no duration, others a wrong one, and so do some packets."""
    unusable = ChorusError(ErrorKind.INVALID_INPUT, "nothing-can-be-decoded", name=name)
    with open_source(path, name) as container:
        stream = next(iter(sound_streams(container)[track:]), None)
        if stream is None or stream.time_base is None or next(decode(container, stream), None) is None:
            raise unusable
        container.seek(0)
        seconds = _ticks(container, stream, 1 / stream.time_base) * stream.time_base
    if seconds <= 0:
        raise unusable
    return seconds


def _ticks(container: InputContainer, stream: AudioStream, longest: Fraction) -> int:
    """How long the packets are, each up to the next one's time stamp; a leap of more than `longest` is a gap."""
    total, step, before = 0, 0, None
    for packet in read_packets(container, stream):
        if before is not None and packet.pts is not None and 0 < packet.pts - before <= longest:
            step = packet.pts - before
        total += step
        before, step = packet.pts, packet.duration or step
    return total + step

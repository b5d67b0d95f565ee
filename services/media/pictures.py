"""The stored pictures of a file, whoever decodes them: the one place where preprocess and render read a source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final, Protocol

from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.accepted_files import MAX_SIDE
from services.errors import ChorusError, ErrorKind
from services.media.orientation import Orientation, display_orientation
from services.media.photos import PhotoHeader, animation_times, decode_animation, decode_photo, photo_header
from services.media.source import decode, decode_packets, open_source, picture_format, picture_stream, read_packets
from services.media.timing import PacketNotes, Timing, noted_timing, still_timing, timing_of_milliseconds

DECODING_VERSION: Final = "3"
"""Part of the keys of what is kept of a source's frames: raise it when a file would give other frames than before"""

Stamped = tuple[int, VideoFrame]
"""A picture's place in the file's own time, or its count, and the picture"""


class Pictures(Protocol):
    """An open file with pictures."""

    still: bool
    aspect: Fraction
    """Width of a stored pixel by its height; 1 when the file does not say"""
    largest_side: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as the file's header says, 0 when it does not."""

    def orientation(self, picture: VideoFrame) -> Orientation:
        """How a picture of it becomes upright."""

    def first(self) -> tuple[VideoFrame | None, int | None]:
        """The first picture that can be decoded, and its time stamp if the file's stamps hold."""

    def timing(self, first: int | None) -> Timing:
        """When its pictures are shown, from the time stamp of the first; to be asked after `first`, and once."""

    def start_at(self, keyframe: int) -> bool:
        """Go to a keyframe; False when that cannot be done."""

    def decode(self, *, counted: bool = False) -> Iterator[Stamped]:
        """The pictures from here on, one at a time."""


@contextmanager
def open_pictures(path: Path, name: str) -> Iterator[Pictures]:
    """Open a file for its pictures; INVALID_INPUT says what is wrong with `name` when it has none."""
    header = photo_header(path, name) if path.is_file() and picture_format(path) else None
    if header and header.by_pillow:
        yield _Animation(path, name, header) if header.pictures > 1 else _Photo(path, name, header)
        return
    with open_source(path, name) as container:
        stream = picture_stream(container)
        if stream is None:
            raise ChorusError(ErrorKind.INVALID_INPUT, "only-sound", name=name)
        yield _Recording(container, stream, header, still=picture_format(path) is not None)


class _Recording:
    """What FFmpeg decodes: videos, and photos that need no conversion of their colours."""

    def __init__(
        self, container: InputContainer, stream: VideoStream, header: PhotoHeader | None, *, still: bool
    ) -> None:
        self.still = still
        self.aspect = stream.sample_aspect_ratio or Fraction(1)
        self.largest_side = 2 * MAX_SIDE if still else MAX_SIDE
        self._container = container
        self._stream = stream
        self._header = header
        self._notes = PacketNotes()
        self._packets = self._notes.noted(read_packets(container, stream))
        """For `first` and `timing`, which read the file once between them"""
        stream.thread_type = "NONE"  # threads cost 15 % more CPU; the encoder and Triton use the other cores

    @property
    def size(self) -> tuple[int, int]:
        return self._stream.width, self._stream.height

    def orientation(self, picture: VideoFrame) -> Orientation:
        return self._header.orientation if self._header else display_orientation(picture)

    def first(self) -> tuple[VideoFrame | None, int | None]:
        picture = next(decode_packets(self._packets, self._stream), None)
        if not isinstance(picture, VideoFrame):
            return None, None
        # AVI has decoding times only, so the pictures' order is not in the file when they are stored reordered.
        reordered = self._container.format.name == "avi" and bool(self._stream.codec_context.has_b_frames)
        return picture, None if reordered else picture.pts

    def timing(self, first: int | None) -> Timing:
        if self.still:
            return still_timing()
        for _ in self._packets:
            pass
        return noted_timing(self._notes, self._stream, first=first)

    def start_at(self, keyframe: int) -> bool:
        try:
            self._container.seek(keyframe, stream=self._stream)
        except FFmpegError:
            return False
        return True

    def decode(self, *, counted: bool = False) -> Iterator[Stamped]:
        for number, picture in enumerate(decode(self._container, self._stream)):
            assert isinstance(picture, VideoFrame)
            if counted:
                yield number, picture
            elif picture.pts is not None:
                yield picture.pts, picture


class _Photo:
    """A picture file that Pillow decodes."""

    still = True
    aspect = Fraction(1)
    largest_side = 2 * MAX_SIDE

    def __init__(self, path: Path, name: str, header: PhotoHeader) -> None:
        self._path = path
        self._name = name
        self._header = header

    @property
    def size(self) -> tuple[int, int]:
        return self._header.width, self._header.height

    def orientation(self, picture: VideoFrame) -> Orientation:
        return self._header.orientation

    def first(self) -> tuple[VideoFrame | None, int | None]:
        return next((picture for _, picture in self.decode()), None), 0

    def timing(self, first: int | None) -> Timing:
        return still_timing()

    def start_at(self, keyframe: int) -> bool:
        return False

    def decode(self, *, counted: bool = False) -> Iterator[Stamped]:
        yield 0, decode_photo(self._path, self._name)


class _Animation(_Photo):
    """A picture file with several pictures: a video."""

    still = False
    largest_side = MAX_SIDE

    def timing(self, first: int | None) -> Timing:
        return timing_of_milliseconds(*animation_times(self._path, self._name))

    def decode(self, *, counted: bool = False) -> Iterator[Stamped]:
        return decode_animation(self._path, self._name)

"""The frames of a clip in output order, with memory that does not grow with its length."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Final

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.errors import ChorusError, ErrorKind
from services.media.clip import Clip
from services.media.colour import matrix_of, range_of
from services.media.frame import Frame
from services.media.planes import frame_bytes, upright_planes
from services.media.source import decode, open_source, picture_stream
from services.timeline import Extend, source_index

_BACKWARD_BYTES: Final = 192 << 20
"""Decoded pictures held at once to play them backwards."""

Shown = tuple[int, VideoFrame]
"""A frame's index in the clip and the stored picture that it shows"""


def read_frames(clip: Clip, count: int, extend: Extend) -> Iterator[Frame]:
    """Give `count` frames in the order of timeline.source_index; each one's planes belong to the taker.

    A picture that cannot be decoded is replaced by the one before it.
    """
    for index, picture in _pictures(clip, count, extend):
        y, u, v = upright_planes(picture, clip.stored_size, clip.pixel_format, clip.colour, clip.orientation)
        yield Frame(
            index=index,
            y=y,
            u=u,
            v=v,
            bit_depth=10 if clip.pixel_format.endswith("10le") else 8,
            matrix=matrix_of(clip.colour, clip.width, clip.height),
            range=range_of(clip.colour),
        )


def _pictures(clip: Clip, count: int, extend: Extend) -> Iterator[Shown]:
    if clip.frames == 1 or extend in (Extend.FREEZE, Extend.CUT):
        yield from _forwards(clip, 0, (source_index(frame, clip.frames, extend) for frame in range(count)))
        return
    for leg in _legs(count, clip.frames, extend):
        yield from _backwards(clip, leg) if leg.step < 0 else _forwards(clip, leg.start, leg)


def _legs(count: int, frames: int, extend: Extend) -> Iterator[range]:
    """Runs of source frames in one direction that make up the first `count` frames of timeline.source_index."""
    forward, backward = range(frames), range(frames - 2, 0, -1)
    while count > 0:
        yield forward[:count]
        count -= frames
        if extend is Extend.PINGPONG and count > 0 and backward:
            yield backward[:count]
            count -= len(backward)


def _backwards(clip: Clip, leg: range) -> Iterator[Shown]:
    """A descending run of frames, decoded forwards in parts that fit the memory."""
    longest = max(1, _BACKWARD_BYTES // frame_bytes(clip.pixel_format, clip.width, clip.height))
    for start in range(0, len(leg), longest):
        part = leg[start : start + longest][::-1]
        held = list(_forwards(clip, part.start, part))
        while held:
            yield held.pop()


def _forwards(clip: Clip, start: int, indices: Iterable[int]) -> Iterator[Shown]:
    """Frames from `start` on, never descending, each with the newest picture at its time."""
    with closing(_decode_from(clip, start)) as pictures:
        current = next(pictures, None)
        if current is None:
            raise ChorusError(ErrorKind.INVALID_INPUT, "video-cannot-be-decoded", name=clip.name)
        upcoming: tuple[int, VideoFrame] | None = None
        for index in indices:
            wanted = int(clip.timing.times[index])
            while current[0] < wanted:
                upcoming = upcoming or next(pictures, None)
                if upcoming is None or upcoming[0] > wanted:
                    break
                current, upcoming = upcoming, None
            yield index, current[1]


def _decode_from(clip: Clip, index: int) -> Generator[tuple[int, VideoFrame]]:
    """Time stamps and pictures, from one on that is not newer than what frame `index` shows.

    Seeking may land too late, and a keyframe may be broken: then an earlier one is tried, at last the file's start.
    """
    wanted = int(clip.timing.times[index])
    for keyframe in _starting_points(clip, wanted):
        with open_source(clip.path, clip.name) as container:
            stream = picture_stream(container)
            assert stream is not None
            stream.thread_type = "NONE"  # threads cost 15 % more CPU; the encoder and Triton use the other cores
            if keyframe is not None and not _seek(container, stream, keyframe):
                continue
            pictures = _stamped(container, stream, clip.timing.counted)
            first = next(pictures, None)
            if keyframe is not None and (first is None or first[0] > wanted):
                continue
            if first is not None:
                yield first
                yield from pictures
            return


def _starting_points(clip: Clip, wanted: int) -> Iterator[int | None]:
    """Keyframes to start at, the nearest first; None is the start of the file."""
    keyframes = clip.timing.keyframes
    yield from (int(keyframe) for keyframe in keyframes[1 : np.searchsorted(keyframes, wanted, side="right")][::-1])
    yield None


def _seek(container: InputContainer, stream: VideoStream, keyframe: int) -> bool:
    try:
        container.seek(keyframe, stream=stream)
    except FFmpegError:
        return False
    return True


def _stamped(container: InputContainer, stream: VideoStream, counted: bool) -> Iterator[tuple[int, VideoFrame]]:
    for number, picture in enumerate(decode(container, stream)):
        assert isinstance(picture, VideoFrame)
        if counted:
            yield number, picture
        elif picture.pts is not None:
            yield picture.pts, picture

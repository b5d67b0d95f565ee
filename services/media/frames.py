"""The frames of a clip in output order, with memory that does not grow with its length."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from typing import Final

import numpy as np
from av.video.frame import VideoFrame

from services.errors import ChorusError, ErrorKind
from services.media.clip import Clip
from services.media.colour import Samples, matrix_of, range_of
from services.media.fields import Scan, field_pictures
from services.media.frame import Frame
from services.media.pictures import Stamped, open_pictures
from services.media.planes import frame_bytes, upright_planes
from services.timeline import Extend, source_index

_BACKWARD_BYTES: Final = 192 << 20
"""Decoded pictures held at once to play them backwards."""

_FIELDS_AROUND: Final = 4

_GLANCE_WAY: Final = 24
"""Frames that are decoded at most, beside keyframes, for all glances: a tenth of a second"""

Planes = tuple[Samples, Samples, Samples]
"""Y, U and V"""
Shown = tuple[int, VideoFrame]
"""A frame's index in the clip and the stored picture that it shows"""


def read_frames(clip: Clip, count: int, extend: Extend) -> Iterator[Frame]:
    """Give `count` frames in the order of timeline.source_index; each one's planes belong to the taker.

    A picture that cannot be decoded is replaced by the one before it.
    """
    for index, picture in _pictures(clip, count, extend):
        y, u, v = (np.array(plane, order="C") for plane in _lent(clip, picture))
        yield frame_of(clip, index, (y, u, v))


def lent_frames(clip: Clip, count: int, extend: Extend) -> Iterator[Planes]:
    """The planes of read_frames for those who only pass them on: nobody may write to them."""
    for _, picture in _pictures(clip, count, extend):
        yield _lent(clip, picture)


def glances(clip: Clip, count: int, *, more: bool = False) -> tuple[int, ...]:
    """At most `count` frames of the clip, ascending, as spread over it as is quick to decode: keyframes.

    `more` also gives what is shown a moment after one, where it has too few of them.
    """
    wanted = np.unique(np.linspace(0, clip.frames - 1, count + 1)[:-1].astype(int)).tolist()
    groups = list(_by_keyframe(clip, wanted))
    way = _GLANCE_WAY // len(groups)
    chosen = set()
    for start, indices in groups:
        chosen.add(start)
        if more and len(indices) > 1:
            chosen.add(start + min(way, indices[-1] - start))
    return tuple(sorted(chosen))


def lent_glances(clip: Clip, indices: Sequence[int]) -> Iterator[Planes]:
    """The planes of these frames, ascending, as of lent_frames; what lies before their keyframes is not decoded."""
    for _, group in _by_keyframe(clip, indices):
        for _, picture in _forwards(clip, group[0], group):
            yield _lent(clip, picture)


def _by_keyframe(clip: Clip, indices: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Ascending frames in groups: the frame of the keyframe from which all of a group are decoded, and the group."""
    keyframes = clip.timing.keyframes
    # Those of fields count half pictures.
    times = clip.timing.times if clip.scan is Scan.PROGRESSIVE else clip.timing.times // 2

    def start_of(index: int) -> int:
        before = int(np.searchsorted(keyframes, times[index], side="right")) - 1
        return int(np.searchsorted(times, keyframes[before])) if before > 0 else 0

    for start, group in groupby(indices, start_of):
        yield start, list(group)


def _lent(clip: Clip, picture: VideoFrame) -> Planes:
    return upright_planes(picture, clip.stored_size, clip.pixel_format, clip.colour, clip.orientation)


def frame_of(clip: Clip, index: int, planes: Planes) -> Frame:
    """The frame of `clip` that has these planes."""
    y, u, v = planes
    return Frame(
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
        upcoming: Stamped | None = None
        for index in indices:
            wanted = int(clip.timing.times[index])
            while current[0] < wanted:
                upcoming = upcoming or next(pictures, None)
                if upcoming is None or upcoming[0] > wanted:
                    break
                current, upcoming = upcoming, None
            yield index, current[1]


def _decode_from(clip: Clip, index: int) -> Generator[Stamped]:
    """Time stamps and pictures, from one on that is not newer than what frame `index` shows."""
    if clip.scan is Scan.PROGRESSIVE:
        yield from _stored_from(clip, int(clip.timing.times[index]))
        return
    # A field is made of those around it: what comes out must not depend on where decoding was started.
    earlier = int(clip.timing.times[max(0, index - _FIELDS_AROUND)])
    with closing(_stored_from(clip, earlier // 2)) as stored:
        yield from field_pictures(stored, clip.scan)


def _stored_from(clip: Clip, wanted: int) -> Generator[Stamped]:
    """Stored pictures with their stamps, from one on that is not newer than `wanted`.

    Seeking may land too late, and a keyframe may be broken: then an earlier one is tried, at last the file's start.
    """
    for keyframe in _starting_points(clip, wanted):
        with open_pictures(clip.path, clip.name) as pictures:
            if keyframe is not None and not pictures.start_at(keyframe):
                continue
            stamped = pictures.decode(counted=clip.timing.counted)
            first = next(stamped, None)
            if keyframe is not None and (first is None or first[0] > wanted):
                continue
            if first is not None:
                yield first
                yield from stamped
            return


def _starting_points(clip: Clip, wanted: int) -> Iterator[int | None]:
    """Keyframes to start at, the nearest first; None is the start of the file."""
    keyframes = clip.timing.keyframes
    yield from (int(keyframe) for keyframe in keyframes[1 : np.searchsorted(keyframes, wanted, side="right")][::-1])
    yield None

"""Interlaced footage: how it is told, and how its fields become whole pictures at the fields' own rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from fractions import Fraction
from typing import Final

from av.error import BlockingIOError as NothingYetError
from av.error import EOFError as EndError
from av.filter import Graph
from av.video.frame import VideoFrame

from services.media.filters import filter_chain

_LINES: Final = frozenset({480, 486, 512, 576, 1080, 1088})
_RATES: Final = (Fraction(25), Fraction(30000, 1001), Fraction(30))
_TIME_BASE: Final = Fraction(1, 25)
_LEAST_SURE: Final = 3
"""Pictures of a few that must look interlaced before anybody believes it against the file's own word"""


class Scan(StrEnum):
    """How the lines of stored pictures belong together; the values are bwdif's for the parity."""

    PROGRESSIVE = "progressive"
    FLAGGED = "auto"
    """Interlaced, each picture says which field is first"""
    TOP_FIRST = "tff"
    BOTTOM_FIRST = "bff"


def may_be_interlaced(height: int, frame_rate: Fraction) -> bool:
    """True for the sizes and rates in which interlaced video exists, so that others pay for no look."""
    return height in _LINES and frame_rate in _RATES


def scan_of(pictures: list[VideoFrame]) -> Scan:
    """What consecutive pictures of one video are: by their flags, else by how their lines move."""
    if any(picture.interlaced_frame for picture in pictures):
        return Scan.FLAGGED
    if len(pictures) <= _LEAST_SURE:
        return Scan.PROGRESSIVE
    seen = [dict(each.metadata).get("lavfi.idet.multiple.current_frame") for each in _filtered(pictures, "idet", "")]
    top, bottom, whole = (seen.count(word) for word in ("tff", "bff", "progressive"))
    if max(top, bottom) < _LEAST_SURE or max(top, bottom) <= whole + min(top, bottom):
        return Scan.PROGRESSIVE
    return Scan.TOP_FIRST if top > bottom else Scan.BOTTOM_FIRST


def field_pictures(pictures: Iterable[tuple[int, VideoFrame]], scan: Scan) -> Iterator[tuple[int, VideoFrame]]:
    """Each picture with its stamp as two, by FFmpeg's bwdif: stamps 2 t and 2 t + 1."""
    stamps: list[int] = []

    def taken() -> Iterator[VideoFrame]:
        for stamp, picture in pictures:
            stamps.append(stamp)
            yield picture

    for number, picture in enumerate(_filtered(taken(), "bwdif", f"mode=send_field:parity={scan}:deint=all")):
        # The filter looks one picture ahead; what it has given is not needed any more.
        yield 2 * stamps[0] + number % 2, picture
        if number % 2:
            del stamps[0]


def _filtered(pictures: Iterable[VideoFrame], name: str, arguments: str) -> Iterator[VideoFrame]:
    """The pictures through one filter, whose graph is made anew where a stream changes its size or format."""
    graph: Graph | None = None
    shape = None
    for number, picture in enumerate(pictures):
        if shape != (shape := (picture.width, picture.height, picture.format.name)):
            if graph:
                graph.vpush(None)
                yield from _pulled(graph)
            size = picture.width, picture.height
            graph = filter_chain(size, picture.format.name, _TIME_BASE, [(name, arguments)])
        assert graph is not None
        picture.pts, picture.time_base = number, _TIME_BASE
        graph.vpush(picture)
        yield from _pulled(graph)
    if graph:
        graph.vpush(None)
        yield from _pulled(graph)


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (NothingYetError, EndError):
            return

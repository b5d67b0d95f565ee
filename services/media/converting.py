"""Pictures on their way to another pixel format and other colours, by FFmpeg's filters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from services.media.clip import Clip
from services.media.colour import ColourTags, Matrix, Range, matrix_of, range_of
from services.media.delivery import Encoding
from services.media.tone_mapping import HdrMetadata, needs_mapping, write_table

_MATRIX: Final = {Matrix.BT601: "smpte170m", Matrix.BT709: "bt709", Matrix.BT2020: "bt2020"}
_RANGE: Final = {Range.LIMITED: "tv", Range.FULL: "pc"}
_SCALING: Final = "bicubic+accurate_rnd+full_chroma_int"


class Converter:
    """Turns frames of a clip into those of an encoding; what it is given must carry no colour tags."""

    def __init__(self, clip: Clip, encoding: Encoding, table: Path) -> None:
        """`table` is where the way to BT.709 is written if it needs one."""
        given = f"in_color_matrix={_MATRIX[matrix_of(clip.colour, clip.width, clip.height)]}"
        given += f":in_range={_RANGE[range_of(clip.colour)]}"
        wanted = "out_color_matrix=bt709:out_range=tv"
        steps: list[tuple[str, str | None]] = [("scale", f"{given}:{wanted}:flags={_SCALING}")]
        if needs_mapping(clip.colour):
            write_table(table, clip.colour, clip.hdr)
            steps = [
                ("scale", f"{given}:flags={_SCALING}"),
                ("format", "gbrp10le"),
                ("lut3d", None),
                ("scale", f"{wanted}:flags={_SCALING}"),
            ]
        self._graph = _linked((clip.width, clip.height), clip.pixel_format, [*steps, ("format", "yuv420p")], table)

    def convert(self, picture: VideoFrame) -> VideoFrame:
        """The picture in the encoding's format."""
        self._graph.vpush(picture)
        return self._graph.vpull()


@contextmanager
def converter_for(clip: Clip, encoding: Encoding) -> Iterator[Converter | None]:
    """What a clip needs to become the encoding's frames; None when they are coded as they are."""
    if not encoding.converted:
        yield None
        return
    with TemporaryDirectory(prefix="chorus-colours-") as folder:
        yield Converter(clip, encoding, Path(folder) / "table.cube")


def on_ordinary_screens(
    rgb: NDArray[np.uint8], colour: ColourTags, hdr: HdrMetadata | None = None
) -> NDArray[np.uint8]:
    """(h, w, 3) R'G'B' of a source with these tags as an ordinary screen shows it."""
    if not needs_mapping(colour):
        return rgb
    with TemporaryDirectory(prefix="chorus-colours-") as folder:
        table = write_table(Path(folder) / "table.cube", colour, hdr)
        steps: list[tuple[str, str | None]] = [("lut3d", None), ("format", "rgb24")]
        graph = _linked((rgb.shape[1], rgb.shape[0]), "rgb24", steps, table)
        graph.vpush(VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"))
        return np.asarray(graph.vpull().to_ndarray(), np.uint8)


def _linked(size: tuple[int, int], pixel_format: str, steps: list[tuple[str, str | None]], table: Path) -> Graph:
    graph = Graph()
    graph.threads = 1  # the encoder and Triton use the other cores
    source = graph.add_buffer(
        width=size[0], height=size[1], format=VideoFormat(pixel_format), time_base=Fraction(1, 1000)
    )
    filters = [
        graph.add(name, None, file=str(table), interp="tetrahedral") if name == "lut3d" else graph.add(name, arguments)
        for name, arguments in steps
    ]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()
    return graph

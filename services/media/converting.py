"""Pictures on their way to another pixel format and other colours, by FFmpeg's filters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from services.media.clip import Clip
from services.media.colour import ColourTags, Matrix, Range, matrix_of, range_of
from services.media.delivery import Encoding
from services.media.filters import Step, filter_chain
from services.media.tone_mapping import HdrMetadata, needs_mapping, write_table

_MATRIX: Final = {Matrix.BT601: "smpte170m", Matrix.BT709: "bt709", Matrix.BT2020: "bt2020"}
_RANGE: Final = {Range.LIMITED: "tv", Range.FULL: "pc"}
_TIME_BASE: Final = Fraction(1, 1000)
_SCALING: Final = "bicubic+accurate_rnd+full_chroma_int"


class Converter:
    """Turns frames of a clip into those of an encoding; what it is given must carry no colour tags."""

    def __init__(self, clip: Clip, encoding: Encoding, table: Path) -> None:
        """`table` is where the way to BT.709 is written if it needs one."""
        given = f"in_color_matrix={_MATRIX[matrix_of(clip.colour, clip.width, clip.height)]}"
        given += f":in_range={_RANGE[range_of(clip.colour)]}"
        wanted = "out_color_matrix=bt709:out_range=tv"
        steps: list[Step] = [("scale", f"{given}:{wanted}:flags={_SCALING}")]
        if needs_mapping(clip.colour):
            write_table(table, clip.colour, clip.hdr)
            steps = [
                ("scale", f"{given}:flags={_SCALING}"),
                ("format", "gbrp10le"),
                _mapped(table),
                ("scale", f"{wanted}:flags={_SCALING}"),
            ]
        size = clip.width, clip.height
        self._graph = filter_chain(size, clip.pixel_format, _TIME_BASE, [*steps, ("format", "yuv420p")])

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
        steps: list[Step] = [_mapped(table), ("format", "rgb24")]
        graph = filter_chain((rgb.shape[1], rgb.shape[0]), "rgb24", _TIME_BASE, steps)
        graph.vpush(VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"))
        return np.asarray(graph.vpull().to_ndarray(), np.uint8)


def _mapped(table: Path) -> Step:
    return "lut3d", {"file": str(table), "interp": "tetrahedral"}

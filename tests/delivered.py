"""Sources of every kind that outputs are coded from, and outputs of them without any change of the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from services.media import Clip, Extend, open_clip, read_frames, write_video
from services.media.colour import HLG, PQ
from services.media.delivery import Delivery
from tests.media_samples import ClipRecipe, make_clip, make_still

SOURCES: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {},
    "4:4:4": {"pixel_format": "yuv444p"},
    "4:2:2": {"pixel_format": "yuv422p"},
    "full range": {"pixel_format": "yuvj420p"},
    "10 bit": {"pixel_format": "yuv420p10le"},
    "10 bit 4:2:2": {"pixel_format": "yuv422p10le"},
    "HLG": {"pixel_format": "yuv420p10le", "tags": {"colorspace": 9, "color_primaries": 9, "color_trc": HLG}},
    "PQ": {"pixel_format": "yuv420p10le", "tags": {"colorspace": 9, "color_primaries": 9, "color_trc": PQ}},
    "Display P3": {"tags": {"colorspace": 1, "color_primaries": 12, "color_trc": 1}},
}
"""What a recipe says of each row of the table in docs/delivery.md"""


def _cmyk(folder: Path) -> Path:
    inks = np.zeros((120, 160, 4), np.uint8)
    inks[..., 0], inks[..., 1] = np.linspace(0, 200, 160), np.linspace(0, 200, 120)[:, None]
    Image.fromarray(inks, "CMYK").save(folder / "a.jpg", quality=95, subsampling=0)
    return folder / "a.jpg"


def _gif(folder: Path) -> Path:
    ramp = np.linspace(20, 200, 160).astype(np.uint8)
    pictures = [Image.fromarray(np.tile(np.roll(ramp, 16 * number), (120, 1))) for number in range(3)]
    pictures[0].save(folder / "a.gif", save_all=True, append_images=pictures[1:], duration=200, loop=0)
    return folder / "a.gif"


def _filmed(**changes: Any) -> Callable[[Path], Path]:
    return lambda folder: make_clip(folder / "a.mp4", ClipRecipe(frames=8, **changes))


ODD_SOURCES: Final[Mapping[str, Callable[[Path], Path]]] = {
    "a photo of odd size": lambda folder: make_still(folder / "a.jpg", (159, 119)),
    "a photo in CMYK": _cmyk,
    "a GIF": _gif,
    "interlaced": _filmed(size=(160, 576), options={"qp": "0", "preset": "ultrafast", "x264opts": "tff=1"}),
    "lying": _filmed(rotation=90, size=(120, 160)),
    "anamorphic": _filmed(aspect=Fraction(5, 4)),
    "60 pictures a second": _filmed(rate=Fraction(60000, 1001)),
}
"""Files of other kinds, 160 x 120 to look at but for two: the interlaced (160 x 576) and the anamorphic (200 x 120)

The anamorphic is not 3 by 2: Firefox 153 shows what H.264 calls so as 8 by 5, from every encoder.
"""


def clip_of(folder: Path, source: str) -> Clip:
    """The clip of a row of SOURCES or ODD_SOURCES, made in the folder."""
    make = ODD_SOURCES.get(source) or _filmed(**SOURCES[source])
    return open_clip(make(folder), name="a")


def written(
    path: Path, clip: Clip, delivery: Delivery, count: int = 4, sound: Path | None = None, **changes: Any
) -> Path:
    """The first `count` frames of the clip, to and fro, coded as an output."""
    settings: dict[str, Any] = {"seconds": count / clip.frame_rate, "crf": 18, "preset": "veryfast", "metadata": {}}
    frames = read_frames(clip, count, Extend.PINGPONG)
    write_video(path, clip, frames, sound, delivery=delivery, **(settings | changes))
    return path

"""Whether an encoder of graphics hardware works here: it codes a second of video, and what comes out is looked at.

A driver may be absent, may lack what FFmpeg asks of it, may crash or hang, or may make another profile, other colours
or other pictures than it was told to. So this belongs into a process of its own with a deadline (jobs/encoders.py).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import av
import numpy as np
from av.error import FFmpegError

from services.media.clip import Clip
from services.media.colour import Matrix, Range
from services.media.delivery import BT709, level_of
from services.media.fields import Scan
from services.media.frame import Frame
from services.media.hardware import HARDWARE, HardwareFailedError
from services.media.orientation import Orientation
from services.media.planes import plane_view
from services.media.timing import still_timing
from services.media.write import write_video

_WIDTH, _HEIGHT, _RATE = 640, 360, Fraction(25)
_PICTURES: Final = 25
"""More than any of them looks ahead by default"""
_CRF: Final = 18
_MOST_ASIDE: Final = 4.0
"""Grey levels in the mean between what was given and what came out; good ones differ by less than one"""


def first_that_works() -> tuple[str | None, dict[str, str]]:
    """The first of HARDWARE that works, None when none does, and why those before it do not."""
    flaws: dict[str, str] = {}
    for codec in HARDWARE:
        flaw = flaw_of(codec)
        if not flaw:
            return codec, flaws
        flaws[codec] = flaw
    return None, flaws


def flaw_of(codec: str) -> str:
    """Why an encoder of HARDWARE cannot be used, for those who look after the machine; empty when it can."""
    frames = [_picture(number) for number in range(_PICTURES)]
    with TemporaryDirectory(prefix="chorus-encoder-") as folder:
        path = Path(folder) / "trial.mp4"
        settings = {"crf": _CRF, "preset": "veryfast", "delivery": "compatible", "metadata": {}, "hardware": codec}
        try:
            write_video(path, _clip(path), iter(frames), None, seconds=_PICTURES / _RATE, **settings)  # type: ignore[arg-type]
            return _flaw_in(path, frames)
        except HardwareFailedError as error:
            return _words_of(error.__cause__)
        except (FFmpegError, LookupError, ValueError) as error:  # of no such encoder, or of a file that cannot be read
            return _words_of(error)


def _clip(path: Path) -> Clip:
    return Clip(
        path=path,
        name=path.name,
        frame_rate=_RATE,
        frames=_PICTURES,
        width=_WIDTH,
        height=_HEIGHT,
        pixel_format="yuv420p",
        colour=BT709,
        sample_aspect_ratio=Fraction(1),
        still=False,
        hdr=None,
        orientation=Orientation(),
        scan=Scan.PROGRESSIVE,
        stored_size=(_WIDTH, _HEIGHT),
        timing=still_timing(),
    )


def _picture(number: int) -> Frame:
    """A pattern that moves, in colours that do."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH]
    y = np.rint(126 + 60 * np.sin((columns + 5 * number) / 23) * np.cos((rows - 3 * number) / 17)).astype(np.uint8)
    u, v = (np.full((_HEIGHT // 2, _WIDTH // 2), 128 + sign * 2 * number, np.uint8) for sign in (1, -1))
    return Frame(number, y, u, v, 8, Matrix.BT709, Range.LIMITED)


def _words_of(error: BaseException | None) -> str:
    """What FFmpeg says, without all that it was given."""
    return str(getattr(error, "strerror", None) or error)


def _flaw_in(path: Path, given: list[Frame]) -> str:
    content = path.read_bytes()
    wanted = ("h264", "High", "avc1", "yuv420p", (1, 1, 1, 1))
    with av.open(path) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        shown = list(container.decode(stream))
        colours = context.color_range, context.colorspace, context.color_primaries, context.color_trc
        found = (context.name, str(context.profile), context.codec_tag, context.pix_fmt, colours)
    level = content[content.index(b"avcC") + 4 + 3]
    if found != wanted:
        return f"made {found} of {wanted}"
    if level > round(10 * float(level_of(_WIDTH, _HEIGHT, _RATE).name)):
        return f"made level {level / 10}"
    if [picture.pts * picture.time_base * _RATE for picture in shown] != list(range(_PICTURES)):  # type: ignore[operator]
        return f"made {len(shown)} pictures of {_PICTURES}, or at other times"
    aside = max(
        float(np.abs(plane_view(picture, number).astype(np.float32) - plane).mean())
        for picture, frame in zip(shown, given, strict=True)
        for number, plane in enumerate(frame.planes)
    )
    return f"made pictures that differ by {aside:.1f} grey levels" if aside > _MOST_ASIDE else ""

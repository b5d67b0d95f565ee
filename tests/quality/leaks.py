"""What a talker's own words leave in a mouth that is asked to rest: in its lips and in the skin round it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from services.media import Extend, open_clip, read_frames
from tests.quality import mouth_measures as measure
from tests.quality.face_meter import FaceMeter
from tests.quality.onnx_models import OnnxModels
from tests.quality.pixel_measures import flicker, mouth_close_up
from tests.quality.tables import shown

_CALM = 9
"""Frames over which a head's way is averaged: steady points tremble as all landmarks do"""
_HEADINGS = ["clip", "rest p99", "rest moves ‰", "the talker's own", "of nothing", "flicker", "the talker's own"]


@dataclass(frozen=True, slots=True)
class LeakFigures:
    """One talker with nobody's voice."""

    clip: str
    opening: float
    """99th percentile, eye distances"""
    moves: tuple[float, float, float]
    """Way of the lips a frame, thousandths of the eye distance: output, source, and of lips that lie still on the head,
    which is the measure's own noise"""
    flickers: tuple[float, float]
    """Change of the pixels round the mouth a frame, grey levels: output, source"""


def leaks_of(source: Path, output: Path, models: OnnxModels) -> LeakFigures:
    """Both clips have the same frames; what moves beside the head's own way is looked at."""
    before, after = (_landmarks(path, models) for path in (source, output))
    heads = heads_of(before)
    still = after.copy()
    still[:, measure.LIPS] = heads[:, measure.LIPS]
    moves, own, noise = (1000 * measure.lip_movement(faces) for faces in (after, before, still))
    pixels = [flicker(_close_ups(path, heads)) for path in (output, source)]
    return LeakFigures(
        clip=source.stem,
        opening=float(np.nanpercentile(measure.inner_opening(after), 99)),
        moves=(moves, own, noise),
        flickers=(pixels[0], pixels[1]),
    )


def heads_of(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median face of (n, 478, 3), carried along by the steady points of each frame: its mouth does nothing."""
    steady = list(measure.STEADY)
    middle = np.median(landmarks, axis=0)
    terms = np.column_stack([middle[:, :2], np.ones(len(middle))])
    fits = np.array([np.linalg.lstsq(terms[steady], face[steady, :2], rcond=None)[0] for face in landmarks])
    padded = np.pad(fits, ((_CALM // 2, _CALM // 2), (0, 0), (0, 0)), mode="edge")
    calm = np.lib.stride_tricks.sliding_window_view(padded, _CALM, axis=0).mean(axis=-1)
    heads = np.repeat(middle[None], len(landmarks), axis=0)
    heads[..., :2] = terms @ calm
    return heads.astype(np.float32)


def table_of(rows: Sequence[LeakFigures]) -> Table:
    """For the terminal."""
    return shown("Talkers while nobody speaks", _HEADINGS, _cells(rows), left=("clip",))


def markdown_of(rows: Sequence[LeakFigures]) -> str:
    """For a page."""
    lines = [_HEADINGS, ["---"] * len(_HEADINGS), *_cells(rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(rows: Sequence[LeakFigures]) -> list[list[str]]:
    return [
        [row.clip, f"{row.opening:.4f}", *(f"{way:.1f}" for way in row.moves), *(f"{one:.2f}" for one in row.flickers)]
        for row in rows
    ]


def _landmarks(path: Path, models: OnnxModels) -> NDArray[np.float32]:
    clip, meter = open_clip(path, name=path.name), FaceMeter(models)
    return np.array([meter.measure(frame).copy() for frame in read_frames(clip, clip.frames, Extend.CUT)])


def _close_ups(path: Path, heads: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    clip = open_clip(path, name=path.name)
    frames = read_frames(clip, len(heads), Extend.CUT)
    return [mouth_close_up(frame.rgb(), head) for frame, head in zip(frames, heads, strict=True)]

"""Real talkers as the judge: a clip is driven by a voice, and what its lips do is held against the mouth that spoke."""

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
from tests.quality.mouth_measures import Series
from tests.quality.onnx_models import OnnxModels
from tests.quality.pixel_measures import mouth_close_up, visible_inside
from tests.quality.tables import shown


@dataclass(frozen=True, slots=True)
class Mouth:
    """What a mouth does over a clip, by frame; NaN where no face was found."""

    opening: Series
    """Between the inner lips, eye distances"""
    width: Series
    """Between the corners, eye distances"""
    inside: Series
    """Share of the mouth's place that shows its inside, by pixels alone"""


@dataclass(frozen=True, slots=True)
class TalkerFigures:
    """One voice on one face, against the mouth that spoke."""

    voice: str
    face: str
    opening: float
    """Correlation, no lag allowed"""
    lag: int
    """Frames at which the opening correlates best; > 0: the output is late"""
    width: float
    inside: float
    medians: tuple[float, float]
    """Opening of the output and of the mouth that spoke, eye distances"""
    widest: tuple[float, float]
    """The same, 95th percentiles"""


def mouth_of(path: Path, models: OnnxModels) -> Mouth:
    """Landmarks and pixels of every frame, found anew."""
    clip = open_clip(path, name=path.name)
    meter = FaceMeter(models)
    landmarks = np.full((clip.frames, 478, 3), np.nan, np.float32)
    inside = np.full(clip.frames, np.nan)
    for index, frame in enumerate(read_frames(clip, clip.frames, Extend.CUT)):
        landmarks[index] = meter.measure(frame)
        if not np.isnan(landmarks[index]).any():
            inside[index] = visible_inside(mouth_close_up(frame.rgb(), landmarks[index]))
    return Mouth(measure.inner_opening(landmarks), measure.mouth_width(landmarks), inside)


def figures_of(voice: str, face: str, output: Mouth, spoken: Mouth) -> TalkerFigures:
    """The row of one output; both mouths have the frame rate of the talkers' clips."""
    return TalkerFigures(
        voice=voice,
        face=face,
        opening=_correlation(output.opening, spoken.opening),
        lag=measure.best_correlation(*_cut(output.opening, spoken.opening))[1],
        width=_correlation(output.width, spoken.width),
        inside=_correlation(output.inside, spoken.inside),
        medians=(float(np.nanmedian(output.opening)), float(np.nanmedian(spoken.opening))),
        widest=(float(np.nanpercentile(output.opening, 95)), float(np.nanpercentile(spoken.opening, 95))),
    )


def table_of(rows: Sequence[TalkerFigures]) -> Table:
    """For the terminal; the last line is the mean."""
    return shown("Against the mouth that spoke", _HEADINGS, _cells(rows), left=("voice", "face"))


def markdown_of(rows: Sequence[TalkerFigures]) -> str:
    """For a page."""
    lines = [_HEADINGS, ["---"] * len(_HEADINGS), *_cells(rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_HEADINGS = ["voice", "face", "opening r (lag)", "width r", "r by pixels", "median", "its own", "widest", "its own"]


def _cells(rows: Sequence[TalkerFigures]) -> list[list[str]]:
    cells = [
        [row.voice, row.face, f"{row.opening:.2f} ({row.lag:+d})", f"{row.width:.2f}", f"{row.inside:.2f}"]
        + [f"{number:.3f}" for number in (*row.medians, *row.widest)]
        for row in rows
    ]
    means = np.mean([(row.opening, row.width, row.inside, *row.medians, *row.widest) for row in rows], axis=0)
    places = (2, 2, 2, 3, 3, 3, 3)
    return [*cells, ["mean", "", *(f"{mean:.{at}f}" for mean, at in zip(means, places, strict=True))]]


def _correlation(first: Series, second: Series) -> float:
    return measure.best_correlation(*_cut(first, second), most_lag=0)[0]


def _cut(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[Series, Series]:
    frames = min(len(first), len(second))
    return first[:frames], second[:frames]

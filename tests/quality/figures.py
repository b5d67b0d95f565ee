"""The figures of one rendered clip, and the one table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from services.jobs.options import RenderOptions
from services.media import read_speech
from services.preprocess.faces import MEL_RATE
from services.preprocess.speech import speech_of
from services.render.families.default.speech import mouth_coefficients, sample_coefficients
from services.triton import TritonClient
from tests.quality import mouth_measures as measure
from tests.quality import pixel_measures as pixels
from tests.quality.measured_clip import MeasuredClip
from tests.quality.mouth_measures import Series
from tests.quality.onnx_models import OnnxModels
from tests.quality.recordings import Recording

_OPEN = 0.03
"""Eye distances from which on a mouth counts as open"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row of the table; NaN is what was not measured on this clip."""

    clip: str
    recording: str
    frames: int
    unseen: int
    """Frames on which no face was found in the output"""
    recall: float
    """Of the closures of p, b and m: those with shut lips in their middle"""
    precision: float
    """Of the times the lips shut while the voice goes on: those at a closure"""
    correlation: float
    """Of the opening measured by landmarks with the one asked for"""
    lag: int
    seen: float
    """Correlation of the inside of the mouth that pixels show, without landmarks, with the opening asked for"""
    opening: float
    """Median on the frames that are asked to open"""
    tremble: float
    """Change of the opening from frame to frame that nobody asked for, thousandths of the eye distance"""
    psnr: float
    """Outside the lower face, dB"""
    sharpness: float
    """Round the open mouth, output over source"""
    rest_opening: float
    """99th percentile while nobody speaks"""
    rest_movement: float
    """Of the lips from frame to frame while nobody speaks, beyond the source's own, thousandths of the eye distance"""
    rest_flicker: float
    """Of the pixels round the mouth from frame to frame while nobody speaks, output over source"""
    milliseconds: float
    """Wall-clock time a frame, the face track known"""


def figures_of(
    spoken: MeasuredClip,
    rest: MeasuredClip | None,
    recording: Recording,
    models: OnnxModels,
    milliseconds: float,
) -> Figures:
    """The row of a clip with a recording; `rest` is the same clip while nobody speaks."""
    rate = spoken.output.frame_rate
    opening = measure.inner_opening(spoken.landmarks)
    requested, voiced = _requested(spoken, recording, models)
    correlation, lag = measure.best_correlation(opening, requested)
    assert recording.phones is not None
    closures = measure.closures_of(recording.phones)
    rightly = measure.shut_rightly(opening, voiced, closures, rate)
    return Figures(
        clip=spoken.source.name,
        recording=recording.name,
        frames=spoken.output.frames,
        unseen=int(np.isnan(opening).sum()),
        recall=float(measure.closures_met(opening, closures, rate).mean()),
        precision=float(rightly.mean()) if len(rightly) else np.nan,
        correlation=correlation,
        lag=lag,
        seen=measure.best_correlation(spoken.inside, requested, most_lag=0)[0],
        opening=float(np.nanmedian(opening[requested > _OPEN])),
        tremble=1000 * measure.tremble(opening, requested),
        psnr=pixels.decibels(float(np.nanmean(spoken.squared_errors))),
        sharpness=float(np.nanmedian(spoken.sharpness[requested > _OPEN])),
        rest_opening=_rest_opening(rest) if rest else np.nan,
        rest_movement=_rest_movement(rest) if rest else np.nan,
        rest_flicker=_rest_flicker(rest) if rest else np.nan,
        milliseconds=milliseconds,
    )


_COLUMNS: Sequence[tuple[str, Callable[[Figures], str]]] = (
    ("clip", lambda row: row.clip),
    ("recording", lambda row: row.recording),
    ("frames", lambda row: f"{row.frames}" + (f" ({row.unseen} unseen)" if row.unseen else "")),
    ("p b m recall", lambda row: _number(row.recall, 2)),
    ("precision", lambda row: _number(row.precision, 2)),
    ("opening r (lag)", lambda row: f"{row.correlation:.3f} ({row.lag:+d})"),
    ("r by pixels", lambda row: _number(row.seen, 3)),
    ("median open", lambda row: _number(row.opening, 3)),
    ("tremble ‰", lambda row: _number(row.tremble, 1)),
    ("PSNR outside", lambda row: f"{row.psnr:.1f} dB"),
    ("sharpness", lambda row: _number(row.sharpness, 2)),
    ("rest p99", lambda row: _number(row.rest_opening, 4)),
    ("rest moves ‰", lambda row: _number(row.rest_movement, 2)),
    ("rest flicker", lambda row: _number(row.rest_flicker, 2)),
    ("ms/frame", lambda row: f"{row.milliseconds:.0f}"),
)


def table_of(rows: Sequence[Figures]) -> Table:
    """For the terminal."""
    table = Table(title="The lips on lossless renders; pictures in outputs/quality/")
    for heading, _ in _COLUMNS:
        table.add_column(heading, justify="left" if heading in ("clip", "recording") else "right")
    for row in rows:
        table.add_row(*(show(row) for _, show in _COLUMNS))
    return table


def markdown_of(rows: Sequence[Figures]) -> str:
    """For a page."""
    lines = [[heading for heading, _ in _COLUMNS], ["---"] * len(_COLUMNS)]
    lines += [[show(row) for _, show in _COLUMNS] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _requested(spoken: MeasuredClip, recording: Recording, models: OnnxModels) -> tuple[Series, NDArray[np.bool_]]:
    """By frame: the opening that the default family asks of its renderer, and whether a voice speaks."""
    speech = speech_of(read_speech(recording.path, name=recording.name), models)
    track = mouth_coefficients(speech, RenderOptions(), cast(TritonClient, models))
    frames = np.arange(spoken.output.frames)
    columns = ((frames + 0.5) / float(spoken.output.frame_rate) * MEL_RATE).astype(np.int64)
    voiced = speech.voice[np.minimum(columns, speech.voice.size - 1)] > 0.5
    return measure.requested_opening(sample_coefficients(track.coefficients, frames, spoken.output.frame_rate)), voiced


def _rest_opening(rest: MeasuredClip) -> float:
    return float(np.nanpercentile(measure.inner_opening(rest.landmarks), 99))


def _rest_movement(rest: MeasuredClip) -> float:
    return 1000 * (measure.lip_movement(rest.landmarks) - measure.lip_movement(rest.source_landmarks))


def _rest_flicker(rest: MeasuredClip) -> float:
    flickers = [pixels.flicker(images) for images in zip(*rest.close_ups, strict=True)]
    # A still does not change at all, so neither may its output: compared with a tenth of a grey level.
    return flickers[1] / max(flickers[0], 0.1)


def _number(value: float, places: int) -> str:
    return "" if np.isnan(value) else f"{value:.{places}f}"

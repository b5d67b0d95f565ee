"""What the analysis of a video means for a person: which faces may be chosen, and what may look less good. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from services.library.findings import Caution, FaceChoice, Findings, Verdict
from services.preprocess.summary import FirstLook, TrackSummary, VideoAnalysis

# Outer eye corners closer than this leave a mouth of about 25 pixels.
_SMALL_EYE_DISTANCE: Final = 40.0
# A second face counts when it is there for a while and is no bystander in the distance.
_LEAST_SHARE: Final = 0.1
_LEAST_EYE_DISTANCE: Final = 12.0
# Shares of the frames from which on a person should know.
_MISSING_SHARE: Final = 0.2
_SPOILT_SHARE: Final = 0.1
_TOLD_EARLY: Final = frozenset({Caution.SMALL_FACE, Caution.TURNED_AWAY})
"""Whether something hides a mouth, and for how long nobody is seen, only consecutive frames tell"""


def judge(analysis: VideoAnalysis) -> Findings:
    """The findings of an analysis that has at least one track."""
    faces = tuple(_choices(analysis))
    return Findings(
        verdict=Verdict.SEVERAL_FACES if len(faces) > 1 else Verdict.FACE,
        faces=faces,
        cautions=tuple(_cautions(analysis)),
    )


def judge_first_look(look: FirstLook) -> Findings:
    """What may be said before all frames were looked at; which faces may be chosen, a few frames cannot tell."""
    if not look.analysis.tracks:
        return Findings(verdict=Verdict.NO_FACE)
    found = judge(look.analysis)
    cautions = tuple(each for each in found.cautions if each in _TOLD_EARLY)
    return Findings(verdict=found.verdict, cautions=cautions)


def _choices(analysis: VideoAnalysis) -> Iterator[FaceChoice]:
    """One choice for each rank, shown by its longest track; rank 0 is always one."""
    ranks = sorted({track.rank for track in analysis.tracks})
    for rank in ranks:
        tracks = [track for track in analysis.tracks if track.rank == rank]
        longest = max(tracks, key=_frames)
        share = min(1.0, sum(map(_frames, tracks)) / analysis.frames)
        if rank > 0 and (share < _LEAST_SHARE or longest.eye_distance < _LEAST_EYE_DISTANCE):
            continue
        left, top, right, bottom = longest.box
        yield FaceChoice(
            rank=rank,
            box=(
                _fraction(left, analysis.width),
                _fraction(top, analysis.height),
                _fraction(right, analysis.width),
                _fraction(bottom, analysis.height),
            ),
            share=share,
            first_second=float(longest.first_frame / analysis.frame_rate),
        )


def _cautions(analysis: VideoAnalysis) -> Iterator[Caution]:
    used = [track for track in analysis.tracks if track.rank == 0]
    if _mean(used, [track.eye_distance for track in used]) < _SMALL_EYE_DISTANCE:
        yield Caution.SMALL_FACE
    if _mean(used, [track.turned_away for track in used]) >= _SPOILT_SHARE:
        yield Caution.TURNED_AWAY
    if _mean(used, [track.occluded for track in used]) >= _SPOILT_SHARE:
        yield Caution.OCCLUDED
    if analysis.frames_with_face < (1 - _MISSING_SHARE) * analysis.frames:
        yield Caution.FACE_MISSING


def _mean(tracks: Sequence[TrackSummary], values: Sequence[float]) -> float:
    """Mean over the frames of tracks."""
    return sum(_frames(track) * value for track, value in zip(tracks, values, strict=True)) / sum(map(_frames, tracks))


def _frames(track: TrackSummary) -> int:
    return track.last_frame - track.first_frame + 1


def _fraction(pixels: float, whole: int) -> float:
    return min(1.0, max(0.0, pixels / whole))

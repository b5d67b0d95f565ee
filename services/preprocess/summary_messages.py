"""Wire messages of chorus.preprocess.v1 from and to the types of summary.py; free of NumPy."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction

from services.preprocess.summary import AnalysisProgress, FirstLook, MediaFacts, SoundNote, TrackSummary, VideoAnalysis
from services.preprocess.v1 import preprocess_pb2 as wire


def analysis_response(item: AnalysisProgress | FirstLook | VideoAnalysis) -> wire.AnalyseVideoResponse:
    """One item of an analysis as it travels."""
    if isinstance(item, AnalysisProgress):
        return wire.AnalyseVideoResponse(progress=progress_message(item))
    if isinstance(item, FirstLook):
        return wire.AnalyseVideoResponse(first_look=_analysis_message(item.analysis))
    return wire.AnalyseVideoResponse(analysis=_analysis_message(item))


def _analysis_message(item: VideoAnalysis) -> wire.VideoAnalysis:
    return wire.VideoAnalysis(
        frames=item.frames,
        frame_rate_numerator=item.frame_rate.numerator,
        frame_rate_denominator=item.frame_rate.denominator,
        width=item.width,
        height=item.height,
        frames_with_face=item.frames_with_face,
        tracks=[_track_message(track) for track in item.tracks],
    )


def analysis_item(message: wire.AnalyseVideoResponse) -> AnalysisProgress | FirstLook | VideoAnalysis:
    """The item behind `message`."""
    event = message.WhichOneof("event")
    if event == "progress":
        return progress(message.progress)
    return FirstLook(_analysis(message.first_look)) if event == "first_look" else _analysis(message.analysis)


def _analysis(analysis: wire.VideoAnalysis) -> VideoAnalysis:
    return VideoAnalysis(
        frames=analysis.frames,
        frame_rate=Fraction(analysis.frame_rate_numerator, analysis.frame_rate_denominator),
        width=analysis.width,
        height=analysis.height,
        frames_with_face=analysis.frames_with_face,
        tracks=tuple(_track(track) for track in analysis.tracks),
    )


def progress_message(item: AnalysisProgress) -> wire.AnalysisProgress:
    """Progress as it travels."""
    return wire.AnalysisProgress(frames_done=item.frames_done, frames_total=item.frames_total)


def progress(message: wire.AnalysisProgress) -> AnalysisProgress:
    """The progress behind `message`."""
    return AnalysisProgress(message.frames_done, message.frames_total)


def _track_message(track: TrackSummary) -> wire.TrackSummary:
    left, top, right, bottom = track.box
    return wire.TrackSummary(
        track=track.track,
        shot=track.shot,
        first_frame=track.first_frame,
        last_frame=track.last_frame,
        eye_distance=track.eye_distance,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        rank=track.rank,
        usable=track.usable,
        occluded=track.occluded,
        turned_away=track.turned_away,
    )


def _track(message: wire.TrackSummary) -> TrackSummary:
    return TrackSummary(
        track=message.track,
        shot=message.shot,
        first_frame=message.first_frame,
        last_frame=message.last_frame,
        eye_distance=message.eye_distance,
        box=(message.left, message.top, message.right, message.bottom),
        rank=message.rank,
        usable=message.usable,
        occluded=message.occluded,
        turned_away=message.turned_away,
    )


def probe_response(facts: MediaFacts, thumbnail: bytes, facts_version: str) -> wire.ProbeResponse:
    """What a file is, as it travels."""
    return wire.ProbeResponse(**asdict(facts), thumbnail=thumbnail, facts_version=facts_version)


def media_facts(message: wire.ProbeResponse) -> MediaFacts:
    """The facts behind `message`."""
    return MediaFacts(
        kind=message.kind,
        seconds=message.seconds,
        has_audio=message.has_audio,
        width=message.width if message.HasField("width") else None,
        height=message.height if message.HasField("height") else None,
        frame_rate=message.frame_rate if message.HasField("frame_rate") else None,
        sound_notes=tuple(SoundNote(note) for note in message.sound_notes),
        sound_track=message.sound_track if message.HasField("sound_track") else None,
    )

"""What the analysis of a video means for a person."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from fractions import Fraction

from services.library.findings import Caution, Findings, Verdict
from services.library.verdict import judge, judge_first_look
from services.preprocess.summary import FirstLook, TrackSummary, VideoAnalysis

TRACK = TrackSummary(track=0, shot=0, first_frame=0, last_frame=99, eye_distance=80, box=(160, 90, 320, 270), rank=0)
ANALYSIS = VideoAnalysis(
    frames=100, frame_rate=Fraction(25), width=640, height=360, frames_with_face=100, tracks=(TRACK,)
)


def test_one_face_needs_no_choice() -> None:
    findings = judge(ANALYSIS)
    (face,) = findings.faces
    assert (findings.verdict, findings.cautions) == (Verdict.FACE, ())
    assert face.box == (0.25, 0.25, 0.5, 0.75)
    assert (face.rank, face.share, face.first_second) == (0, 1.0, 0.0)


def test_two_people_are_a_choice_and_a_bystander_is_none() -> None:
    second = replace(TRACK, track=1, rank=1, first_frame=50, box=(400, -5, 700, 180))
    findings = judge(replace(ANALYSIS, tracks=(TRACK, second)))
    assert findings.verdict is Verdict.SEVERAL_FACES
    assert findings.faces[1].box == (0.625, 0.0, 1.0, 0.5)
    assert (findings.faces[1].share, findings.faces[1].first_second) == (0.5, 2.0)
    for bystander in (replace(second, eye_distance=8), replace(second, last_frame=55)):
        assert judge(replace(ANALYSIS, tracks=(TRACK, bystander))).verdict is Verdict.FACE


def test_the_face_of_several_shots_is_shown_by_its_longest() -> None:
    short, long = replace(TRACK, last_frame=29), replace(TRACK, track=1, shot=1, first_frame=30, box=(0, 0, 64, 36))
    (face,) = judge(replace(ANALYSIS, tracks=(short, long))).faces
    assert (face.box, face.share, face.first_second) == ((0, 0, 0.1, 0.1), 1.0, 1.2)


def test_cautions() -> None:
    assert judge(replace(ANALYSIS, tracks=(replace(TRACK, eye_distance=30),))).cautions == (Caution.SMALL_FACE,)
    first, second = replace(TRACK, last_frame=49), replace(TRACK, track=1, shot=1, first_frame=50)
    turned = replace(ANALYSIS, tracks=(first, replace(second, turned_away=0.25)))
    assert judge(turned).cautions == (Caution.TURNED_AWAY,)
    assert judge(replace(ANALYSIS, tracks=(first, replace(second, turned_away=0.15)))).cautions == ()
    assert judge(replace(ANALYSIS, tracks=(replace(TRACK, occluded=0.5),))).cautions == (Caution.OCCLUDED,)
    assert judge(replace(ANALYSIS, frames_with_face=79)).cautions == (Caution.FACE_MISSING,)


def test_a_first_look_tells_what_a_few_frames_can() -> None:
    assert judge_first_look(FirstLook(replace(ANALYSIS, tracks=()))) == Findings(verdict=Verdict.NO_FACE)
    small = replace(TRACK, eye_distance=30, turned_away=0.5, occluded=0.5)
    found = judge_first_look(FirstLook(replace(ANALYSIS, tracks=(small,), frames_with_face=50)))
    assert (found.verdict, found.faces) == (Verdict.FACE, ())
    assert found.cautions == (Caution.SMALL_FACE, Caution.TURNED_AWAY)
    both = judge_first_look(FirstLook(replace(ANALYSIS, tracks=(TRACK, replace(TRACK, track=1, rank=1)))))
    assert (both.verdict, both.faces) == (Verdict.SEVERAL_FACES, ())


def test_findings_survive_their_storage() -> None:
    findings = judge(replace(ANALYSIS, frames_with_face=50))
    assert Findings.from_json(json.loads(json.dumps(asdict(findings)))) == findings

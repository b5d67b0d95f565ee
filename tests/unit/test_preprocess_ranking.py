"""Whose face is used: large before small, central before marginal, one person before and after a gap."""

from __future__ import annotations

from services.preprocess.ranking import Candidate, frame_rows, rank_tracks


def candidate(x: float, eyes: float, first_frame: int = 0, last_frame: int = 100, shot: int = 0) -> Candidate:
    return Candidate(shot, first_frame, last_frame, eyes, (x - eyes, 200, x + eyes, 200 + 2 * eyes))


def ranks(*candidates: Candidate) -> list[int]:
    return rank_tracks(candidates, 1280, 720)


def test_larger_face_comes_first() -> None:
    assert ranks(candidate(400, 60), candidate(800, 110)) == [1, 0]


def test_central_face_comes_first_when_sizes_are_alike() -> None:
    assert ranks(candidate(100, 100), candidate(640, 95), candidate(1100, 100)) in ([1, 0, 2], [2, 0, 1])


def test_every_shot_has_its_own_ranks() -> None:
    assert ranks(candidate(640, 100), candidate(640, 50, 101, 200, shot=1)) == [0, 0]


def test_one_after_the_other_share_a_rank() -> None:
    assert ranks(candidate(600, 100, 0, 50), candidate(700, 90, 70, 100)) == [0, 0]


def test_somebody_small_in_the_background_does_not_take_over() -> None:
    assert ranks(candidate(600, 100, 0, 50), candidate(200, 30, 70, 100)) == [0, 1]


def test_rows_of_frames() -> None:
    track_of, row_of = frame_rows([(4, [(1, 0, 2), (5, 2, 1)]), (7, [(3, 0, 1)])], 6)
    assert track_of.tolist() == [-1, 4, 4, 7, -1, 4]
    assert row_of.tolist() == [-1, 0, 1, 0, -1, 2]

"""A job moves only along legal transitions."""

from __future__ import annotations

import pytest

from services.jobs.model import FINISHED, LEGAL_TRANSITIONS, JobState, may_become


def test_every_state_has_its_transitions() -> None:
    assert set(LEGAL_TRANSITIONS) == set(JobState)


def test_success_is_final() -> None:
    assert not any(may_become(JobState.SUCCEEDED, state) for state in JobState)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_what_failed_or_was_cancelled_can_only_be_tried_again(state: JobState) -> None:
    assert {other for other in JobState if may_become(state, other)} == {JobState.QUEUED}


def test_a_taken_over_job_goes_back_to_the_queue() -> None:
    assert may_become(JobState.RUNNING, JobState.QUEUED)


def test_unfinished_states_can_be_cancelled() -> None:
    assert all(may_become(state, JobState.CANCELLED) for state in set(JobState) - FINISHED)

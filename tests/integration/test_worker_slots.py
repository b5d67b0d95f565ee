"""A slot that becomes free is filled at once, whatever the clock says; one that is taken for long is no fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.gateway_stack import Gateway, make_settings, open_gateway, running_worker
from tests.states import NewState

# By the clock this worker reads the queue once an hour.
_UNCLOCKED: Final = """
from services.jobs.engine import worker
worker._POLL_SECONDS = worker._LONGEST_POLL_SECONDS = worker._TOLD_POLL_SECONDS = 3600.0
from tests.gateway_stack import main
main([])
"""
# This one is believed to hang when it does not turn to the queue for two seconds.
_IMPATIENT: Final = """
from services.jobs.engine import beats
beats._QUEUE_SECONDS = 2.0
from tests.gateway_stack import main
main([])
"""


@pytest.fixture
def gateway(new_state: NewState, tmp_path: Path) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path, **new_state(), worker_slots=1)) as doors:
        yield doors


def test_what_waits_is_taken_at_the_start_and_when_a_job_has_ended_in_whichever_way(gateway: Gateway) -> None:
    done, fails, cancelled, last = (
        job["id"] for job in gateway.start_batch("anna.mp4", "fail.mp4", "slow-30.mp4", "last.mp4")["jobs"]
    )
    with running_worker(gateway.settings, ("-c", _UNCLOCKED)):
        gateway.wait_for(done, "succeeded")
        gateway.wait_for(fails, "failed")
        gateway.wait_for(cancelled, "running")
        gateway.http.post(f"/v1/jobs/{cancelled}/cancel")
        gateway.wait_for(last, "succeeded")


def test_a_worker_whose_slots_are_taken_for_long_does_not_count_as_one_that_hangs(gateway: Gateway) -> None:
    settings = gateway.settings.model_copy(update={"beat_seconds": 1})
    with running_worker(settings, ("-c", _IMPATIENT)):
        gateway.wait_for(gateway.start_job("slow-6.mp4"), "succeeded", seconds=40)
    assert "does not go on" not in (settings.scratch.parent / "worker.log").read_text()

"""kill -9 of each process in the middle of a job: the job ends well, with one output, without help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.media import open_clip
from services.storage import Storage
from tests.folders import files_below
from tests.running_stack import SAMPLES, RunningStack, running_stack
from tests.states import NewState

AUDIO = SAMPLES / "announcement_en.wav"
VIDEO = SAMPLES / "astronaut.mp4"


@pytest.fixture(scope="module")
def stack(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    state = {f"CHORUS_{name.upper()}": value for name, value in new_state().items()}
    with running_stack(tmp_path_factory.mktemp("chaos"), state) as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("victim", "stage", "attempts"),
    [
        # Its work is done once the faces have been sent, which takes a moment: so it dies in its analysis.
        (("services.preprocess",), "analysing", 2),
        (("services.worker",), "rendering", 2),
        # Back within the time for which an inference is repeated, it costs no attempt.
        (("tritonserver",), "rendering", 1),
        (("services.render",), "rendering", 2),
    ],
    ids=["preprocess", "worker", "triton", "render child"],
)
def test_a_killed_process_loses_no_job(
    stack: RunningStack, victim: tuple[str, ...], stage: str, attempts: int, tmp_path: Path
) -> None:
    job = stack.create_batch(AUDIO, [VIDEO])["jobs"][0]
    stack.wait_until(job["id"], stage, frames=16)
    stack.kill(*victim)
    finished = stack.wait_for(job["id"], seconds=200)
    assert finished["state"] == "succeeded", finished
    assert finished["attempt"] >= attempts
    output = stack.download(job["id"], tmp_path / "output.mp4")
    assert open_clip(output, name="output").frames > 100
    assert [key for key in stored(stack, tmp_path) if job["id"] in key and key.endswith(".mp4")] == [
        f"outputs/{job['id']}.mp4"
    ]
    assert not [path for path in files_below(stack.home) if job["id"] in str(path) and "jobs" in path.parts]


def test_a_zygote_that_is_killed_while_it_waits_costs_no_attempt(stack: RunningStack) -> None:
    stack.kill("services.render")
    job = stack.create_batch(AUDIO, [VIDEO], extend="cut")["jobs"][0]
    finished = stack.wait_for(job["id"], seconds=200)
    assert (finished["state"], finished["attempt"]) == ("succeeded", 1), finished


def stored(stack: RunningStack, scratch: Path) -> list[str]:
    """All keys of the stack's store."""
    url = stack.environment.get("CHORUS_STORE_URL", (stack.home / "data" / "artifacts").as_uri())
    return list(Storage(url, scratch).keys(""))

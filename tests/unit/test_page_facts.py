"""What the page says about numbers, jobs and filters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from starlette.datastructures import QueryParams

from services.errors import ChorusError, ErrorKind
from services.gateway.web.catalogue import open_words
from services.gateway.web.draft import Draft
from services.gateway.web.formats import day_start, length_text, moment_text, size_text
from services.gateway.web.history_filter import HistoryFilter
from services.gateway.web.job_facts import failure_text, share_done, speed_text, stage_text
from services.jobs.model import Job, JobState, Progress, Stage
from services.jobs.options import RenderOptions

_WORDS = open_words("en")


def make_job(state: JobState, progress: Progress | None = None, error: ChorusError | None = None) -> Job:
    return Job(
        id="b.0",
        batch_id="b",
        index=0,
        name="Anna - speech.mp4",
        video_name="Anna.mp4",
        state=state,
        progress=progress,
        attempt=1,
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
        started_at=None,
        finished_at=None,
        output_bytes=None,
        video_id="v",
        audio_id="a",
        audio_name="speech.wav",
        owner="me",
        error=error,
    )


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1_700_000, "1.7 MB"), (84_000_000, "84 MB"), (2 << 30, "2.1 GB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size_text(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (6.6, "0:07"), (61, "1:01"), (3750, "1:02:30")])
def test_lengths(seconds: float, text: str) -> None:
    assert length_text(seconds) == text


def test_moments_are_those_of_the_visitors_clock() -> None:
    noon = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert moment_text(noon, 60) == "2026-11-23 00:30"
    assert day_start("2026-11-23", 60) == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
    assert day_start("2026-11-23", 60, next_day=True) == datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    assert day_start("yesterday", 60) is None


def test_the_bar_of_a_job_runs_once_from_left_to_right() -> None:
    steps = [
        make_job(JobState.QUEUED),
        make_job(JobState.RUNNING, Progress(stage=Stage.STARTING)),
        make_job(JobState.RUNNING, Progress(stage=Stage.ANALYSING, frames_done=50, frames_total=100)),
        make_job(JobState.RUNNING, Progress(stage=Stage.RENDERING, frames_done=0, frames_total=100)),
        make_job(JobState.RUNNING, Progress(stage=Stage.RENDERING, frames_done=99, frames_total=100)),
        make_job(JobState.RUNNING, Progress(stage=Stage.PUBLISHING)),
        make_job(JobState.SUCCEEDED),
    ]
    shares = [share_done(job) for job in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_a_running_job_in_words() -> None:
    progress = Progress(
        stage=Stage.RENDERING, frames_done=120, frames_total=240, frames_per_second=17.34, seconds_left=6.9
    )
    job = make_job(JobState.RUNNING, progress)
    assert stage_text(_WORDS, job) == "Moving the lips · 120 of 240 frames"
    assert speed_text(_WORDS, job) == "17.3 frames/s · 7 s left"
    assert speed_text(_WORDS, make_job(JobState.QUEUED)) == ""


def test_a_failure_is_told_in_the_visitors_language_too() -> None:
    job = make_job(JobState.FAILED, error=ChorusError(ErrorKind.INVALID_INPUT, "file-gone", name="Anna {1}.mp4"))
    assert failure_text(_WORDS, job) == "Anna {1}.mp4 is not there any more: upload it again"
    assert failure_text(open_words("zh"), job) == "“Anna {1}.mp4”已经不在了。请重新上传。"


def test_words_of_another_version_stand_after_the_kind_of_the_error() -> None:
    job = make_job(JobState.FAILED, error=ChorusError(ErrorKind.NO_FACE, "as-told", text="Something new"))
    assert failure_text(_WORDS, job) == "Something new"
    assert failure_text(open_words("zh"), job) == "没有找到人脸。Something new"


def test_the_address_holds_the_whole_filter() -> None:
    wanted = HistoryFilter(name="a & b", state="failed", whose="mine", since="2026-11-01", page=3)
    query = QueryParams(wanted.address.partition("?")[2])
    assert HistoryFilter.from_query(query) == wanted
    assert wanted.changed(name="c").page == 1
    nonsense = HistoryFilter.from_query(QueryParams("state=x&page=-4&whose=all"))
    assert nonsense == HistoryFilter()
    assert nonsense.address == "/history"


def test_a_draft_keeps_only_what_differs_from_the_defaults() -> None:
    draft = Draft({}, "batch")
    draft.choose_option("crf", 24)
    draft.choose_option("expression", 1.2)
    draft.choose_option("crf", RenderOptions().crf)
    assert draft.changes == {"expression": 1.2}
    draft.add_video("v1")
    draft.add_video("v2")
    draft.add_video("v1")
    draft.choose_face("v1", 1)
    draft.remove_video("v1")
    assert (draft.video_ids, draft.faces) == (["v2"], {})
    draft.clear()
    assert (draft.video_ids, draft.options.expression) == ([], 1.2)


def test_a_single_draft_holds_one_video() -> None:
    draft = Draft({}, "single")
    draft.add_video("v1")
    draft.add_video("v2")
    assert draft.video_ids == ["v2"]

"""One job in the live view: built once, then only its numbers change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.gateway.web.catalogue import Words
from services.gateway.web.job_facts import failure_text, output_address, share_done, speed_text, stage_text
from services.gateway.web.markup import Text, attribute, block, button, icon, icon_button, icon_link, picture
from services.gateway.web.media_facts import thumbnail_address
from services.jobs.model import FINISHED, Job, JobState

_LOOKS: Final[Mapping[JobState, str]] = {
    JobState.SUCCEEDED: "is-good",
    JobState.FAILED: "is-bad",
    JobState.CANCELLED: "is-off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobActions:
    """What a row asks its view for; each gets the job's id."""

    cancel: Callable[[str], object]
    retry: Callable[[str], object]


class JobRow:
    """A row of the live view."""

    def __init__(self, words: Words, job: Job, actions: JobActions | None) -> None:
        """No `actions`: for somebody who may not change anything."""
        self._has_actions = actions is not None
        self._words = words
        self._shown: Job | None = None
        with block("li", "media-row job-row") as self.element:
            attribute(self.element, "data-job", job.id)
            with block("span", "thumb"):
                icon("movie")
                picture(thumbnail_address(job.video_id)).on("error", js_handler="event => event.target.remove()")
            with block("div", "media-main"):
                attribute(Text("div", job.name, "media-name"), "title", job.name)
                self._bar = block("progress").props("value=0 max=1000")
                attribute(self._bar, "aria-label", words("live.bar", name=job.video_name))
                with block("div", "job-line"):
                    self._stage = Text("span", "", "media-facts numbers")
                    self._speed = Text("span", "", "media-facts numbers job-speed")
            with block("div", "job-actions"):
                cancel = None if actions is None else partial(actions.cancel, job.id)
                retry = None if actions is None else partial(actions.retry, job.id)
                self._cancel = icon_button("close", words("live.cancel", name=job.name), cancel)
                self._retry = button(words("live.retry"), retry, symbol="refresh")
                attribute(self._retry, "aria-label", words("live.retry_job", name=job.name))
                self._watch = icon_link("play_circle", words("history.compare", name=job.name), f"/compare/{job.id}")
                address = output_address(job.id)
                self._load = icon_link("download", words("history.download", name=job.name), address, download=True)
        self.show(job)

    def show(self, job: Job) -> None:
        """The job as it is now."""
        if job == self._shown:
            return
        self._shown = job
        attribute(self._bar, "value", str(round(1000 * share_done(job))))
        self._bar.classes(replace=_LOOKS.get(job.state, ""))
        failed = job.state is JobState.FAILED
        self._stage.set_text(failure_text(self._words, job) if failed else stage_text(self._words, job))
        self._stage.classes(add="bad" if failed else "", remove="" if failed else "bad")
        self._speed.set_text(speed_text(self._words, job))
        self._cancel.set_visibility(self._has_actions and job.state not in FINISHED)
        self._retry.set_visibility(self._has_actions and job.state in (JobState.FAILED, JobState.CANCELLED))
        self._watch.set_visibility(job.state is JobState.SUCCEEDED)
        self._load.set_visibility(job.state is JobState.SUCCEEDED)

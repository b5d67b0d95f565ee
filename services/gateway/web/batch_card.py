"""One batch in the live view: its own bar, its jobs, cancel and download of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from services.gateway.operations.batch import Batch
from services.gateway.web.formats import moment_text
from services.gateway.web.job_facts import share_done
from services.gateway.web.job_row import JobActions, JobRow
from services.gateway.web.markup import Text, attribute, block, button, link_button
from services.gateway.web.open_page import OpenPage
from services.jobs.model import FINISHED, Job, JobState

_ROWS_AT_FIRST: Final = 50


class BatchCard:
    """A card that is built once; rows beyond the first fifty come when somebody asks for them."""

    def __init__(
        self, page: OpenPage, batch: Batch, actions: JobActions, cancel: Callable[[str], object], *, is_mine: bool
    ) -> None:
        self._page = page
        self._actions = actions
        self._rows: dict[str, JobRow] = {}
        self._limit = _ROWS_AT_FIRST
        self._jobs: Sequence[Job] = ()
        self._say = say = page.words
        started = moment_text(batch.created_at, page.visitor.minutes_ahead)
        with block("section", "card batch-card") as self.element:
            with block("div", "card-head"):
                with block("div"):
                    attribute(Text("h2", batch.audio_name, "media-name"), "title", batch.audio_name)
                    owner = "" if is_mine else f"{say('live.colleague')} · "
                    Text("p", f"{owner}{say('live.started', moment=started)}", "muted numbers")
                with block("div", "view-actions push"):
                    self._cancel = button(
                        say("live.cancel_all"), lambda: cancel(batch.id), kind="danger", symbol="close"
                    )
                    self._load = link_button(
                        say("live.download_all"),
                        f"/v1/batches/{batch.id}/archive",
                        symbol="download",
                        kind="primary",
                        download=True,
                    )
            self._bar = block("progress", "batch-bar").props("value=0 max=1000")
            attribute(self._bar, "aria-label", say("live.batch_bar", name=batch.audio_name))
            self._sum = Text("p", "", "muted numbers").props("role=status")
            self._list = block("ul", "media-list")
            self._more = button("", self._show_all, kind="plain", symbol="expand_more")

    def show(self, jobs: Sequence[Job]) -> None:
        """The jobs as they are now."""
        self._jobs = jobs
        say = self._say
        unfinished = sum(job.state not in FINISHED for job in jobs)
        ready = sum(job.state is JobState.SUCCEEDED for job in jobs)
        failed = sum(job.state is JobState.FAILED for job in jobs)
        self._cancel.set_visibility(unfinished > 0 and self._page.visitor.may_make)
        self._load.set_visibility(ready > 0 and not unfinished)
        parts = [say("live.ready", number=ready, total=len(jobs))]
        parts += [say("live.failed", number=failed)] if failed else []
        self._sum.set_text(" · ".join(parts))
        attribute(self._bar, "value", str(round(1000 * sum(map(share_done, jobs)) / max(1, len(jobs)))))
        self._bar.classes(replace="batch-bar is-good" if jobs and not unfinished and ready else "batch-bar")
        for job in jobs[: self._limit]:
            if job.id in self._rows:
                self._rows[job.id].show(job)
            else:
                with self._list:
                    self._rows[job.id] = JobRow(say, job, self._actions if self._page.visitor.may_make else None)
        for gone in set(self._rows) - {job.id for job in jobs}:
            self._rows.pop(gone).element.delete()
        self._more.set_visibility(len(jobs) > self._limit)
        self._more.set_text(say("live.show_all", number=len(jobs)))

    def _show_all(self) -> None:
        self._limit = len(self._jobs)
        self.show(self._jobs)

"""The run log, live: all of it or the lines of one job, and its download."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from nicegui import PageArguments, ui
from nicegui.element import Element

from services.gateway.operations.run_log import LogLine
from services.gateway.web.formats import moment_text
from services.gateway.web.markup import Text, attribute, block, empty, head, link_button, notice
from services.gateway.web.open_page import OpenPage, attempt
from services.jobs.model import Job, JobFilter

_FIRST_LINES: Final = 300
_MOST_LINES: Final = 1000
_JOBS: Final = 50
_LOOKS: Final[Mapping[str, str]] = {"WARNING": "log-warning", "ERROR": "log-error", "CRITICAL": "log-error"}


async def show_log(page: OpenPage, arguments: PageArguments) -> None:
    """Build the view and follow the log; leaving the view cancels this."""
    words, log = page.words, page.operations.log
    job_id = arguments.query_parameters.get("job") or None
    ui.page_title(f"{words('frame.log')} · Chorus")
    with block("div", "view view-wide"):
        with head(words("log.title"), words("log.lead")) as actions:
            address = f"/v1/log?job={quote(job_id)}" if job_id else "/v1/log"
            link_button(words("common.download"), address, symbol="download", download=True)
        if not page.visitor.sees_all:
            actions.delete()
            with block("section", "card"):
                empty("subject", words("log.of_all"), words("log.of_all_hint"))
            return
        if not log.is_available:
            with block("section", "card"):
                empty("subject", words("log.none"), words("log.none_hint"))
            return
        filters = block("div", "filters")
        # The reversed box holds on to its lower end by itself while lines are added.
        with block("section", "card log"), block("div").props("role=log tabindex=0") as sheet:
            attribute(sheet, "aria-label", words("log.title"))
        news = notice(words("log.quiet")) if job_id else None
    jobs, _ = await asyncio.to_thread(
        page.operations.list_jobs, JobFilter(first=page.visitor.owner), limit=_JOBS, offset=0
    )
    with filters:
        _choice(page, jobs, job_id)
    new = log.follow(job_id)
    first = await attempt(page, log.tail, _FIRST_LINES, job_id) or []
    _add(sheet, first)
    if news is not None:
        news.set_visibility(not first)
    async for lines in new:
        _add(sheet, lines)
        if news is not None:
            news.set_visibility(False)


def _choice(page: OpenPage, jobs: Iterable[Job], job_id: str | None) -> None:
    ahead = page.visitor.minutes_ahead
    labels = {"": page.words("log.every_job")}
    labels |= {job.id: f"{job.name} · {moment_text(job.created_at, ahead)}" for job in jobs}
    if job_id:
        labels.setdefault(job_id, job_id)
    field = ui.select(labels, label=page.words("log.job"), value=job_id or "", on_change=lambda e: _open(e.value))
    field.props("outlined options-dense").classes("filter-search")


def _open(job_id: str) -> None:
    ui.navigate.to(f"/log?job={quote(job_id)}" if job_id else "/log")


def _add(sheet: Element, lines: Iterable[LogLine]) -> None:
    with sheet:
        for line in lines:
            Text("div", line.whole, _LOOKS.get(line.level, ""))
    for old in list(sheet)[:-_MOST_LINES]:
        old.delete()

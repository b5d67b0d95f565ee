"""One job in the history: its poster, its facts, its state, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from nicegui import ui

from services.gateway.web.formats import moment_text, size_text
from services.gateway.web.job_facts import failure_text, output_address
from services.gateway.web.markup import Text, attribute, block, icon, icon_button, icon_link, picture, relabel
from services.gateway.web.open_page import OpenPage
from services.jobs.model import FINISHED, Job, JobState

_CHIPS: Final[Mapping[JobState, tuple[str, str]]] = {
    JobState.QUEUED: ("chip-busy", "schedule"),
    JobState.RUNNING: ("chip-busy", "hourglass_top"),
    JobState.SUCCEEDED: ("chip-good", "check_circle"),
    JobState.FAILED: ("chip-bad", "error"),
    JobState.CANCELLED: ("", "cancel"),
}


def history_row(
    page: OpenPage, job: Job, *, is_chosen: bool, choose: Callable[[str, bool], None], delete: Callable[[Job], object]
) -> ui.checkbox:
    """Build a row; returns its box, so that others can tick it."""
    words = page.words
    with block("li", "media-row history-row"):
        box = ui.checkbox(value=is_chosen, on_change=lambda event: choose(job.id, event.value))
        attribute(box, "aria-label", words("history.choose", name=job.name))
        _poster(page, job)
        with block("div", "media-main"):
            attribute(Text("div", job.name, "media-name"), "title", job.name)
            Text("div", _facts(page, job), "media-facts numbers")
            if job.state is JobState.FAILED:
                Text("div", failure_text(words, job), "media-facts bad")
        with block("div", "row-end"):
            _state_chip(page, job.state)
            with block("div", "job-actions history-actions"):
                if job.state is JobState.SUCCEEDED:
                    label = words("history.download", name=job.name)
                    icon_link("download", label, output_address(job.id), download=True)
                if job.state in FINISHED and page.visitor.may_make:
                    icon_button("delete", words("history.delete_job", name=job.name), lambda: delete(job))
    return box


def _state_chip(page: OpenPage, state: JobState) -> None:
    look, symbol = _CHIPS[state]
    with block("span", f"chip {look}"):
        icon(symbol)
        Text("span", page.words(f"state.{state}"))


def _poster(page: OpenPage, job: Job) -> None:
    if job.state is not JobState.SUCCEEDED:
        with block("span", "thumb"):
            icon("movie")
        return
    with block("a", "thumb thumb-button").props(f'href="/compare/{job.id}"') as link:
        icon("movie")
        picture(f"/v1/jobs/{job.id}/poster").on("error", js_handler="event => event.target.remove()")
        icon("play_circle").classes("thumb-play")
    relabel(link, page.words("history.compare", name=job.name))


def _facts(page: OpenPage, job: Job) -> str:
    ahead = page.visitor.minutes_ahead
    parts = [job.audio_name, moment_text(job.finished_at or job.created_at, ahead)]
    if job.output_bytes:
        parts.append(size_text(job.output_bytes))
    if job.owner != page.visitor.owner:
        parts.append(page.words("live.colleague"))
    return " · ".join(parts)

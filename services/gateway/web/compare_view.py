"""One finished job: source and output beside each other, its facts, download and delete."""

from __future__ import annotations

import asyncio

from nicegui import ui

from services.errors import ChorusError, ErrorKind
from services.gateway.operations.batches import Operations
from services.gateway.web.comparison import Comparison
from services.gateway.web.confirm import confirm
from services.gateway.web.draft_uploads import find_upload
from services.gateway.web.formats import moment_text, size_text
from services.gateway.web.job_facts import failure_text, output_address, stage_text
from services.gateway.web.markup import block, button, empty, head, link_button, notice
from services.gateway.web.open_page import OpenPage, attempt
from services.jobs.model import Job, JobState


async def show_comparison(page: OpenPage, job_id: str) -> None:
    """Build the view of a job."""
    words = page.words
    with block("div", "view view-wide") as view:
        pass
    job = await asyncio.to_thread(find_job, page.operations, job_id)
    is_still = job is not None and await asyncio.to_thread(is_photo, page.operations, job.video_id)
    with view:
        if job is None:
            with block("section", "card"), empty("search_off", words("compare.gone"), words("compare.gone_hint")):
                link_button(words("compare.back"), "/history", symbol="arrow_back")
            return
        ui.page_title(f"{job.name} · Chorus")
        with head(job.name, _facts(page, job)):
            link_button(words("compare.back"), "/history", symbol="arrow_back")
            if page.visitor.may_make:
                button(words("common.delete"), lambda: delete_job(page, job), kind="danger", symbol="delete")
            if job.state is JobState.SUCCEEDED:
                address = output_address(job.id)
                link_button(words("common.download"), address, symbol="download", kind="primary", download=True)
        if job.state is JobState.SUCCEEDED:
            with block("section", "card"):
                Comparison(words, job, is_still=is_still)
        elif job.state is JobState.FAILED:
            notice(failure_text(words, job), symbol="error", bad=True)
        else:
            notice(stage_text(words, job))


def find_job(operations: Operations, job_id: str) -> Job | None:
    """A job, or None when it was deleted."""
    try:
        return operations.get_job(job_id)
    except ChorusError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        return None


def is_photo(operations: Operations, media_id: str) -> bool:
    """True for an upload that is a still picture and was not deleted."""
    media = find_upload(operations, media_id)
    return media is not None and media.kind == "still"


async def delete_job(page: OpenPage, job: Job) -> None:
    """Delete a job after asking, and go to the history."""
    words = page.words
    text = words("history.delete_text.one")
    if not await confirm(words, words("history.delete_title.one"), text, words("common.delete")):
        return
    deleted = await attempt(page, page.operations.outputs.delete_jobs, [job.id])
    if deleted is not None and not deleted.refused:
        ui.navigate.to("/history")


def _facts(page: OpenPage, job: Job) -> str:
    parts = [job.audio_name]
    if job.finished_at:
        parts.append(moment_text(job.finished_at, page.visitor.minutes_ahead))
    if job.output_bytes:
        parts.append(size_text(job.output_bytes))
    return " · ".join(parts)

"""One recording, one video: both are played before the start, the output beside its source after it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from nicegui import ui

from services.errors import ChorusError
from services.gateway.operations.batch_request import BatchRequest
from services.gateway.operations.batches import Operations
from services.gateway.web.chosen_audio import ChosenAudio
from services.gateway.web.compare_view import find_job, is_photo
from services.gateway.web.comparison import Comparison
from services.gateway.web.draft_uploads import find_upload
from services.gateway.web.drop_zone import DropZone
from services.gateway.web.face_choice import choose_face
from services.gateway.web.job_facts import output_address
from services.gateway.web.job_row import JobActions, JobRow
from services.gateway.web.markup import Text, block, button, head, link_button, picture
from services.gateway.web.media_facts import content_address
from services.gateway.web.open_page import OpenPage, attempt
from services.gateway.web.options_form import OptionsForm
from services.gateway.web.player import player
from services.gateway.web.room_notice import RoomNotice
from services.gateway.web.video_row import RowActions, VideoRow
from services.jobs.model import Job, JobState
from services.library.media import Media

_LOOK_SECONDS: Final = 0.5


class SingleView:
    """Shows the single draft of one open page; what it became stays until something else is put together."""

    def __init__(self, page: OpenPage) -> None:
        self._page = page
        self._say = say = page.words
        self._row: VideoRow | None = None
        self._job_row: JobRow | None = None
        self._shown_output: str | None = None
        self._job: Job | None = None
        self._starting = False
        self._updating = asyncio.Lock()
        ui.page_title(f"{say('single.title')} · Chorus")
        with block("div", "view view-wide"):
            head(say("single.title"), say("single.lead"))
            RoomNotice(page)
            with block("div", "columns"):
                with block("section", "card"):
                    with block("div", "card-head"):
                        Text("h2", say("batch.audio"))
                    self._audio = ChosenAudio(page, "single", self._remove_audio)
                with block("section", "card"):
                    with block("div", "card-head"):
                        Text("h2", say("single.video"))
                    self._video_place = block("div")
                    self._video_zone = DropZone(page, "single", "video")
            OptionsForm(page, page.single)
            self._output = block("section", "card")
            with block("div", "action-bar"):
                self._state = Text("div", "", "action-state").props("role=status")
                self._start = button(say("batch.start"), self._begin, kind="primary", symbol="play_arrow")
                self._start.classes("button-large")
        self._output.set_visibility(False)
        page.on_uploading = self._show_state
        page.on_upload = self.update
        self._show_state()
        ui.timer(_LOOK_SECONDS, self.update)

    async def update(self) -> None:
        """Show the draft and what became of it."""
        async with self._updating:
            draft, operations = self._page.single, self._page.operations
            video_id = next(iter(draft.video_ids), None)
            audio = await asyncio.to_thread(_find, operations, draft.audio_id, self._audio.media)
            video = await asyncio.to_thread(_find, operations, video_id, self._row.media if self._row else None)
            self._job = await asyncio.to_thread(find_job, operations, draft.job_id) if draft.job_id else None
            self._audio.show(audio)
            self._show_video(video)
            await self._look_for_faces()
            await self._show_output(self._job)
            self._show_state()

    def _show_video(self, media: Media | None) -> None:
        if media == (self._row.media if self._row else None):
            return
        self._video_place.clear()
        self._video_zone.set_visibility(media is None)
        self._row = None
        if media is None:
            return
        actions = RowActions(remove=self._remove_video, choose_face=lambda _: self._choose_face())
        with self._video_place:
            with block("ul", "media-list"):
                self._row = VideoRow(self._say, media, actions)
            if media.kind == "still":
                picture(content_address(media.id), media.name).classes("shown-still")
            else:
                player(self._say, media, "video")

    async def _look_for_faces(self) -> None:
        row = self._row
        if row is None or (row.preflight is not None and row.preflight.has_ended):
            return
        # Refused when thousands wait already, or the upload was deleted just now: the next look asks again.
        with suppress(ChorusError):
            preflight = await asyncio.to_thread(self._page.operations.preflights.start, row.media.id)
            row.show_preflight(preflight, self._page.single.faces.get(row.media.id))

    async def _show_output(self, job: Job | None) -> None:
        self._output.set_visibility(job is not None)
        if job is None:
            return
        key = f"{job.id} {job.state is JobState.SUCCEEDED} {job.attempt}"
        if key != self._shown_output:
            self._shown_output = key
            is_still = await asyncio.to_thread(is_photo, self._page.operations, job.video_id)
            self._build_output(job, is_still=is_still)
        if self._job_row is not None:
            self._job_row.show(job)

    def _build_output(self, job: Job, *, is_still: bool) -> None:
        say, was_awaited = self._say, self._job_row is not None
        self._output.clear()
        self._job_row = None
        with self._output:
            if job.state is JobState.SUCCEEDED:
                with block("div", "card-head"):
                    Text("h2", say("single.output"))
                    load = link_button(
                        say("common.download"), output_address(job.id), symbol="download", kind="primary", download=True
                    )
                    load.classes("push")
                Comparison(say, job, is_still=is_still, plays=was_awaited)
            else:
                actions = JobActions(cancel=self._cancel, retry=self._retry)
                with block("ul", "media-list"):
                    self._job_row = JobRow(say, job, actions)

    def _show_state(self) -> None:
        audio, uploading = self._audio.media, self._page.uploading
        running = self._job is not None and self._job.state in (JobState.QUEUED, JobState.RUNNING)
        self._start.set_enabled(bool(audio and self._row and not (uploading or running or self._starting)))
        if uploading:
            text = self._say.count("batch.uploading", uploading)
        elif not audio:
            text = self._say("batch.need_audio")
        elif not self._row:
            text = self._say("single.need_video")
        else:
            text = self._say("single.running" if running else "single.ready")
        self._state.set_text(text)

    async def _remove_audio(self) -> None:
        self._page.single.audio_id = None
        await self.update()

    async def _remove_video(self, _media_id: str) -> None:
        for media_id in self._page.single.video_ids:
            self._page.single.remove_video(media_id)
        await self.update()

    def _choose_face(self) -> None:
        row, draft = self._row, self._page.single
        if row is None or row.preflight is None or row.preflight.findings is None:
            return

        def take(rank: int) -> None:
            draft.choose_face(row.media.id, rank)
            row.show_preflight(row.preflight, rank)

        choose_face(self._say, row.media, row.preflight.findings.faces, draft.faces.get(row.media.id, 0), take)

    async def _begin(self) -> None:
        draft, operations = self._page.single, self._page.operations
        if draft.audio_id is None or self._starting:
            return
        request = BatchRequest(
            audio_id=draft.audio_id,
            video_ids=draft.video_ids,
            options=draft.options,
            faces=draft.faces,
            priority=draft.priority,
            owner=self._page.visitor.owner,
        )
        self._starting = True
        self._show_state()
        try:
            batch = await attempt(self._page, operations.create_batch, request)
            if batch is None:
                return
            draft.job_id = (await asyncio.to_thread(operations.jobs_of, batch.id))[0].id
            await self.update()
        finally:
            self._starting = False
            self._show_state()
        place = f"getHtmlElement({self._output.id})"
        ui.run_javascript(f"{place}.scrollIntoView({{behavior: 'smooth', block: 'center'}})")

    async def _cancel(self, job_id: str) -> None:
        await attempt(self._page, self._page.operations.cancel_job, job_id)
        await self.update()

    async def _retry(self, job_id: str) -> None:
        await attempt(self._page, self._page.operations.retry_job, job_id)
        await self.update()


def _find(operations: Operations, media_id: str | None, known: Media | None) -> Media | None:
    if media_id is None or (known is not None and known.id == media_id):
        return known if media_id is not None else None
    return find_upload(operations, media_id)

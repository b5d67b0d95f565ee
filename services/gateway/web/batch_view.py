"""The main view: one recording, many videos, one button."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from nicegui import ui
from nicegui.elements.mixins.sortable_element import SortableElement

from services.gateway.operations.batch_request import BatchRequest
from services.gateway.web.chosen_audio import ChosenAudio
from services.gateway.web.confirm import confirm
from services.gateway.web.draft_uploads import discard, look_at
from services.gateway.web.drop_zone import DropZone
from services.gateway.web.face_choice import choose_face
from services.gateway.web.formats import length_text, size_text
from services.gateway.web.markup import Text, attribute, block, button, head, notice
from services.gateway.web.open_page import OpenPage, attempt
from services.gateway.web.options_form import OptionsForm
from services.gateway.web.player_dialog import play
from services.gateway.web.room_notice import RoomNotice
from services.gateway.web.video_row import RowActions, VideoRow
from services.library.findings import Preflight, Verdict
from services.library.media import Media

_LOOK_SECONDS: Final = 1.0


class _SortableList(SortableElement):
    def __init__(self) -> None:
        super().__init__(tag="ul")


class BatchView:
    """Shows the batch draft of one open page, and starts it."""

    def __init__(self, page: OpenPage) -> None:
        self._page = page
        self._say = page.words
        self._rows: dict[str, VideoRow] = {}
        self._starting = False
        self._faceless = ""
        self._updating = asyncio.Lock()
        self._build()

    def _build(self) -> None:
        say = self._say
        ui.page_title(f"{say('batch.title')} · Chorus")
        with block("div", "view"):
            head(say("batch.title"), say("batch.lead"))
            RoomNotice(self._page)
            with block("section", "card"):
                with block("div", "card-head"):
                    self._first = Text("span", "1", "step-number")
                    Text("h2", say("batch.audio"))
                self._audio = ChosenAudio(self._page, "batch", self._remove_audio)
            with block("section", "card"):
                with block("div", "card-head"):
                    self._second = Text("span", "2", "step-number")
                    Text("h2", say("batch.videos"))
                    self._sum = Text("span", "", "muted numbers")
                    self._clear = button(say("batch.clear"), self._clear_all, kind="plain").classes("push")
                self._list = _SortableList().classes("media-list")
                self._list.make_sortable(handle=".grip", on_end=lambda _: self._take_order())
                attribute(self._list, "aria-label", say("batch.videos"))
                self._video_zone = DropZone(self._page, "batch", "video", multiple=True)
            OptionsForm(self._page, self._page.batch)
            self._notice_place = block("div")
            with block("div", "action-bar"):
                self._state = Text("div", "", "action-state numbers").props("role=status")
                self._start = button(say("batch.start"), self._begin, kind="primary", symbol="play_arrow")
                self._start.classes("button-large")
        self._page.on_uploading = self._show_state
        self._page.on_upload = self.update
        self._show_state()
        ui.timer(_LOOK_SECONDS, self.update)

    async def update(self) -> None:
        """Show what the draft holds by now: another tab or an upload may have changed it."""
        async with self._updating:
            draft = self._page.batch
            # What comes into the draft while we look is for the next look.
            audio_id, video_ids = draft.audio_id, draft.video_ids
            wanted = [audio_id, *video_ids] if audio_id else video_ids
            known = {row.media.id: row.media for row in self._rows.values()}
            if self._audio.media is not None:
                known[self._audio.media.id] = self._audio.media
            media, preflights = await asyncio.to_thread(
                look_at, self._page.operations, wanted, known, self._unsettled(video_ids)
            )
            for gone in set(wanted) - media.keys():
                draft.forget(gone)
            self._audio.show(media.get(audio_id or ""))
            self._show_videos([media[each] for each in video_ids if each in media], preflights)
            self._show_state()

    def _unsettled(self, media_ids: Sequence[str]) -> list[str]:
        rows = self._rows
        return [e for e in media_ids if e not in rows or not (p := rows[e].preflight) or not p.has_ended]

    def _show_videos(self, videos: Sequence[Media], preflights: dict[str, Preflight]) -> None:
        wanted = [media.id for media in videos]
        for media_id in [each for each in self._rows if each not in wanted]:
            self._rows.pop(media_id).element.delete()
        actions = RowActions(remove=self._remove, move=self._move, play=self._play, choose_face=self._choose_face)
        with self._list:
            for media in videos:
                if media.id not in self._rows:
                    self._rows[media.id] = VideoRow(self._say, media, actions)
        if [child.id for child in self._list] != [self._rows[each].element.id for each in wanted]:
            for place, media_id in enumerate(wanted):
                self._rows[media_id].element.move(target_index=place)
        faces = self._page.batch.faces
        for media_id, row in self._rows.items():
            row.show_preflight(preflights.get(media_id, row.preflight), faces.get(media_id))

    def _show_state(self) -> None:
        rows, say, audio = list(self._rows.values()), self._say, self._audio.media
        self._first.classes(add="is-done" if audio else "", remove="" if audio else "is-done")
        self._second.classes(add="is-done" if rows else "", remove="" if rows else "is-done")
        self._video_zone.shrink(bool(rows))
        self._clear.set_visibility(bool(rows))
        length, size = sum(row.media.seconds for row in rows), sum(row.media.bytes for row in rows)
        facts = [say.count("batch.count", len(rows)), length_text(length), size_text(size)]
        self._sum.set_text(" · ".join(facts) if rows else "")
        self._start.set_text(say.count("batch.start_videos", len(rows)) if rows else say("batch.start"))
        self._start.set_enabled(bool(audio and rows and not self._page.uploading and not self._starting))
        self._state.set_text(self._missing())
        self._show_faceless([row for row in rows if row.verdict is Verdict.NO_FACE])

    def _missing(self) -> str:
        if self._page.uploading:
            return self._say.count("batch.uploading", self._page.uploading)
        if not self._audio.media:
            return self._say("batch.need_audio")
        if not self._rows:
            return self._say("batch.need_videos")
        return self._say("batch.ready")

    def _show_faceless(self, rows: Sequence[VideoRow]) -> None:
        text = self._say.count("batch.faceless", len(rows), name=rows[0].media.name) if rows else ""
        if self._faceless == text:
            return
        self._faceless = text
        self._notice_place.clear()
        if text:
            with self._notice_place:
                notice(text, symbol="warning")

    async def _remove_audio(self) -> None:
        if self._page.batch.audio_id is not None:
            await self._discard([self._page.batch.audio_id])

    async def _remove(self, media_id: str) -> None:
        await self._discard([media_id])

    async def _discard(self, media_ids: Sequence[str]) -> None:
        """Take uploads off the list and off the server: what was never started is of no use to anybody."""
        for media_id in media_ids:
            self._page.batch.forget(media_id)
        await self.update()
        await asyncio.to_thread(discard, self._page.operations, media_ids)

    async def _clear_all(self) -> None:
        number = len(self._rows)
        say = self._say
        if await confirm(say, say("batch.clear_title"), say.count("batch.clear_text", number), say("batch.clear")):
            await self._discard(list(self._rows))

    async def _move(self, media_id: str, step: int) -> None:
        order = self._page.batch.video_ids
        place = order.index(media_id)
        target = min(max(place + step, 0), len(order) - 1)
        order.insert(target, order.pop(place))
        self._page.batch.order_videos(order)
        await self.update()

    def _take_order(self) -> None:
        places = {child.id: place for place, child in enumerate(self._list)}
        self._page.batch.order_videos(sorted(self._rows, key=lambda each: places[self._rows[each].element.id]))

    def _play(self, media_id: str) -> None:
        play(self._say, self._rows[media_id].media)

    def _choose_face(self, media_id: str) -> None:
        row = self._rows[media_id]
        if row.preflight is not None and row.preflight.findings is not None:
            chosen = self._page.batch.faces.get(media_id, 0)
            faces = row.preflight.findings.faces
            choose_face(self._say, row.media, faces, chosen, lambda rank: self._take_face(media_id, rank))

    def _take_face(self, media_id: str, rank: int) -> None:
        self._page.batch.choose_face(media_id, rank)
        self._rows[media_id].show_preflight(self._rows[media_id].preflight, rank)

    async def _begin(self) -> None:
        draft = self._page.batch
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
            batch = await attempt(self._page, self._page.operations.create_batch, request)
            if batch is not None:
                draft.clear()
                ui.navigate.to("/live")
        finally:
            self._starting = False
            self._show_state()

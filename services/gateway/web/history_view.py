"""All that was made: searched, filtered and paged on the server; played, downloaded and deleted from here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from nicegui import PageArguments, context, ui
from starlette.datastructures import QueryParams

from services.gateway.web.confirm import confirm
from services.gateway.web.disk_line import disk_text
from services.gateway.web.history_filter import PAGE_ROWS, HistoryFilter
from services.gateway.web.history_row import history_row
from services.gateway.web.markup import Text, attribute, block, button, empty, head, icon_button, link_button, relabel
from services.gateway.web.open_page import OpenPage, attempt
from services.jobs.model import Job, JobState
from services.library.limits import CALL_IDS

_LOOK_SECONDS: Final = 3.0


class HistoryView:
    """One filter, one page of jobs, and the jobs that are ticked (on any page)."""

    def __init__(self, page: OpenPage, arguments: PageArguments) -> None:
        self._page = page
        self._say = say = page.words
        self._filter = HistoryFilter.from_query(arguments.query_parameters)
        self._jobs: Sequence[Job] | None = None
        self._total = 0
        self._chosen: dict[str, bool] = {}
        """Job -> whether it has an output"""
        self._boxes: dict[str, ui.checkbox] = {}
        self._inputs: dict[str, ui.input | ui.select] = {}
        self._client = context.client
        ui.page_title(f"{say('frame.history')} · Chorus")
        with block("div", "view view-wide"):
            head(say("history.title"), say("history.lead"))
            self._fields()
            with block("section", "card"):
                with block("div", "list-head") as self._top:
                    self._every = ui.checkbox(on_change=lambda event: self._choose_page(event.value))
                    attribute(self._every, "aria-label", say("history.choose_page"))
                    self._count = Text("span", "", "muted numbers").props("role=status")
                    self._choose_all = button(say("history.choose_all"), self._choose_everything, kind="plain")
                    self._choose_all.classes("push")
                self._list = block("ul", "media-list")
                self._paging()
            self._disk = Text("p", "", "muted numbers")
            self._actions()
        page.on_address = self._follow
        ui.timer(_LOOK_SECONDS, self.update)

    def _fields(self) -> None:
        say, now = self._say, self._filter
        states = {"": say("history.any_state"), **{str(state): say(f"state.{state}") for state in JobState}}
        with block("div", "filters").props("role=search"):
            search = self._inputs["name"] = ui.input(
                say("history.search"), value=now.name, on_change=lambda e: self._narrow(name=e.value or "")
            )
            search.props("outlined clearable debounce=300").classes("filter-search")
            with search.add_slot("prepend"):
                ui.icon("sym_o_search")
            self._select(say("history.state"), states, now.state, "state")
            whose = {"": say("history.everybody"), "mine": say("history.mine")}
            self._select(say("history.whose"), whose, now.whose, "whose")
            self._day(say("history.since"), now.since, "since")
            self._day(say("history.until"), now.until, "until")

    def _select(self, label: str, labels: dict[str, str], value: str, name: str) -> None:
        field = self._inputs[name] = ui.select(
            labels, label=label, value=value, on_change=lambda e: self._narrow(**{name: e.value})
        )
        field.props("outlined options-dense").classes("filter-field")

    def _day(self, label: str, value: str, name: str) -> None:
        field = self._inputs[name] = ui.input(
            label, value=value, on_change=lambda event: self._narrow(**{name: event.value or ""})
        )
        field.props("outlined type=date stack-label").classes("filter-field")

    def _paging(self) -> None:
        with block("nav", "paging") as self._pages:
            self._back = icon_button("chevron_left", self._say("history.page_before"), lambda: self._turn(-1))
            self._place = Text("span", "", "numbers muted")
            self._on = icon_button("chevron_right", self._say("history.page_after"), lambda: self._turn(+1))
        attribute(self._pages, "aria-label", self._say("history.pages"))

    def _actions(self) -> None:
        say = self._say
        with block("div", "action-bar") as self._bar:
            self._picked = Text("div", "", "action-state numbers").props("role=status")
            with block("div", "view-actions"):
                icon_button("close", say("history.choose_none"), self._choose_none)
                if self._page.visitor.may_make:
                    button(say("common.delete"), self._delete_chosen, kind="danger", symbol="delete")
                self._load = link_button(say("history.zip"), "", symbol="download", kind="primary", download=True)
        self._bar.set_visibility(False)

    async def update(self) -> None:
        """Show what matches by now; rows are only made anew when something has changed."""
        visitor, operations = self._page.visitor, self._page.operations
        wanted = self._filter
        offset = (wanted.page - 1) * PAGE_ROWS
        jobs, total = await asyncio.to_thread(
            operations.list_jobs,
            wanted.job_filter(visitor.owner, visitor.minutes_ahead),
            limit=PAGE_ROWS,
            offset=offset,
        )
        if wanted != self._filter:
            return
        if not jobs and wanted.page > 1:
            await self._go(wanted.changed())
            return
        use = await asyncio.to_thread(operations.disk_use)
        days = await asyncio.to_thread(operations.retention.days)
        self._disk.set_text(disk_text(self._say, use, days))
        if (jobs, total) != (self._jobs, self._total):
            self._jobs, self._total = jobs, total
            self._show(jobs, total)

    def _show(self, jobs: Sequence[Job], total: int) -> None:
        say = self._say
        self._list.clear()
        self._boxes = {}
        with self._list:
            for job in jobs:
                self._boxes[job.id] = history_row(
                    self._page, job, is_chosen=job.id in self._chosen, choose=self._choose, delete=self._delete_one
                )
            if not jobs:
                self._say_empty()
        self._count.set_text(say.count("history.count", total) if total else "")
        self._top.set_visibility(bool(jobs))
        self._choose_all.set_visibility(total > PAGE_ROWS)
        pages = max(1, -(-total // PAGE_ROWS))
        self._pages.set_visibility(pages > 1)
        self._place.set_text(say("history.page", number=self._filter.page, total=pages))
        self._back.set_enabled(self._filter.page > 1)
        self._on.set_enabled(self._filter.page < pages)
        self._show_choice()

    def _say_empty(self) -> None:
        say = self._say
        with block("li"):
            if self._filter.is_narrow:
                empty("search_off", say("history.no_match"), say("history.no_match_hint"))
                return
            with empty("video_library", say("history.empty"), say("history.empty_hint")):
                if self._page.visitor.may_make:
                    link_button(say("live.to_batch"), "/", symbol="add", kind="primary")

    async def _narrow(self, **values: str) -> None:
        await self._go(self._filter.changed(**values))

    async def _turn(self, step: int) -> None:
        await self._go(self._filter.changed(page=self._filter.page + step))

    async def _go(self, wanted: HistoryFilter) -> None:
        self._filter = wanted
        # The router keeps the address for the moment when the language is switched.
        self._client.sub_pages_router.current_path = wanted.address
        ui.navigate.history.replace(wanted.address)
        await self.update()

    def _follow(self, address: str) -> None:
        """A link to the history itself was followed, as the one in the navigation: show what it says."""
        path, _, query = address.partition("?")
        wanted = HistoryFilter.from_query(QueryParams(query))
        if path == "/history" and wanted != self._filter:
            for name, field in self._inputs.items():
                field.set_value(getattr(wanted, name))

    def _choose(self, job_id: str, is_chosen: bool) -> None:
        if is_chosen and len(self._chosen) < CALL_IDS:
            self._chosen[job_id] = any(j.id == job_id and j.state is JobState.SUCCEEDED for j in self._jobs or ())
        elif not is_chosen:
            self._chosen.pop(job_id, None)
        self._show_choice()

    def _choose_page(self, is_chosen: bool) -> None:
        for box in self._boxes.values():
            box.set_value(is_chosen)

    def _choose_none(self) -> None:
        self._chosen = {}
        self._every.set_value(False)
        self._choose_page(False)
        self._show_choice()

    async def _choose_everything(self) -> None:
        visitor = self._page.visitor
        wanted = self._filter.job_filter(visitor.owner, visitor.minutes_ahead)
        jobs, _ = await asyncio.to_thread(self._page.operations.list_jobs, wanted, limit=CALL_IDS, offset=0)
        self._chosen = {job.id: job.state is JobState.SUCCEEDED for job in jobs}
        self._choose_page(True)
        self._show_choice()

    def _show_choice(self) -> None:
        ready = [job_id for job_id, has_output in self._chosen.items() if has_output]
        self._bar.set_visibility(bool(self._chosen))
        self._picked.set_text(self._say("history.picked", number=len(self._chosen)))
        self._load.set_visibility(bool(ready))
        attribute(self._load, "href", f"/v1/archive?{urlencode({'job': ready}, doseq=True)}")
        relabel(self._load, self._say("history.zip_label", number=len(ready)))

    async def _delete_one(self, job: Job) -> None:
        await self._delete([job.id])

    async def _delete_chosen(self) -> None:
        await self._delete(list(self._chosen))

    async def _delete(self, job_ids: Sequence[str]) -> None:
        say, number = self._say, len(job_ids)
        title, text = say.count("history.delete_title", number), say.count("history.delete_text", number)
        if not await confirm(say, title, text, say("common.delete")):
            return
        done = await attempt(self._page, self._page.operations.outputs.delete_jobs, job_ids)
        if done is None:
            return
        for job_id in done.deleted:
            self._chosen.pop(job_id, None)
        if done.refused:
            reasons = " ".join(map(say.failure, done.refused.values()))
            ui.notify(reasons, type="warning", timeout=0, close_button=say("common.close"))
        await self.update()
        self._show_choice()

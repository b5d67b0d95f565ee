"""What is being made now: the visitor's batches first, then those of colleagues."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from nicegui import ui

from services.gateway.operations.batch import Batch
from services.gateway.operations.batches import Operations
from services.gateway.web.batch_card import BatchCard
from services.gateway.web.confirm import confirm
from services.gateway.web.job_row import JobActions
from services.gateway.web.markup import Text, block, button, empty, head, link_button
from services.gateway.web.open_page import OpenPage, attempt
from services.jobs.model import FINISHED, Job, JobState

_LOOK_SECONDS: Final = 0.5
_BATCHES: Final = 60

Seen = Sequence[tuple[Batch, Sequence[Job]]]


class LiveView:
    """Follows all unfinished batches, the visitor's newest one, and whatever finished while the view was open."""

    def __init__(self, page: OpenPage) -> None:
        self._page = page
        self._say = say = page.words
        self._cards: dict[str, BatchCard] = {}
        self._updating = asyncio.Lock()
        self._states: dict[str, JobState] = {}
        ui.page_title(f"{say('frame.live')} · Chorus")
        with block("div", "view view-wide"):
            with head(say("live.title"), say("live.lead")):
                self._cancel = button(say("live.cancel_mine"), self._cancel_mine, kind="danger", symbol="close")
            self._queue = Text("p", "", "muted numbers queue-line").props("role=status")
            self._news = Text("p", "", "unseen").props("role=status")
            self._place = block("div", "cards")
            self._empty = block("section", "card")
            with self._empty, empty("hourglass_empty", say("live.empty"), say("live.empty_hint")):
                if page.visitor.may_make:
                    link_button(say("live.to_batch"), "/", symbol="add", kind="primary")
        self._empty.set_visibility(False)
        self._cancel.set_visibility(False)
        ui.timer(_LOOK_SECONDS, self.update)

    async def update(self) -> None:
        """Show every batch as it is now; a slow look is not overtaken by the next."""
        if self._updating.locked():
            return
        async with self._updating:
            owner = self._page.visitor.owner
            seen = await asyncio.to_thread(_look, self._page.operations, owner, set(self._cards))
            counts = await asyncio.to_thread(self._page.operations.count_states)
            running, queued = counts[JobState.RUNNING], counts[JobState.QUEUED]
            self._queue.set_text(self._say("live.queue", running=running, queued=queued) if running + queued else "")
            self._show(seen)
            self._tell_news([job for _, jobs in seen for job in jobs])

    def _show(self, seen: Seen) -> None:
        self._empty.set_visibility(not seen)
        mine = [batch for batch, _ in seen if batch.owner == self._page.visitor.owner and _unfinished(batch)]
        self._cancel.set_visibility(len(mine) > 1)
        actions = JobActions(cancel=self._cancel_job, retry=self._retry_job)
        for batch, jobs in seen:
            if batch.id not in self._cards:
                is_mine = batch.owner == self._page.visitor.owner
                with self._place:
                    self._cards[batch.id] = BatchCard(self._page, batch, actions, self._cancel_batch, is_mine=is_mine)
            self._cards[batch.id].show(jobs)
        for gone in set(self._cards) - {batch.id for batch, _ in seen}:
            self._cards.pop(gone).element.delete()
        for place, (batch, _) in enumerate(seen):
            card = self._cards[batch.id].element
            if list(self._place)[place] is not card:
                card.move(target_index=place)

    def _tell_news(self, jobs: Sequence[Job]) -> None:
        """Read out what has ended since the last look."""
        ended = [job for job in jobs if job.state in FINISHED and self._states.get(job.id, job.state) != job.state]
        self._states = {job.id: job.state for job in jobs}
        if ended:
            self._news.set_text("; ".join(f"{job.video_name}: {self._say(f'state.{job.state}')}" for job in ended))

    async def _cancel_job(self, job_id: str) -> None:
        await attempt(self._page, self._page.operations.cancel_job, job_id)
        await self.update()

    async def _retry_job(self, job_id: str) -> None:
        await attempt(self._page, self._page.operations.retry_job, job_id)
        await self.update()

    async def _cancel_batch(self, batch_id: str) -> None:
        say = self._say
        if await confirm(say, say("live.cancel_title"), say("live.cancel_text"), say("live.cancel_all")):
            await attempt(self._page, self._page.operations.cancel_batch, batch_id)
            await self.update()

    async def _cancel_mine(self) -> None:
        say, owner = self._say, self._page.visitor.owner
        if not await confirm(say, say("live.cancel_title"), say("live.cancel_text"), say("live.cancel_mine")):
            return
        for batch, _ in await asyncio.to_thread(_look, self._page.operations, owner, ()):
            if batch.owner == owner and _unfinished(batch):
                await attempt(self._page, self._page.operations.cancel_batch, batch.id)
        await self.update()


def _unfinished(batch: Batch) -> int:
    return sum(number for state, number in batch.counts.items() if state not in FINISHED)


def _look(operations: Operations, owner: str, shown: Collection[str]) -> Seen:
    batches, _ = operations.list_batches(limit=_BATCHES, offset=0, first=owner)
    newest = next((batch.id for batch in batches if batch.owner == owner), None)
    wanted = [batch for batch in batches if _unfinished(batch) or batch.id in shown or batch.id == newest]
    jobs = operations.jobs_by_batch([batch.id for batch in wanted])
    return [(batch, jobs[batch.id]) for batch in wanted]

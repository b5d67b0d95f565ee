"""How long finished videos and unused uploads are kept: shown to all, set by administrators."""

from __future__ import annotations

import asyncio

from nicegui import ui

from services.gateway.web.catalogue import Words
from services.gateway.web.confirm import confirm
from services.gateway.web.disk_line import retention_text
from services.gateway.web.formats import moment_text
from services.gateway.web.markup import Text, block, button
from services.gateway.web.open_page import OpenPage, attempt
from services.library.limits import MOST_RETENTION_DAYS
from services.library.retention import Retention, RetentionEffect


class RetentionForm:
    """A number of days and who set it; what would be deleted is told, and asked for, before it is set."""

    def __init__(self, page: OpenPage, now: Retention) -> None:
        self._page = page
        words = page.words
        with block("section", "card"):
            with block("div", "card-head"):
                Text("h2", words("settings.keeps"))
            Text("p", words("retention.hint"), "muted")
            with block("div", "filters retention"):
                self._days = ui.number(words("retention.days"), value=now.days, min=0, max=MOST_RETENTION_DAYS)
                self._days.props("outlined").classes("filter-field")
                button(words("retention.save"), self._save, kind="primary")
                button(words("retention.restore"), self._restore, kind="plain")
            self._origin = Text("p", "", "muted").props("role=status")
        self._show(now)

    def _show(self, now: Retention) -> None:
        self._days.set_value(now.days)
        self._origin.set_text(_origin(self._page.words, now, self._page.visitor.minutes_ahead))

    async def _save(self) -> None:
        # An empty field is no number: it is refused as one that is out of bounds.
        await self._change(-1.0 if self._days.value is None else float(self._days.value))

    async def _restore(self) -> None:
        now = await attempt(self._page, self._page.operations.retention.get)
        if now is not None:
            await self._change(now.default_days, restore=True)

    async def _change(self, days: float, *, restore: bool = False) -> None:
        rule, words = self._page.operations.retention, self._page.words
        effect = await attempt(self._page, rule.preview, days)
        if effect is None or not await self._agreed(days, effect):
            return
        changed = await attempt(self._page, rule.change, None if restore else days)
        if changed is not None:
            self._show(changed)
            ui.notify(words("retention.saved"), type="positive")

    async def _agreed(self, days: float, effect: RetentionEffect) -> bool:
        if not (effect.jobs or effect.uploads):
            return True
        words = self._page.words
        text = words(
            "retention.confirm_text",
            videos=words.count("retention.videos", effect.jobs),
            uploads=words.count("retention.uploads", effect.uploads),
            days=f"{days:g}",
        )
        return await confirm(words, words("retention.confirm_title"), text, words("common.delete"))


async def show_retention(page: OpenPage) -> None:
    """The form; nothing for who may not set it."""
    if not page.visitor.is_admin:
        return
    now = await attempt(page, page.operations.retention.get)
    if now is not None:
        RetentionForm(page, now)


async def kept_text(page: OpenPage) -> str:
    """How long things are kept, in a line."""
    return retention_text(page.words, await asyncio.to_thread(page.operations.retention.days))


def _origin(words: Words, now: Retention, minutes_ahead: int) -> str:
    if now.changed_at is None:
        return words("retention.as_set_up")
    return words("retention.set_by", name=now.changed_by, moment=moment_text(now.changed_at, minutes_ahead))

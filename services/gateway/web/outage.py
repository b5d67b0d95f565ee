"""A line above every view while something that jobs need is away."""

from __future__ import annotations

import asyncio
from typing import Final

from nicegui import ui

from services.gateway.web.markup import Text, block, icon
from services.gateway.web.open_page import OpenPage

_LOOK_SECONDS: Final = 5.0


class Outage:
    """Asks again and again; what answers not even the second time is told, so that a short restart alarms nobody."""

    def __init__(self, page: OpenPage) -> None:
        self._page = page
        self._before: frozenset[str] = frozenset()
        with block("div", "notice outage").props("role=status") as self._line:
            icon("error")
            self._text = Text("span")
        self._line.set_visibility(False)
        ui.timer(_LOOK_SECONDS, self._look)

    async def _look(self) -> None:
        checks = await asyncio.to_thread(self._page.operations.readiness.dependencies)
        away = frozenset(check.name for check in checks if not check.ready)
        told = [check.name for check in checks if check.name in away & self._before]
        self._before = away
        words = self._page.words
        parts = words("outage.between").join(words(f"outage.part.{name}") for name in told)
        self._text.set_text(words("outage.told", parts=parts) if told else "")
        self._line.set_visibility(bool(told))

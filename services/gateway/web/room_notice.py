"""A line that is there while the disk is too full for anything new, and says what to do."""

from __future__ import annotations

import asyncio
from typing import Final

from nicegui import ui

from services.gateway.web.formats import size_text
from services.gateway.web.markup import Text, block, icon
from services.gateway.web.open_page import OpenPage

_LOOK_SECONDS: Final = 3.0


class RoomNotice:
    """Looks again and again, as long as its view is shown."""

    def __init__(self, page: OpenPage) -> None:
        self._page = page
        with block("div", "notice notice-bad").props("role=status") as self._line:
            icon("hard_drive")
            self._text = Text("div")
        self._line.set_visibility(False)
        ui.timer(_LOOK_SECONDS, self._look)

    async def _look(self) -> None:
        room = self._page.operations.room
        free = await asyncio.to_thread(room.free)
        is_low = free < room.least_bytes
        self._text.set_text(self._page.words("room.low", free=size_text(free)) if is_low else "")
        self._line.set_visibility(is_low)

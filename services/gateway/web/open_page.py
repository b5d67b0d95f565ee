"""What every view of one open browser tab shares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from services.errors import ChorusError
from services.gateway.operations.batches import Operations
from services.gateway.web.catalogue import Words
from services.gateway.web.draft import Draft
from services.gateway.web.visitor import Visitor


@dataclass(slots=True)
class OpenPage:
    """One tab: who looks, what is put together there, and the operations behind it."""

    operations: Operations
    visitor: Visitor
    batch: Draft
    single: Draft
    uploading: int = 0
    """Uploads of this tab that are not in a draft yet, as the browser says it, again and again"""
    on_uploading: Callable[[], object] | None = None
    """Called when that number has changed; the view that is shown may put itself here"""
    on_upload: Callable[[], Awaitable[None]] | None = None
    """Awaited when an upload has come into a draft; the view that is shown may put itself here"""
    on_address: Callable[[str], object] | None = None
    """Called with the new address when a link is followed; the view that is shown may put itself here"""

    @property
    def words(self) -> Words:
        return self.visitor.words


async def attempt(page: OpenPage, call: Callable[..., Any], *arguments: Any) -> Any | None:
    """What an operation returns, off the event loop; when it refuses, None, and the visitor reads why."""
    try:
        return await asyncio.to_thread(call, *arguments)
    except ChorusError as error:
        tell_error(page, error)
        return None


def tell_error(page: OpenPage, error: ChorusError) -> None:
    """A message that stays until it is read: what happened, in the visitor's language."""
    ui.notify(
        page.words.failure(error),
        type="negative",
        timeout=0,
        close_button=page.words("common.close"),
        position="top",
    )

"""Asks before something is lost."""

from __future__ import annotations

from services.gateway.web.catalogue import Words
from services.gateway.web.markup import Text, block, button, window


async def confirm(words: Words, title: str, text: str, action: str) -> bool:
    """True when the visitor agreed."""
    with window(title) as dialog:
        Text("p", text, "muted")
        with block("div", "dialog-actions"):
            button(words("common.cancel"), lambda: dialog.submit(False))
            button(action, lambda: dialog.submit(True), kind="danger")
    return bool(await dialog)

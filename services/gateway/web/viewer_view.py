"""What those who may look and download see where others put something together."""

from __future__ import annotations

from nicegui import ui

from services.gateway.web.markup import block, head, link_button
from services.gateway.web.open_page import OpenPage


def show_viewer(page: OpenPage) -> None:
    """Say what this login is for, and where what was made lies."""
    words = page.words
    ui.page_title(f"{words('viewer.title')} · Chorus")
    with block("div", "view"), head(words("viewer.title"), words("viewer.hint")):
        link_button(words("viewer.to_history"), "/history", symbol="video_library", kind="primary")

"""Language, appearance, and what this installation accepts, keeps and holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any, get_args

from nicegui import ui

from services.gateway.web.formats import size_text
from services.gateway.web.markup import Text, attribute, block, head, link_button
from services.gateway.web.open_page import OpenPage
from services.gateway.web.retention_form import kept_text, show_retention
from services.gateway.web.room_notice import RoomNotice
from services.gateway.web.visitor import Theme
from services.jobs.families import family_cards
from services.messages.catalogue import LANGUAGES


async def show_settings(page: OpenPage, speak: Callable[[str], object], wear: Callable[[Theme], object]) -> None:
    """Build the view; `speak` changes the language, `wear` the appearance."""
    words, limits = page.words, page.operations.limits
    ui.page_title(f"{words('frame.settings')} · Chorus")
    themes = {name: words(f"settings.{name}") for name in get_args(Theme)}
    with block("div", "view"):
        head(words("frame.settings"))
        RoomNotice(page)
        with block("section", "card"):
            _choice(words("settings.language"), LANGUAGES, words.language, speak)
            _choice(words("settings.theme"), themes, page.visitor.theme, wear)
        with block("section", "card"):
            with block("div", "card-head"):
                Text("h2", words("settings.limits"))
            with block("dl", "facts"):
                _fact(words("settings.file_size"), size_text(limits.max_upload_bytes))
                _fact(words("settings.length"), words("settings.minutes", number=f"{limits.max_minutes:g}"))
                _fact(words("settings.keeps"), await kept_text(page))
        await show_retention(page)
        if page.visitor.is_admin:
            with block("section", "card"):
                with block("div", "card-head"):
                    Text("h2", words("audit.title"))
                Text("p", words("audit.lead"), "muted")
                with block("div", "view-actions facts-actions"):
                    link_button(words("audit.show"), "/audit", symbol="manage_search")
        with block("section", "card"):
            with block("div", "card-head"):
                Text("h2", words("settings.disk"))
            disk = block("dl", "facts")
        with block("section", "card"):
            with block("div", "card-head"):
                Text("h2", words("settings.about"))
            with block("dl", "facts"):
                _fact("Chorus", version("chorus"))
                for card in family_cards().values():
                    _fact(
                        words("settings.method", name=card.name), " · ".join(filter(None, (card.licence, card.engine)))
                    )
            with block("div", "view-actions facts-actions"):
                link_button(words("settings.api"), "/docs", symbol="api").props("target=_blank")
                if page.visitor.is_admin:
                    link_button(words("settings.models"), "/models", symbol="deployed_code")
    use = await asyncio.to_thread(page.operations.disk_use)
    with disk:
        _fact(words("settings.outputs"), size_text(use.outputs_bytes))
        _fact(words("settings.uploads"), size_text(use.uploads_bytes))
        _fact(words("settings.analyses"), size_text(use.analyses_bytes))
        if use.free_bytes is not None:
            _fact(words("settings.free"), size_text(use.free_bytes))
        if limits.least_free_bytes:
            _fact(words("settings.least_free"), size_text(limits.least_free_bytes))


def _choice(title: str, labels: Mapping[str, str], value: str, take: Callable[[Any], object]) -> None:
    with block("div", "setting"):
        Text("h2", title)
        choice = ui.toggle(dict(labels), value=value, on_change=lambda event: take(event.value))
        choice.props("no-caps unelevated toggle-color=chosen toggle-text-color=chosen").classes("toggle")
        attribute(choice, "aria-label", title)


def _fact(name: str, value: str) -> None:
    Text("dt", name)
    Text("dd", value, "numbers")

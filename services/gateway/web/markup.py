"""Plain HTML elements with our classes, so that views read like the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

Click = Callable[[], object] | Callable[[], Awaitable[object]]
ButtonKind = Literal["primary", "quiet", "danger", "plain"]


class Text(TextElement):
    """An element with nothing but text in it."""

    def __init__(self, tag: str, text: str = "", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)


def block(tag: str, classes: str = "") -> Element:
    """An element to put others into."""
    return Element(tag).classes(classes)


def attribute(element: Element, name: str, value: str | None) -> None:
    """Set one attribute, or take it away with None; nothing is sent when it has that value already."""
    if element.props.get(name) == value:
        return
    if value is None:
        del element.props[name]
    else:
        element.props[name] = value


def icon(name: str) -> ui.icon:
    """A decorative icon from the font that comes with the page."""
    return ui.icon(f"sym_o_{name}")


def button(
    text: str, on_click: Click | None = None, *, kind: ButtonKind = "quiet", symbol: str | None = None
) -> ui.button:
    """A button with words on it."""
    made = ui.button(text, icon=f"sym_o_{symbol}" if symbol else None, color=None, on_click=on_click)
    return made.props("unelevated no-caps").classes(f"button button-{kind}")


def icon_button(name: str, label: str, on_click: Click | None = None) -> ui.button:
    """A button with an icon only; `label` is read out and shown on hover."""
    made = ui.button(icon=f"sym_o_{name}", color=None, on_click=on_click).props("flat").classes("icon-button")
    relabel(made, label)
    return made


def relabel(element: Element, label: str) -> None:
    """What an element without words is called."""
    attribute(element, "aria-label", label)
    attribute(element, "title", label)


def link_button(
    text: str, address: str, *, symbol: str, kind: ButtonKind = "quiet", download: bool = False
) -> ui.button:
    """A link that looks like a button; a download stays on the page."""
    made = button(text, kind=kind, symbol=symbol)
    made.props["href"] = address
    if download:
        made.props["download"] = True
    return made


def icon_link(name: str, label: str, address: str, *, download: bool = False) -> ui.button:
    """A link with an icon only."""
    made = icon_button(name, label)
    made.props["href"] = address
    if download:
        made.props["download"] = True
    return made


def head(title: str, lead: str = "") -> Element:
    """A view's title; returns the place for its actions."""
    with block("div", "view-head"):
        with block("div"):
            Text("h1", title)
            if lead:
                Text("p", lead)
        return block("div", "view-actions")


def empty(symbol: str, title: str, hint: str) -> Element:
    """What a view says when it has nothing to show; returns the place for a button."""
    with block("div", "empty") as place:
        icon(symbol)
        Text("h2", title)
        Text("p", hint)
    return place


def notice(text: str, *, symbol: str = "info", bad: bool = False) -> Element:
    """A message that stays."""
    with block("div", "notice notice-bad" if bad else "notice").props("role=status") as made:
        icon(symbol)
        Text("div", text)
    return made


@contextmanager
def window(title: str, *, wide: bool = False) -> Iterator[ui.dialog]:
    """A dialog with its title; it is gone when it was closed."""
    look = "dialog-card dialog-wide" if wide else "dialog-card"
    with ui.dialog() as dialog, ui.card().classes(look):
        attribute(dialog, "aria-label", title)
        Text("h2", title)
        yield dialog
    dialog.on("hide", dialog.delete)


def picture(address: str, alt: str = "") -> Element:
    """An image that is loaded when it comes into sight."""
    made = Element("img").props("loading=lazy decoding=async")
    attribute(made, "src", address)
    attribute(made, "alt", alt)
    return made

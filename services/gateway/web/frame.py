"""What surrounds every view: the header, the navigation, language and theme."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from nicegui import PageArguments, context, ui
from nicegui.element import Element

from services.gateway.access.language import LANGUAGE_COOKIE
from services.gateway.web.markup import Text, attribute, block, icon, icon_button, relabel
from services.gateway.web.open_page import OpenPage
from services.gateway.web.outage import Outage
from services.gateway.web.settings_view import show_settings
from services.gateway.web.visitor import THEME_COOKIE, Theme
from services.messages.catalogue import LANGUAGES

View = Callable[[PageArguments], object]

_VIEWS: Final = (
    ("/", "batch", "library_add"),
    ("/single", "single", "movie"),
    ("/live", "live", "hourglass_top"),
    ("/history", "history", "video_library"),
    ("/log", "log", "subject"),
)
_MAKING: Final = ("/", "/single")
_OF_ALL: Final = ("/log",)
_THEMES: Final[Mapping[Theme, tuple[Theme, str]]] = {
    "auto": ("light", "brightness_auto"),
    "light": ("dark", "light_mode"),
    "dark": ("auto", "dark_mode"),
}
_COUNT_SECONDS: Final = 3.0
_LOGO: Final = """
<svg viewBox="0 0 32 32" fill="none" aria-hidden="true">
<rect width="32" height="32" rx="9" fill="var(--primary)"/>
<circle cx="9" cy="16" r="3.2" fill="var(--on-primary)"/>
<path d="M15 10.5a8 8 0 0 1 0 11M19.5 7.5a13 13 0 0 1 0 17M24 4.8a18 18 0 0 1 0 22.4"
 stroke="var(--on-primary)" stroke-width="2.4" stroke-linecap="round"/></svg>
"""


class Frame:
    """The frame of one open page; it is built once and speaks another language without a reload."""

    def __init__(self, page: OpenPage, views: Mapping[str, View]) -> None:
        self._page = page
        self._views = views
        self._links: dict[str, Element] = {}
        self._dark = ui.dark_mode(_darkness(page.visitor.theme))
        self._client = context.client
        self._client.sub_pages_router.on_path_changed(self._mark)
        # The content that NiceGUI gives us is the main landmark already: the header stands before it.
        with self._client.layout, block("div", "above") as above:
            self._build_header()
            Outage(page)
        above.move(target_index=0)
        self._build_views()
        ui.timer(_COUNT_SECONDS, self._count)

    @ui.refreshable_method
    def _build_header(self) -> None:
        with block("a", "skip-link").props('href="#content"'):
            Text("span", self._page.words("frame.skip"))
        with block("header", "topbar"), block("div", "topbar-inner"):
            with block("a", "brand").props('href="/"'):
                ui.html(_LOGO, sanitize=False)
                Text("span", "Chorus")
            self._navigation()
            self._tools()
        self._mark(self._client.sub_pages_router.current_path)

    @ui.refreshable_method
    def _build_views(self) -> None:
        views = {**self._views, "/settings": lambda _: show_settings(self._page, self._speak, self._dress)}
        with block("div").props("id=content tabindex=-1"):
            ui.sub_pages({path: self._opening(view) for path, view in views.items()})

    def _navigation(self) -> None:
        with block("nav", "views") as navigation:
            attribute(navigation, "aria-label", self._page.words("frame.navigation"))
            visitor = self._page.visitor
            hidden = (*(() if visitor.may_make else _MAKING), *(() if visitor.sees_all else _OF_ALL))
            for path, name, symbol in _VIEWS:
                if path in hidden:
                    continue
                with block("a").props(f'href="{path}"') as link:
                    icon(symbol)
                    Text("span", self._page.words(f"frame.{name}"))
                    if name == "live":
                        self._badge = Text("span", "", "badge numbers").props("aria-hidden=true")
                        self._badge.set_visibility(False)
                        self._unfinished = Text("span", "", "unseen")
                self._links[path] = link

    def _tools(self) -> None:
        words, visitor = self._page.words, self._page.visitor
        with block("div", "tools"):
            other = next(code for code in LANGUAGES if code != words.language)
            switch = ui.button(LANGUAGES[other], color=None, on_click=lambda: self._speak(other))
            switch.props(f'flat no-caps lang="{other}"').classes("icon-button language-button")
            attribute(switch, "aria-label", words("frame.language", language=LANGUAGES[other]))
            self._theme = icon_button("contrast", "", self._change_theme)
            self._wear(visitor.theme)
            with icon_button("settings", words("frame.settings")) as settings:
                settings.props["href"] = "/settings"
            if visitor.name is not None:
                icon_button("logout", words("frame.logout", name=visitor.name), _log_out)

    def _mark(self, path: str) -> None:
        here = path.split("?")[0].split("#")[0].rstrip("/") or "/"
        here = "/history" if here.startswith("/compare") else here
        for target, link in self._links.items():
            attribute(link, "aria-current", "page" if target == here else None)
        if self._page.on_address is not None:
            self._page.on_address(path)

    async def _count(self) -> None:
        number = await asyncio.to_thread(self._page.operations.count_unfinished, self._page.visitor.owner)
        self._badge.set_text(str(number))
        self._unfinished.set_text(self._page.words.count("frame.unfinished", number) if number else "")
        self._badge.set_visibility(number > 0)

    def _speak(self, language: str) -> None:
        self._page.visitor.speak(language)
        _remember(LANGUAGE_COOKIE, language)
        ui.run_javascript(f"document.documentElement.lang = '{self._page.words.html_language}'")
        self._build_header.refresh()
        self._build_views.refresh()

    def _change_theme(self) -> None:
        self._dress(_THEMES[self._page.visitor.theme][0])

    def _dress(self, theme: Theme) -> None:
        self._page.visitor.theme = theme
        _remember(THEME_COOKIE, theme)
        self._dark.set_value(_darkness(theme))
        self._wear(theme)

    def _wear(self, theme: Theme) -> None:
        self._theme.set_icon(f"sym_o_{_THEMES[theme][1]}")
        relabel(self._theme, self._page.words(f"frame.theme_{theme}"))

    def _opening(self, view: View) -> View:
        def show(arguments):  # type: ignore[no-untyped-def]
            self._page.on_uploading = self._page.on_upload = self._page.on_address = None
            return view(arguments)

        # NiceGUI looks at the annotation itself; in this file annotations are strings.
        show.__annotations__ = {"arguments": PageArguments}
        return show


def _darkness(theme: Theme) -> bool | None:
    return None if theme == "auto" else theme == "dark"


def _remember(cookie: str, value: str) -> None:
    ui.run_javascript(f"document.cookie = '{cookie}={value};path=/;max-age=31536000;samesite=lax'")


def _log_out() -> None:
    ui.run_javascript("fetch('/logout', {method: 'POST'}).then(() => location.assign('/'))")

"""Who looks at the page: the owner of what they upload, their language, their clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import unquote

from starlette.requests import Request

from services.acting import Role, current_actor
from services.gateway.access.language import language_of
from services.gateway.web.catalogue import Words, open_words

Theme = Literal["auto", "light", "dark"]
THEME_COOKIE = "chorus_theme"
CLOCK_COOKIE = "chorus_clock"
"""Minutes that the visitor's clock is ahead of UTC"""
_DAY_MINUTES = 24 * 60


@dataclass(slots=True)
class Visitor:
    """One open page. Language and theme change while it is open; both are cookies, so that they outlive it."""

    owner: str
    name: str | None
    may_make: bool
    """False for those who see and download only: what they cannot do is not shown to them"""
    is_admin: bool
    """What only admins may do is not shown to others"""
    sees_all: bool
    """False for those who shall know of nothing but their own"""
    words: Words
    theme: Theme
    minutes_ahead: int

    def speak(self, language: str) -> None:
        """Change the language."""
        self.words = open_words(language)


def visitor_of(request: Request) -> Visitor:
    """Who sent a request."""
    caller = request.state.caller
    theme = request.cookies.get(THEME_COOKIE, "")
    return Visitor(
        owner=caller.owner,
        name=caller.name,
        may_make=current_actor().may(Role.MAKER),
        is_admin=current_actor().may(Role.ADMIN),
        sees_all=current_actor().sees_all,
        words=open_words(language_of(request)),
        theme=cast("Theme", theme) if theme in ("light", "dark") else "auto",
        minutes_ahead=_clock(unquote(request.cookies.get(CLOCK_COOKIE, ""))),
    )


def _clock(text: str) -> int:
    try:
        minutes = int(text)
    except ValueError:
        return 0
    return minutes if abs(minutes) < _DAY_MINUTES else 0

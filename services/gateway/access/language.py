"""In which language a person is answered: as chosen on the page, else as the browser asks for."""

from __future__ import annotations

from typing import Final

from starlette.requests import HTTPConnection

from services.messages.catalogue import LANGUAGES

LANGUAGE_COOKIE: Final = "chorus_language"


def language_of(connection: HTTPConnection) -> str:
    """One of LANGUAGES; English for a program that asks for none."""
    chosen = connection.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else preferred_language(connection.headers.get("accept-language", ""))


def preferred_language(accept_language: str) -> str:
    """The first of LANGUAGES that the browser's header asks for, by its weights; English otherwise."""
    wishes = [_weighed(part) for part in accept_language.split(",") if part.strip()]
    for _, name in sorted(wishes, key=lambda wish: -wish[0]):
        if name in LANGUAGES:
            return name
    return "en"


def _weighed(part: str) -> tuple[float, str]:
    name, _, weight = part.strip().partition(";q=")
    try:
        return float(weight or 1), name.split("-")[0].lower()
    except ValueError:
        return 0.0, ""

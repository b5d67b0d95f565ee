"""The words of the page: one catalogue file a language, the same keys in each; errors have their English as key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "zh": "简体中文"}
"""Language code -> its own name"""
_FOLDER: Final = Path(__file__).parent / "words"
_GAP: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Words:
    """One language; call it with a key as in words("batch.title")."""

    language: str
    texts: Mapping[str, str]
    details: Sequence[tuple[re.Pattern[str], str]]
    """What the messages of errors look like, and their texts in this language; none in English"""

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its {values} filled in."""
        text = self.texts[key]
        return text.format(**values) if values else text

    def count(self, key: str, number: int, **values: object) -> str:
        """As a call, with the form of the text that suits a number: `key.one` or `key.many`."""
        return self(f"{key}.one" if number == 1 else f"{key}.many", number=number, **values)

    def either(self, key: str, otherwise: str) -> str:
        """The text of a key, or `otherwise` where there is none."""
        return self.texts.get(key, otherwise)

    def group(self, name: str) -> dict[str, str]:
        """All texts below `name.`, for a widget that lives in the browser."""
        start = f"{name}."
        return {key.removeprefix(start): text for key, text in self.texts.items() if key.startswith(start)}

    def detail(self, message: str) -> str:
        """The message of an error in this language; one that the catalogue does not know as it is."""
        for pattern, text in self.details:
            if found := pattern.fullmatch(message):
                return text.format(**found.groupdict())
        return message

    def failure(self, kind: str, message: str) -> str:
        """What went wrong: its details; where they are in another language, after the kind of the error."""
        detail = self.detail(message)
        return detail if detail != message else self("live.failure", kind=self(f"error.{kind}"), details=message)

    def script_details(self) -> list[tuple[str, str]]:
        """The same for a widget: patterns and replacements as JavaScript writes them."""
        return [
            (f"^{pattern.pattern.replace('(?P<', '(?<')}$", _GAP.sub(r"$<\1>", text)) for pattern, text in self.details
        ]

    @property
    def html_language(self) -> Literal["zh-CN", "en-US"]:
        """As the page's lang attribute and the widgets' own catalogue name it."""
        return "zh-CN" if self.language == "zh" else "en-US"


@cache
def open_words(language: str) -> Words:
    """The words of one of LANGUAGES."""
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        tables = tomllib.load(file)
    details = tables.pop("details", {})
    patterns = [(_pattern(template), text) for template, text in details.items()]
    return Words(language, dict(_flatten(tables)), patterns)


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


def _pattern(template: str) -> re.Pattern[str]:
    literals_and_names = enumerate(_GAP.split(template))
    parts = [f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in literals_and_names]
    return re.compile("".join(parts), re.DOTALL)


def _flatten(table: Mapping[str, Any], above: Sequence[str] = ()) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        path = (*above, key)
        found += _flatten(value, path) if isinstance(value, dict) else [(".".join(path), value)]
    return found

"""The words of the page: one catalogue file a language, the same keys in each; errors have services/messages."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from services.errors import AS_TOLD, ChorusError
from services.messages.catalogue import is_known

_FOLDER: Final = Path(__file__).parent / "words"


@dataclass(frozen=True, slots=True)
class Words:
    """One language; call it with a key as in words("batch.title")."""

    language: str
    texts: Mapping[str, str]

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

    def failure(self, error: ChorusError) -> str:
        """What went wrong; what was only told, in English, stands after the kind of the error."""
        text = error.text(self.language)
        if error.code != AS_TOLD and is_known(error.code, self.language):
            return text
        return self("live.failure", kind=self(f"error.{error.kind}"), details=text)

    @property
    def html_language(self) -> Literal["zh-CN", "en-US"]:
        """As the page's lang attribute and the widgets' own catalogue name it."""
        return "zh-CN" if self.language == "zh" else "en-US"


@cache
def open_words(language: str) -> Words:
    """The words of one of LANGUAGES."""
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        tables = tomllib.load(file)
    return Words(language, dict(_flatten(tables)))


def _flatten(table: Mapping[str, Any], above: Sequence[str] = ()) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        path = (*above, key)
        found += _flatten(value, path) if isinstance(value, dict) else [(".".join(path), value)]
    return found

"""The text of a message id with its values, in a language; read from en.ftl, zh.ftl when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.printable import printable

if TYPE_CHECKING:
    from fluent.runtime import FluentBundle

Value = str | int | float
"""What a message may be filled in with: all that JSON can carry as well"""
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "zh": "简体中文"}
"""Language code -> its own name"""
_FOLDER: Final = Path(__file__).parent
_LARGEST: Final = 1 << 53
_LONGEST: Final = 2400
"""Letters of a value; of one with more than 2500, such as a program's last lines, Fluent would show nothing at all"""


def text_of(code: str, values: Mapping[str, Value], language: str = "en") -> str:
    """The message in one of LANGUAGES, else in English; an id that nobody knows is shown with its values. Never fails.

    Numbers come without thousands separators (they are ports, sizes, codes), unless the message asks for them.
    """
    for bundle in (open_bundle(language), open_bundle("en")):
        pattern = bundle.get_message(code).value if bundle.has_message(code) else None
        if pattern is not None:
            text, _ = bundle.format_pattern(pattern, {name: _plain(value) for name, value in values.items()})
            return str(text)
    return " ".join([code, *(f"{name}={printable(str(value))}" for name, value in values.items())])


def is_known(code: str, language: str = "en") -> bool:
    """True for the id of a message that there is in a language."""
    return open_bundle(language).has_message(code)


@cache
def open_bundle(language: str) -> FluentBundle:
    """All messages of one of LANGUAGES."""
    # Here, not above: it costs 50 ms of CPU, and most short-lived children never fail.
    from fluent.runtime import FluentBundle, FluentResource

    # Chinese and English run in one direction: marks around each value would only end up in what people copy.
    bundle = FluentBundle([language], use_isolating=False)
    bundle.add_resource(FluentResource((_FOLDER / f"{language}.ftl").read_text(encoding="utf-8")))
    return bundle


def _plain(value: Value) -> object:
    if isinstance(value, str):
        shown = printable(value)
        return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST // 2]} … {shown[-_LONGEST // 2 :]}"
    from fluent.runtime.types import fluent_number

    # Beyond this babel fails, and no size or port is as large.
    return str(value) if abs(value) > _LARGEST else fluent_number(value, useGrouping=False)

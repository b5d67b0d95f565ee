"""Errors and their messages: every code of the code has a text in every language, with the values that it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as ftl
from fluent.syntax.visitor import Visitor

import services
from services import errors
from services.messages import catalogue
from services.messages.catalogue import LANGUAGES, is_known, open_bundle, text_of

_SERVICES = Path(services.__file__).parent
_MESSAGES = Path(catalogue.__file__).parent
# A face's number counted from 0, where the page counts from 1.
_NOT_FOR_CHINESE = {"last"}
# Told by whoever has words only; by errors.unforeseen.
_WITHOUT_CALL = {"as-told", "disk-full"}
# With the code as their second argument.
_MAKERS = {"ChorusError", "unforeseen"}


class _Variables(Visitor):
    """The variables of a message, and those of them that must be numbers."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.numbers: set[str] = set()

    def visit_VariableReference(self, node: ftl.VariableReference) -> None:  # noqa: N802  # fluent.syntax calls it
        self.names.add(node.id.name)

    def visit_FunctionReference(self, node: ftl.FunctionReference) -> None:  # noqa: N802
        self.numbers |= {each.id.name for each in node.arguments.positional if isinstance(each, ftl.VariableReference)}
        self.generic_visit(node)


def messages_of(language: str) -> dict[str, _Variables]:
    """The variables of each message."""
    found: dict[str, _Variables] = {}
    for entry in FluentParser().parse((_MESSAGES / f"{language}.ftl").read_text(encoding="utf-8")).body:
        assert not isinstance(entry, ftl.Junk), entry.content
        if isinstance(entry, ftl.Message):
            assert entry.id.name not in found
            found[entry.id.name] = _Variables()
            found[entry.id.name].visit(entry)
    return found


_ENGLISH = messages_of("en")


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """Where a ChorusError is made, its code, and the names of its values; errors.py makes those that come as JSON."""
    for path in sorted(set(_SERVICES.rglob("*.py")) - {Path(errors.__file__)}):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MAKERS:
                place = f"{path.relative_to(_SERVICES)}:{node.lineno}"
                code = ast.unparse(node.args[1]).strip("'")
                yield place, code, {str(each.arg) for each in node.keywords}


def test_every_error_has_a_message_for_its_values() -> None:
    known = {code: variables.names for code, variables in _ENGLISH.items()}
    assert [(place, code, names) for place, code, names in calls() if known.get(code) != names] == []


def test_every_message_is_used() -> None:
    assert set(_ENGLISH) - {code for _, code, _ in calls()} - _WITHOUT_CALL == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same(language: str) -> None:
    theirs = messages_of(language)
    assert list(theirs) == list(_ENGLISH)
    for code, variables in theirs.items():
        assert variables.names | _NOT_FOR_CHINESE == _ENGLISH[code].names | _NOT_FOR_CHINESE, code


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("value", ["<value>", 1, 2.5])
def test_every_message_can_be_formatted(language: str, value: str | float) -> None:
    for code, variables in messages_of(language).items():
        values = {name: 1 if name in variables.numbers else value for name in _ENGLISH[code].names}
        pattern = open_bundle(language).get_message(code).value
        assert pattern is not None
        text, errors = open_bundle(language).format_pattern(pattern, values)
        assert (errors, "{" in str(text)) == ([], False), code


def test_a_text_is_filled_in_without_marks_and_separators() -> None:
    assert text_of("as-told", {"text": "a.mp4 {1}: 安娜"}) == "a.mp4 {1}: 安娜"
    assert text_of("as-told", {"text": 8420}) == "8420"
    assert text_of("as-told", {"text": 0.25}, "zh") == "0.25"


def test_a_very_long_value_shows_its_beginning_and_its_end() -> None:
    text = text_of("as-told", {"text": "first" + "x" * 5000 + "last"})
    assert text.startswith("first")
    assert text.endswith("last")
    assert len(text) < 2500


def test_an_unknown_code_shows_itself_and_its_values() -> None:
    assert text_of("not-yet-written", {"name": "a.mp4", "number": 3}, "zh") == "not-yet-written name=a.mp4 number=3"
    assert not is_known("not-yet-written")
    assert text_of("as-told", {}) == "text"


@pytest.mark.parametrize("number", [10**30, 1e300, float("inf"), float("nan"), -(10**30), -0.0])
def test_no_number_keeps_a_message_from_being_made(number: float) -> None:
    assert text_of("too-long", {"name": "a.mp4", "minutes": number, "limit": number}).startswith("a.mp4 is ")

"""The catalogues of the page have the same keys, and every key is used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from services.errors import ErrorKind
from services.gateway.access.language import language_of
from services.gateway.operations.import_rows import ImportStage, ImportState
from services.gateway.web import catalogue
from services.gateway.web.catalogue import open_words
from services.jobs.model import JobState, Stage
from services.jobs.options import RenderOptions
from services.library.findings import Caution, Verdict
from services.messages.catalogue import LANGUAGES
from services.preprocess.summary import SoundNote

_WEB = Path(catalogue.__file__).parent
_ENGLISH = open_words("en").texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_key_with_the_same_gaps(language: str) -> None:
    texts = open_words(language).texts
    assert texts.keys() == _ENGLISH.keys()
    for key, text in texts.items():
        assert text.strip(), key
        assert set(re.findall(r"{(\w+)}", text)) <= set(re.findall(r"{(\w+)}", _ENGLISH[key])) | {"kind"}, key


def test_every_key_is_used() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted(_WEB.glob("*.py")))
    script = "\n".join(path.read_text(encoding="utf-8") for path in sorted(_WEB.glob("*.js")))
    unused = [key for key in _ENGLISH if not _is_used(key, source, script)]
    assert unused == []


def _is_used(key: str, source: str, script: str) -> bool:
    name = key.removesuffix(".one").removesuffix(".many")
    group, _, last = name.partition(".")
    if f'"{name}"' in source or f"'{name}'" in source:
        return True
    if f'words.group("{group}")' in source and re.search(rf"\b{last}\b|\"{last}\"", script):
        return True
    # Keys that end in a value, as in words(f"state.{job.state}").
    starts = re.findall(r'f"([a-z_.]+)\{', source)
    return any(name.startswith(start) for start in starts)


@pytest.mark.parametrize(
    ("group", "values"),
    [
        ("state", JobState),
        ("stage", Stage),
        ("error", ErrorKind),
        ("verdict", Verdict),
        ("models.state_", ImportState),
        ("models.stage_", ImportStage),
        ("caution", Caution),
        ("sound_note", SoundNote),
        ("options", RenderOptions.__dataclass_fields__),
    ],
)
def test_every_value_that_the_page_may_show_has_words(group: str, values: list[str]) -> None:
    left_out = {"options.preset"}
    start = group if group.endswith("_") else f"{group}."
    assert {f"{start}{value}" for value in values} - left_out <= _ENGLISH.keys()


@pytest.mark.parametrize(
    ("header", "cookie", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh"),
        ("de-DE,de;q=0.9,zh;q=0.3,en;q=0.5", "", "en"),
        ("fr", "", "en"),
        ("", "", "en"),
        ("zh;q=x", "", "en"),
        ("zh", "chorus_language=en", "en"),
        ("en", "chorus_language=zh", "zh"),
        ("zh", "chorus_language=fr", "zh"),
    ],
)
def test_the_language_is_the_chosen_one_or_else_the_browsers(header: str, cookie: str, language: str) -> None:
    headers = [(b"accept-language", header.encode()), (b"cookie", cookie.encode())]
    assert language_of(HTTPConnection({"type": "http", "headers": headers})) == language

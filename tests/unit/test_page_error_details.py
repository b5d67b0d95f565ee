"""The messages of errors in Chinese: the catalogue's templates are those of the code, and real messages fit them."""

from __future__ import annotations

import ast
import errno
import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

import services
from services.errors import ChorusError
from services.gateway.web import catalogue
from services.gateway.web.catalogue import open_words
from services.library.incoming import too_large
from services.media.source import open_source
from services.preprocess.rpc import no_face
from services.storage import storage_error

_SERVICES = Path(services.__file__).parent
_FILE = Path(catalogue.__file__).parent / "words" / "zh.toml"
_TEMPLATES: dict[str, str] = tomllib.loads(_FILE.read_text(encoding="utf-8"))["details"]
_ZH = open_words("zh")
# An English word; and a face's number counted from 0, where the page counts from 1.
_NOT_FOR_CHINESE = {"state", "last"}


def gaps(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


def texts_of(path: Path) -> Iterator[str]:
    """Every string of a file with {} for what is filled in; also with the strings that a function names before."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    scopes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))]
    for scope in scopes:
        named: dict[str, list[str]] = {}
        for node in ast.walk(scope):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                named.setdefault(node.targets[0].id, []).extend(forms(node.value, {}))
        for node in ast.walk(scope):
            yield from forms(node, named)


def forms(node: ast.AST, named: dict[str, list[str]]) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.FormattedValue):
        return ["{}", *(named.get(node.value.id, []) if isinstance(node.value, ast.Name) else [])]
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in product(*(forms(part, named) for part in node.values))]
    return []


def test_every_template_is_a_message_of_the_code() -> None:
    known = {text for path in _SERVICES.rglob("*.py") for text in texts_of(path)}
    assert [template for template in _TEMPLATES if re.sub(r"{\w+}", "{}", template) not in known] == []


@pytest.mark.parametrize(("template", "text"), _TEMPLATES.items())
def test_chinese_fills_in_what_english_does(template: str, text: str) -> None:
    assert gaps(text) == gaps(template) - _NOT_FOR_CHINESE


@pytest.mark.parametrize("template", _TEMPLATES)
def test_every_template_finds_its_own_text(template: str) -> None:
    values = {gap: f"<{gap}>" for gap in gaps(template)}
    assert _ZH.detail(template.format(**values)) == _TEMPLATES[template].format(**values)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (no_face("安娜 {1}.mp4"), "在“安娜 {1}.mp4”中没有找到人脸。请选择人脸足够大、正对镜头的视频。"),
        (too_large("a is b.mp4", 3 << 20), "“a is b.mp4”超过了 3 MiB 的上限。"),
        (storage_error(OSError(errno.ENOSPC, "full"), "a/b"), "磁盘空间不足，无法保存 a/b。请清理磁盘后重试。"),
    ],
)
def test_a_real_message_in_chinese(error: ChorusError, text: str) -> None:
    assert _ZH.detail(error.message) == text
    assert open_words("en").detail(error.message) == error.message


def test_a_file_that_is_no_recording_in_chinese(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("just some words, and no video at all\n" * 9)
    with pytest.raises(ChorusError) as refusal, open_source(path, "notes.mp4"):
        pass
    assert _ZH.detail(refusal.value.message).startswith("“notes.mp4”不是视频、音频或图片文件。")


def test_an_unknown_message_stays_as_it_is() -> None:
    for message in ("", "Something new: do this", "a.mp4 is empty: choose a file with content or not"):
        assert _ZH.detail(message) == message


def test_the_kind_stands_before_what_cannot_be_translated_only() -> None:
    assert _ZH.failure("no_face", no_face("a.mp4").message).startswith("在“a.mp4”中没有找到人脸。")
    assert _ZH.failure("no_face", "Something new") == "没有找到人脸。Something new"
    assert open_words("en").failure("no_face", "Something new") == "Something new"


def test_the_browser_gets_the_same_patterns() -> None:
    scripts = dict(_ZH.script_details())
    assert scripts[r"^(?<name>.+?)\ is\ empty:\ upload\ it\ again$"] == "“$<name>”是空的。请重新上传。"
    assert len(scripts) == len(_TEMPLATES)
    assert open_words("en").script_details() == []

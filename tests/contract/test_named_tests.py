"""The tests that the documentation names as proof are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FOLDERS = ("unit", "contract", "integration", "fuzz", "e2e", "chaos")
_NAMED = re.compile(rf"`((?:tests/)?(?:(?:{'|'.join(_FOLDERS)})/)?(?:\w+/)*test_\w+)(?:\.py)?`")


@pytest.mark.parametrize(("document", "least"), [("docs/reliability.md", 30), ("docs/security.md", 15)])
def test_every_test_that_is_named_exists(document: str, least: int) -> None:
    named = set(_NAMED.findall((ROOT / document).read_text()))
    assert len(named) >= least
    tests = {str(path.relative_to(ROOT).with_suffix("")) for path in (ROOT / "tests").rglob("test_*.py")}
    assert [name for name in sorted(named) if not any(f"/{test}".endswith(f"/{name}") for test in tests)] == []

"""OpenVINO is measured at an import as Triton's backend runs it, and is one version everywhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "services/importing/openvino.py"
SERVED = ROOT / "services/local/backends/onnxruntime/openvino_session.py"


def properties(path: Path) -> object:
    (found,) = re.findall(r"^PROPERTIES\b.* = (\{.*\})$", path.read_text(), re.MULTILINE)
    return ast.literal_eval(found)


def test_both_sessions_have_the_same_properties() -> None:
    assert properties(MEASURED) == properties(SERVED)


def test_one_version_is_installed_on_both_sides() -> None:
    files = ("pyproject.toml", "constraints.txt", "services/local/triton-openvino.txt")
    versions = [re.findall(r"\bopenvino==([\d.]+)", (ROOT / name).read_text()) for name in files]
    assert len(versions) == 3
    assert all(found == versions[0] and len(found) == 1 for found in versions)

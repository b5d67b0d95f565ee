"""promtool accepts the alert rules, and each fires when it should and keeps quiet when it should."""

from __future__ import annotations

import subprocess

import pytest

from tests.prometheus_server import MONITORING, program


@pytest.mark.parametrize("check", [("check", "rules", "alerts.yaml"), ("test", "rules", "alerts_test.yaml")])
def test_promtool_is_content(check: tuple[str, ...]) -> None:
    said = subprocess.run(
        [program("promtool"), *check], cwd=MONITORING, capture_output=True, text=True, timeout=60, check=False
    )
    assert said.returncode == 0, said.stdout + said.stderr

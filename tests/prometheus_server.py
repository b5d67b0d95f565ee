"""Debian's Prometheus as the tests use it: promtool on files, and a server that scrapes what it is told."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
MONITORING = ROOT / "deploy" / "k8s" / "monitoring"


def program(name: str) -> str:
    """Where prometheus or promtool lies."""
    own = ROOT / "build" / "prometheus" / "usr" / "bin" / name
    found = shutil.which(name) or (str(own) if own.exists() else None)
    assert found is not None, f"{name} is not there: run `make prometheus`"
    return found

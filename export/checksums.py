"""The record of what the export gave last: the SHA-256 of every model.onnx, in checksums.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

RECORD: Final = Path(__file__).with_name("checksums.json")


def recorded() -> dict[str, str]:
    """SHA-256 by model; empty before the first export."""
    found: dict[str, str] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return found


def record(model: str, sha256: str) -> None:
    """Set one model's SHA-256."""
    RECORD.write_text(json.dumps(recorded() | {model: sha256}, indent=2, sort_keys=True) + "\n")

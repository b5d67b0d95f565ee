"""Looking into folders in which running services make and remove things."""

from __future__ import annotations

import os
from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    """All files; a folder that is removed meanwhile is passed over, where Path.rglob fails."""
    return sorted(Path(parent) / name for parent, _, names in os.walk(folder) for name in names)

"""A MuseTalk with random weights, as large as the published one or small, imported as a user's would be."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from scripts.gpu.asked import MUSETALK
from services.importing.importer import import_file
from services.jobs.imported import ImportedFamilies


def random_musetalk(folder: Path, *, small: bool) -> str:
    """Have it among the families in `folder`; what to say of it. Without torch and diffusers there is none."""
    families = ImportedFamilies()
    families.look_in(folder / "families")
    if (known := families.find(MUSETALK)) is not None:
        return f"MuseTalk: imported before, {known.steps} of 255 levels from torch"
    try:
        from tests.importing.musetalk_nets import SMALL, WHOLE, Nets
    except ImportError as error:
        return f"MuseTalk is left out: {error.name} is not installed (`make importer-musetalk`)"
    source = folder / "musetalk"
    Nets(SMALL if small else WHOLE).save(source)
    started = time.monotonic()
    try:
        made = import_file(source, folder / "families", wanted_name=MUSETALK, licence="random weights", taken=())
    finally:
        shutil.rmtree(source)
    size, _ = families.size_and_time(MUSETALK)
    seconds = time.monotonic() - started
    what = "small" if small else "whole"
    return f"MuseTalk, {what}: imported in {seconds:.0f} s, {size / 1e6:.0f} MB, {made.steps} of 255 levels from torch"

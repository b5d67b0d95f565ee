"""Starts a render child; with the word `try-hardware`, says which encoder of graphics hardware works in one."""

from __future__ import annotations

import json
import sys

from services import telemetry
from services.confined import confine
from services.media.hardware_trial import first_that_works
from services.render.process import run
from services.render.settings import RenderProcessSettings


def main() -> int:
    """Do it; the exit code."""
    settings = RenderProcessSettings()
    confine(settings.render_memory_gib << 30)
    telemetry.configure_logging("render", settings.log_level, settings.log_form)
    if sys.argv[1:] == ["try-hardware"]:
        hardware, flaws = first_that_works()
        print(json.dumps({"hardware": hardware, "flaws": flaws}))  # noqa: T201  # what it is asked for
        return 0
    return run(settings)


if __name__ == "__main__":
    sys.exit(main())

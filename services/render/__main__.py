"""Starts a render child."""

from __future__ import annotations

import sys

from services import telemetry
from services.confined import confine
from services.render.process import run
from services.render.settings import RenderProcessSettings


def main() -> int:
    """Render the job on stdin; the exit code."""
    settings = RenderProcessSettings()
    confine(settings.render_memory_gib << 30)
    telemetry.configure_logging("render", settings.log_level, settings.log_form)
    return run(settings)


if __name__ == "__main__":
    sys.exit(main())

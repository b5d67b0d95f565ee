"""Where render children come from: the zygote of a worker; or says which encoder of graphics hardware works.

`zygote` copies this process for each job; `try-hardware` looks for the encoder, in a process that may crash.
"""

from __future__ import annotations

import json
import sys
from functools import partial

from services import telemetry
from services.confined import confine
from services.media.hardware_trial import first_that_works
from services.one_thread import compute_on_one_thread
from services.render.process import run
from services.render.settings import RenderProcessSettings
from services.zygote import serve


def main(errand: str) -> None:
    """Do it."""
    settings = RenderProcessSettings()
    telemetry.configure_logging("render", settings.log_level, settings.log_form)
    if errand == "try-hardware":
        confine(settings.render_memory_gib << 30)
        hardware, flaws = first_that_works()
        print(json.dumps({"hardware": hardware, "flaws": flaws}))  # noqa: T201  # what it is asked for
        return
    # Jobs are the parallelism; threads inside a warp or a product only compete with the encoder's.
    compute_on_one_thread()
    serve(partial(render_one, settings), "render child")


def render_one(settings: RenderProcessSettings) -> int:
    """What a render child does; its exit code."""
    confine(settings.render_memory_gib << 30)
    return run(settings)


if __name__ == "__main__":
    main(*sys.argv[1:])

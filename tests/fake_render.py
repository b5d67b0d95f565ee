"""A render child for tests: speaks the real one's protocol, and does what the video's name says."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from services.zygote import serve


def say(**message: Any) -> None:
    """One line of the protocol."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def progress(done: int) -> None:
    """A line that says `done` of 10 frames."""
    say(progress={"stage": "rendering", "frames_done": done, "frames_total": 10, "frames_per_second": 20.0})


def fail(kind: str, code: str, **values: str) -> None:
    """The last line of a render that failed."""
    say(failed={"kind": kind, "code": code, "values": values})
    sys.exit(1)


def main() -> int:
    """slow-S: takes S seconds; fail: no face; flaky, full: Triton, or room, is away at the first try; stall, ..."""
    request = json.load(sys.stdin)
    name = request["spec"]["video_name"]
    started = Path(os.environ["FAKE_RENDER_LOG"]) / f"{request['spec']['job_id']}.{os.getpid()}"
    started.touch()
    say(progress={"stage": "analysing", "frames_done": 0, "frames_total": 10})
    behave(name, first=len(list(started.parent.glob(f"{request['spec']['job_id']}.*"))) == 1)
    Path(request["output_path"]).write_bytes(name.encode() * 1000)
    Path(request["poster_path"]).write_bytes(b"poster")
    progress(10)
    say(inferences=[["mouth_renderer", 8, 0.02, ""], ["mouth_renderer", 2, 0.01, ""]])
    say(succeeded={"frames": 10, "seconds": 0.4, "video_seconds": 0.5, "stages": {"decode": 0.1}})
    return 0


def behave(name: str, *, first: bool) -> None:
    """What comes before the output."""
    if name.startswith("slow-"):
        end = time.monotonic() + float(Path(name).stem.removeprefix("slow-"))
        while time.monotonic() < end:
            progress(3)
            time.sleep(0.1)
    elif name.startswith("fail"):
        fail("no_face", "no-face", name=name)
    elif name.startswith("flaky") and first:
        fail("unavailable", "service-unreachable", service="Triton", reason="away")
    elif name.startswith("full") and first:
        fail("storage_full", "storage-full", name=name)
    elif name.startswith("stall"):
        time.sleep(60)
    elif name.startswith("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif name.startswith("crash"):
        sys.exit(3)


if __name__ == "__main__":
    serve(main, "render child")

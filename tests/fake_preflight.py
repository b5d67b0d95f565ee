"""A preflight child for tests: speaks the real one's protocol, and finds what the file's name says."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def say(**message: Any) -> None:
    """One line of the protocol."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """nobody: no face; two: a choice; broken: preprocess is away; slow: a while; crash: dies."""
    name = json.loads(sys.stdin.readline())["name"]
    say(progress={"frames_done": 5, "frames_total": 10})
    if name.startswith("slow"):
        time.sleep(30)
    if name.startswith("crash"):
        sys.exit(3)
    if name.startswith("broken"):
        values = {"service": "preprocess", "reason": "away"}
        say(failed={"kind": "unavailable", "code": "service-unreachable", "values": values})
        return
    faces = [{"rank": rank, "box": [0.1, 0.2, 0.5, 0.6], "share": 1.0, "first_second": 0.0} for rank in range(2)]
    verdicts = {"nobody": ("no_face", []), "two": ("several_faces", faces)}
    verdict, found = next((each for key, each in verdicts.items() if name.startswith(key)), ("face", faces[:1]))
    say(found={"verdict": verdict, "faces": found, "cautions": ["small_face"] if found else []})


if __name__ == "__main__":
    main()

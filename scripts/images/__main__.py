"""`python -m scripts.images build [NAME ...]` executes the Dockerfiles in Debian roots; `run` starts all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts.images.dockerfile import dockerfiles
from scripts.images.roots import PLACE, build, image_of
from scripts.images.stack import run_stack


def main(arguments: list[str]) -> int:
    """The exit code."""
    match arguments:
        case ["build", *names]:
            for name in names or dockerfiles():
                _build(name)
        case ["run"]:
            # Processes and a network of its own: the ports are those of the images, and nothing outside is reached.
            apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
            os.execvp(apart[0], [*apart, sys.executable, "-m", "scripts.images", "stack"])  # noqa: S606
        case ["stack"]:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            run_stack()
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    return 0


def _build(name: str) -> None:
    path = dockerfiles()[name]
    image = image_of(name, path)
    if image is None:
        sys.stdout.write(f"{name}: not executed: its base is none that can be had here\n")
        return
    build(name, path)
    added = _megabytes(image.root) - _megabytes(PLACE / "base")
    sys.stdout.write(f"{name}: {added} MB more than its base\n")


def _megabytes(root: Path) -> int:
    done = subprocess.run(
        ["du", "--summarize", "--block-size=1M", str(root)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

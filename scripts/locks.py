"""Writes deploy/docker/locks: what each image installs, to the byte. `python -m scripts.locks UV` (`make locks`).

The versions are those of constraints.txt, the hashes are PyPI's; uv looks both up. Whoever installs from a lock gets
the files that its maker saw, or nothing (`pip install --require-hashes`).
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "deploy" / "docker" / "locks"
_HEAD: Final = "# Made by `make locks` from {source}: do not edit.\n"
_PYTHON: Final = "3.11"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Where a lock's requirements stand, relative to the root."""

    source: str
    extras: tuple[str, ...] = ()
    """Of pyproject.toml; other sources are complete lists, which get hashes and nothing more"""

    def options(self) -> list[str]:
        """For `uv pip compile`."""
        if not self.extras:
            return [self.source, "--no-deps"]
        return [self.source, "--constraint", "constraints.txt", *(f"--extra={extra}" for extra in self.extras)]


LOCKS: Final = {
    "gateway": Lock(source="pyproject.toml", extras=("api", "oidc", "otel")),
    "preprocess": Lock(source="pyproject.toml", extras=("preprocess", "otel")),
    "worker": Lock(source="pyproject.toml", extras=("worker", "render", "otel")),
    # The command line and the one-machine stack, for whoever installs a release and not a checkout.
    "local": Lock(source="pyproject.toml", extras=("local", "oidc", "otel")),
    "triton-cpu": Lock(source="services/local/triton-requirements.txt"),
    "build": Lock(source="deploy/docker/build-requirements.txt"),
    "sbom": Lock(source="deploy/docker/sbom-requirements.txt"),
}


def main() -> None:
    """Write every lock anew."""
    (uv,) = sys.argv[1:]
    FOLDER.mkdir(exist_ok=True)
    for name, lock in LOCKS.items():
        target = FOLDER / f"{name}.txt"
        common = ["--generate-hashes", "--universal", "--python-version", _PYTHON, "--no-header", "--no-annotate"]
        command = [uv, "pip", "compile", *lock.options(), *common, "--quiet", "--no-config", "--upgrade"]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=600)
        target.write_text(_HEAD.format(source=lock.source) + done.stdout)


if __name__ == "__main__":
    main()

"""Which files of the checkout .dockerignore lets through to the builder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path


def read_patterns(path: Path) -> list[str]:
    """The patterns of a .dockerignore, in order."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def is_sent(path: str, patterns: Sequence[str]) -> bool:
    """True for a path (relative, with slashes) that no pattern keeps out: the last that fits it or a parent decides."""
    sent = True
    for pattern in patterns:
        if re.match(_expression(pattern.removeprefix("!")), path):
            sent = pattern.startswith("!")
    return sent


def sent_files(root: Path, patterns: Sequence[str]) -> Iterator[str]:
    """Every file below `root` that is sent; folders that nothing is sent of are not entered."""
    for place, folders, files in os.walk(root):
        inside = Path(place).relative_to(root)
        within = [(inside / name).as_posix() for name in folders]
        folders[:] = [Path(path).name for path in within if _may_hold(path, patterns)]
        yield from (path for name in files if is_sent(path := (inside / name).as_posix(), patterns))


def _may_hold(folder: str, patterns: Sequence[str]) -> bool:
    return is_sent(folder, patterns) or any(pattern.startswith(f"!{folder}/") for pattern in patterns)


def _expression(pattern: str) -> str:
    """The regular expression of a pattern: `**/` is any number of folders, `*` anything within one."""
    parts = re.split(r"(\*\*/|\*|\?)", pattern)
    signs = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(signs.get(part, re.escape(part)) for part in parts) + "(?:/|$)"

"""Another revision's stack beside this one's, for costs that are compared in turns on one machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from services.media import Extend, open_clip, read_frames
from tests.running_stack import ROOT, RunningStack, running_stack


@dataclass(frozen=True, slots=True)
class Sameness:
    """How two outputs of the same frames compare, and both with their source."""

    outside: int
    """Samples, of all frames, that both outputs have from the source"""
    inside: int
    """... that one of them changed"""
    only_one: int
    """... of these, which the other one left alone"""
    differing: int
    """... which both changed, to different values"""
    largest: int
    """... by so many levels at most"""


@contextmanager
def both_stacks(revision: str, folder: Path) -> Iterator[tuple[RunningStack, RunningStack]]:
    """The stack of that revision, and this one's; they share the installed packages."""
    tree = folder / "base"
    _git("worktree", "add", "--detach", str(tree), revision)
    homes = folder / "home-base", folder / "home-here"
    for home in homes:
        home.mkdir()
    try:
        with (
            running_stack(homes[0], {"PYTHONPATH": str(tree)}) as base,
            running_stack(homes[1], {"PYTHONPATH": str(ROOT)}) as here,
        ):
            yield base, here
    finally:
        _git("worktree", "remove", "--force", str(tree))


def revision_name(revision: str) -> str:
    """As git abbreviates it."""
    return _git("rev-parse", "--short", revision).strip()


def sameness(source: Path, base: Path, here: Path) -> Sameness:
    """Compare two lossless outputs of a source, which may go to and fro."""
    clip = open_clip(here, name=here.name)
    streams = [
        read_frames(open_clip(path, name=path.name), clip.frames, Extend.PINGPONG) for path in (source, base, here)
    ]
    outside = inside = only_one = differing = largest = 0
    for frames in zip(*streams, strict=True):
        for given, before, now in zip(*(frame.planes for frame in frames), strict=True):
            by_base, by_here = before != given, now != given
            apart = cv2.absdiff(before, now)
            changed = int(np.count_nonzero(by_base | by_here))
            outside += given.size - changed
            inside += changed
            only_one += int(np.count_nonzero(by_base ^ by_here))
            differing += int(np.count_nonzero(by_base & by_here & (apart > 0)))
            largest = max(largest, int(apart.max()))
    return Sameness(outside, inside, only_one, differing, largest)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout

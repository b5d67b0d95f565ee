"""Which processes a stack has, by kind, and what they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

_MIB = 1 << 20
_KINDS = (
    # Words of a command line, first match wins.
    ("triton_python_backend_stub", "triton's stub"),
    ("tritonserver", "triton"),
    ("services.media.reading_child", "reading child"),
    ("multiprocessing.resource_tracker", "tracker"),
    ("multiprocessing.spawn", "probe child"),
    ("services.preprocess", "preprocess"),
    ("services.render", "render zygote"),
    ("services.worker", "worker"),
    ("services.gateway", "api"),
    ("chorus up", "supervisor"),
)
STEADY = ("supervisor", "api", "worker", "preprocess", "triton", "triton's stub")
"""Kinds of which there are always as many; of the others there may be none"""


@dataclass(frozen=True, slots=True)
class Held:
    """What the processes of one kind hold."""

    processes: int = 0
    mib: float = 0.0
    """A page that n processes share counts 1/n in each"""
    descriptors: int = 0


def kind_of(process: psutil.Process) -> str:
    """In words; psutil.Error when it is gone."""
    if process.status() == psutil.STATUS_ZOMBIE:
        return "zombie"
    if process.name() == "render child":  # its command line is that of the zygote
        return "render child"
    line = " ".join(process.cmdline())
    return next((kind for words, kind in _KINDS if words in line), "starting")


def below(root: int) -> Iterator[tuple[str, psutil.Process]]:
    """The process of that id and all below it, with their kinds."""
    top = psutil.Process(root)
    for process in [top, *top.children(recursive=True)]:
        with suppress(psutil.Error):
            yield kind_of(process), process


def take_census(root: int) -> Mapping[str, Held]:
    """By kind; of a zombie there is nothing but its number."""
    found: dict[str, Held] = defaultdict(Held)
    for kind, process in below(root):
        with suppress(psutil.Error):
            pss = process.memory_full_info().pss / _MIB if kind != "zombie" else 0
            descriptors = process.num_fds() if kind != "zombie" else 0
            held = found[kind]
            found[kind] = Held(held.processes + 1, held.mib + pss, held.descriptors + descriptors)
    return found


def astray(root: int, mark: str) -> list[str]:
    """Processes with `mark` in their environment that are not below `root`: they outlived their parent."""
    own = {process.pid for _, process in below(root)}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid not in own and mark in process.environ().values():
                found.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
    return found

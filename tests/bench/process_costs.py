"""What every process of a running stack costs while something happens: CPU seconds and peak memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import psutil

_SAMPLE_SECONDS = 0.2
_ROLES = (
    # Words of a command line, first match wins.
    ("triton_python_backend_stub", "triton stubs"),
    ("tritonserver", "triton"),
    ("services.media.reading_child", "reading child"),
    ("multiprocessing.spawn", "probe child"),
    ("services.preprocess", "preprocess"),
    ("services.render", "render child"),
    ("services.worker", "worker"),
    ("services.gateway", "api"),
    ("chorus up", "supervisor"),
)
_MIB = 1 << 20


@dataclass(slots=True)
class Costs:
    """By role; processes of one role are added up."""

    cpu_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    peak_mib: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """The most that a role held at one time; a page that n processes share counts 1/n in each"""
    whole_peak_mib: float = 0.0
    """The most that all held at one time"""

    @property
    def whole_cpu_seconds(self) -> float:
        """Of all processes together."""
        return sum(self.cpu_seconds.values())

    def add_cpu(self, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """What every role has used between two looks."""
        for role, seconds in after.items():
            self.cpu_seconds[role] = seconds - before.get(role, 0.0)


@contextmanager
def process_cpu(root: psutil.Process) -> Iterator[Costs]:
    """CPU seconds alone of `root` and everything below it during the block: to look at memory costs a machine time."""
    costs, before = Costs(), _cpu_seconds(root)
    yield costs
    costs.add_cpu(before, _cpu_seconds(root))


@contextmanager
def process_costs(root: psutil.Process) -> Iterator[Costs]:
    """Watches `root` and everything below it during the block; the costs are complete when it ends."""
    costs, done = Costs(), Event()
    watcher = Thread(target=_watch, args=(root, costs, done), name="costs")
    before = _cpu_seconds(root)
    watcher.start()
    try:
        yield costs
    finally:
        done.set()
        watcher.join()
    costs.add_cpu(before, _cpu_seconds(root))


def _watch(root: psutil.Process, costs: Costs, done: Event) -> None:
    while not done.wait(_SAMPLE_SECONDS):
        held: dict[str, float] = defaultdict(float)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                held[role_of(process)] += process.memory_full_info().pss / _MIB
        for role, mib in held.items():
            costs.peak_mib[role] = max(costs.peak_mib[role], mib)
        costs.whole_peak_mib = max(costs.whole_peak_mib, sum(held.values()))


def _cpu_seconds(root: psutil.Process) -> dict[str, float]:
    """User and system time so far by role; ended children of a worker, or of its zygote, were its render children."""
    seconds: dict[str, float] = defaultdict(float)
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.Error):
            role, times = role_of(process), process.cpu_times()
            seconds[role] += times.user + times.system
            if role in ("worker", "render child"):
                seconds["render child"] += times.children_user + times.children_system
    return seconds


def role_of(process: psutil.Process) -> str:
    """What a process of a stack is there for, by its command line."""
    line = " ".join(process.cmdline())
    return next((role for words, role in _ROLES if words in line), "starting")


def peak_rss_mib() -> float:
    """The most resident memory that this process has held since `forget_peak_rss`."""
    status = Path("/proc/self/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kib) / 1024


def forget_peak_rss() -> float:
    """Start a new peak, and give the memory held now in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return psutil.Process().memory_info().rss / _MIB

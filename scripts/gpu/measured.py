"""One engine: a whole stack on it, everything that is measured of it, and the GPU's memory meanwhile."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scripts.gpu.asked import FAMILY, MUSETALK, Arrays, faces, portraits, questions, states_and_latents
from services.errors import ChorusError
from services.jobs.engines import Engines
from services.local.run_file import find_running
from services.local.settings import LocalSettings
from services.triton import PLAN_SECONDS, TritonClient
from tests.running_stack import SAMPLES, RunningStack, running_stack

ROWS: Final = (1, 8, 16, 32)
MOST_ROWS: Final = 16
"""Of one request; more are several requests at the same moment"""
_JOB_SECONDS: Final = 600.0
_MEMORY: Final = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")


@dataclass(slots=True)
class Measured:
    """What was seen of an engine."""

    name: str
    failure: str = ""
    """Why it could not be measured; the rest is then what came before"""
    starts: list[float] = field(default_factory=list)
    """Seconds until Chorus was ready, each time it was started"""
    engines: dict[str, str] = field(default_factory=dict)
    """What computes each model, as Triton says"""
    rates: dict[str, dict[int, float]] = field(default_factory=dict)
    """Rows a second, by model and by rows that are asked for at once"""
    answers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    jobs: dict[str, float] = field(default_factory=dict)
    """Seconds of a job, by family"""
    videos: dict[str, Path] = field(default_factory=dict)
    in_job: dict[str, float] = field(default_factory=dict)
    """Milliseconds of a model for one request, in the jobs"""
    memory: list[int] = field(default_factory=list)
    """MiB of all GPUs: before, when ready, at most; empty without a GPU"""


def measure(
    name: str,
    environment: Mapping[str, str],
    folder: Path,
    *,
    seconds: float,
    again: bool,
    left_out: Sequence[str] = (),
) -> Measured:
    """Start Chorus with `environment` in `folder`, ask all its models and render with it; it is stopped at the end.

    Each rate is measured for `seconds`, but not those of the models `left_out`, which would take minutes a row here;
    no job is rendered with them either.
    `again`: start it twice, the second time with the plans of the first.
    """
    found = Measured(name)
    before = memory_used()
    try:
        with _Memory() as memory, ThreadPoolExecutor(MOST_ROWS) as pool:
            if again:
                with _stack(found, environment, folder):
                    pass
            with _stack(found, environment, folder) as stack:
                loaded = memory_used()
                _ask(found, stack, pool, seconds, families=Path(environment["CHORUS_FAMILIES"]), left_out=left_out)
            if before is not None and loaded is not None:
                found.memory = [before, loaded, memory.most()]
    except (ChorusError, AssertionError, OSError) as error:
        found.failure = _short(str(error))
    return found


@contextmanager
def _stack(found: Measured, environment: Mapping[str, str], folder: Path) -> Iterator[RunningStack]:
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with running_stack(folder, environment, ready_seconds=PLAN_SECONDS) as stack:
        found.starts.append(time.monotonic() - started)
        yield stack


def _ask(
    found: Measured,
    stack: RunningStack,
    pool: ThreadPoolExecutor,
    seconds: float,
    *,
    families: Path,
    left_out: Sequence[str],
) -> None:
    folders = LocalSettings(home=stack.home).folders
    running = find_running(folders)
    assert running is not None
    engines = Engines()
    engines.look_in(folders.engines)
    asked = {model: each for model, each in questions().items() if _is_there(model, families)}
    with closing(TritonClient(running.triton, timeout_seconds=PLAN_SECONDS)) as triton:
        _wait(triton, list(asked))
        found.engines = {name: engine.text for name, engine in engines.all().items()}
        for model, question in asked.items():
            found.answers[model] = question.answer(model, triton)
        rated = {model: inputs for model, inputs in _rated(max(ROWS)).items() if model in asked}
        for model, inputs in rated.items():
            if model in left_out:
                continue
            found.rates[model] = {rows: _rate(model, inputs, rows, triton, pool, seconds) for rows in ROWS}
        models = (*found.answers, "mouth_renderer")
        before = {model: triton.computed(model) for model in models}
        for family in ("default", FAMILY, MUSETALK):
            if _is_there(family, families) and family not in left_out:
                _render(found, stack, family)
        for model in models:
            requests, spent = (now - then for now, then in zip(triton.computed(model), before[model], strict=True))
            if requests:
                found.in_job[model] = 1000 * spent / requests


def _is_there(model: str, families: Path) -> bool:
    """A MuseTalk needs packages for its import that not every machine has."""
    return not model.startswith(MUSETALK) or (families / model).exists()


def _wait(triton: TritonClient, models: Sequence[str]) -> None:
    """A large net is loaded for longer than a start waits for it; AssertionError when it does not come at all."""
    end = time.monotonic() + PLAN_SECONDS
    while not triton.ready(models):
        assert time.monotonic() < end, f"Triton has not loaded {', '.join(models)}"
        time.sleep(1)


def _rated(rows: int) -> dict[str, Arrays]:
    return {
        FAMILY: faces(rows),
        MUSETALK: states_and_latents(rows),
        f"{MUSETALK}-latents": {"crop": faces(rows, 256)["crop"]},
        "face_detection": {"image": portraits(rows)},
        "face_landmarks": {"crop": portraits(rows)},
    }


_OUTPUTS: Final = {
    FAMILY: "mouth",
    MUSETALK: "mouth",
    f"{MUSETALK}-latents": "latents",
    "face_detection": "boxes",
    "face_landmarks": "landmarks",
}


def _rate(
    model: str, inputs: Arrays, rows: int, triton: TritonClient, pool: ThreadPoolExecutor, seconds: float
) -> float:
    """Rows a second, through gRPC, when so many are asked for at once again and again."""
    starts = range(0, rows, MOST_ROWS)
    parts = [{name: array[at : min(at + MOST_ROWS, rows)] for name, array in inputs.items()} for at in starts]

    def ask() -> None:
        list(pool.map(lambda part: triton.infer(model, part, [_OUTPUTS[model]]), parts))

    ask()  # the first of a size may be slower
    started, asked = time.perf_counter(), 0
    while not asked or time.perf_counter() - started < seconds:
        ask()
        asked += rows
    return asked / (time.perf_counter() - started)


def _render(found: Measured, stack: RunningStack, family: str) -> None:
    batch = stack.create_batch(SAMPLES / "announcement_en.wav", [SAMPLES / "astronaut.mp4"], family=family)
    job = stack.wait_for(batch["jobs"][0]["id"], seconds=_JOB_SECONDS)
    assert job["state"] == "succeeded", job
    begun, ended = (datetime.fromisoformat(job[moment]) for moment in ("started_at", "finished_at"))
    found.jobs[family] = (ended - begun).total_seconds()
    found.videos[family] = stack.download(job["id"], stack.home / f"{family}.mp4")


class _Memory:
    """What the GPUs' memory came to."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen: list[int] = []

    def __enter__(self) -> _Memory:
        if memory_used() is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def most(self) -> int:
        """Up to now, MiB; 0 without a GPU."""
        return max(self.seen, default=0)

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            self.seen.append(memory_used() or 0)


def memory_used() -> int | None:
    """MiB of all GPUs together; None where nvidia-smi tells nothing."""
    try:
        done = subprocess.run(_MEMORY, capture_output=True, text=True, timeout=20, check=True)
        return sum(map(int, done.stdout.split()))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _short(text: str) -> str:
    """The first lines of an error, as one."""
    return " ".join(text.split())[:700]

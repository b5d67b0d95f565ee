"""What must hold after every round, however it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from services.errors import ChorusError
from services.library import keys
from services.media import open_clip
from tests.chaos.census import STEADY, Held, astray, take_census
from tests.chaos.world import World
from tests.folders import files_below

_CALM_SECONDS: Final = 60.0
_LENGTH_SECONDS: Final = Fraction(1, 10)
# Of a kind, beyond what it held in the beginning: a leak that a round of its own shows.
_MIB_MORE: Final = 250
_DESCRIPTORS_MORE: Final = 40
_SWEPT: Final = (keys.INCOMING, "staging", "parts", "media", "thumbnails", *keys.ANALYSES)
_KEPT: Final = frozenset({"worker.lock", "lock"})


@dataclass(frozen=True, slots=True)
class Beginning:
    """What there was when nothing had been done to the stack."""

    held: Mapping[str, Held]
    shared_memory: int
    """Segments and semaphores"""


def look_at(world: World) -> Beginning:
    """What there is now."""
    return Beginning(take_census(world.root), len(world.shared_memory()))


def broken(world: World, known: Mapping[str, Fraction], own: Sequence[str], first: Beginning) -> list[str]:
    """What does not hold: `known` is how long the outputs of all jobs so far shall be, `own` are those of this round.

    What takes its time, such as a child that comes back, may take a minute.
    """
    jobs = {job["id"]: job for job in world.jobs()}
    found = [f"job {each} is lost" for each in sorted(known.keys() - jobs.keys())]
    found += [f"job {each} was asked for by nobody" for each in sorted(jobs.keys() - known.keys())]
    for each in own:
        found += _of_job(world, jobs[each], known[each]) if each in jobs else ()
    return found + _soon(lambda: [*_of_outputs(world), *_of_processes(world, first), *_of_worker(world)])


def left_behind(world: World) -> list[str]:
    """What belongs to nobody, also what waits for the sweeps: files of writers that were killed."""
    contents = {item["sha256"] for item in world.all("/v1/media")}
    found = list(_of_outputs(world))
    for key in world.stored():
        place, *rest = key.split("/")
        of_media = place in ("media", "thumbnails", *keys.ANALYSES) and rest[0].split(".")[0] in contents
        if "#" in key or not (of_media or place in (keys.OUTPUTS, keys.POSTERS, "health")):
            found.append(f"nobody's, in the store: {key}")
    scratch = world.stack.home / "scratch"
    for process in ("api", "worker", "preprocess"):
        found += [f"nobody's: {path}" for path in files_below(scratch / process) if path.name not in _KEPT]
    return found


def is_swept(found: str) -> bool:
    """Whether a sweep looks for what left_behind has found, once it is a day old."""
    return any(f": {place}/" in found for place in (*_SWEPT, keys.OUTPUTS, keys.POSTERS)) or "/uploads/" in found


def _of_job(world: World, job: Mapping[str, Any], seconds: Fraction) -> Iterator[str]:
    if job["state"] != "succeeded":
        # No fault lasts as long as the tries of a job, and none kills its worker as often as it takes to give it up.
        yield f"job {job['id']} is {job['state']}: {job['error'] and job['error']['message']}"
        return
    path = world.download(job["id"])
    if path.stat().st_size != job["output_bytes"]:
        yield f"job {job['id']} has {path.stat().st_size} bytes, and says {job['output_bytes']}"
    try:
        clip = open_clip(path, name=job["name"])
    except ChorusError as error:
        yield f"the output of job {job['id']} does not open: {error}"
        return
    lasts = clip.frames / clip.frame_rate
    if abs(lasts - seconds) > _LENGTH_SECONDS:
        yield f"the output of job {job['id']} lasts {float(lasts)} s and not {float(seconds)} s"


def _of_outputs(world: World) -> Iterator[str]:
    done = {job["id"] for job in world.jobs() if job["state"] == "succeeded"}
    stored = {
        key for key in world.stored() if key.startswith((f"{keys.OUTPUTS}/", f"{keys.POSTERS}/")) and "#" not in key
    }
    wanted = {key_of(each) for each in done for key_of in (keys.output_key, keys.poster_key)}
    yield from (f"not in the store: {key}" for key in sorted(wanted - stored))
    yield from (f"in the store without a job that has succeeded: {key}" for key in sorted(stored - wanted))


def _of_processes(world: World, first: Beginning) -> Iterator[str]:
    now = take_census(world.root)
    for kind in sorted(now.keys() | first.held.keys()):
        held, before = now.get(kind, Held()), first.held.get(kind, Held())
        if held.processes > before.processes or (kind in STEADY and held.processes < before.processes):
            yield f"{kind}: {held.processes} processes, {before.processes} in the beginning"
        if held.mib > before.mib + _MIB_MORE or held.descriptors > before.descriptors + _DESCRIPTORS_MORE:
            yield f"{kind}: {held} now, {before} in the beginning"
    yield from (f"a process without its parent: {each}" for each in astray(world.root, str(world.home)))
    if len(shared := world.shared_memory()) > first.shared_memory:
        yield f"more in shared memory than the {first.shared_memory} of the beginning: {', '.join(shared)}"


def _of_worker(world: World) -> Iterator[str]:
    """While no job runs, it keeps nothing of one."""
    folder = world.stack.home / "scratch" / "worker" / "jobs"
    yield from (f"left of a job: {path}" for path in folder.glob("*"))


def _soon(look: Callable[[], list[str]]) -> list[str]:
    """What is still found after a while in which it may go away."""
    end = time.monotonic() + _CALM_SECONDS
    while (found := look()) and time.monotonic() < end:
        time.sleep(1)
    return found

"""How fast an imported family is served: whole requests, and what of them Triton spends outside the net."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.jobs.imported import MUSETALK, ImportedFamily
from services.triton import TritonClient

ROWS: Final = (1, 4, 8, 16)
"""Faces of a request"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests of one size, one after the other; times are means of wall-clock time."""

    rows: int
    """Faces of a request"""
    requests: int
    """How many were made"""
    requests_per_second: float
    ms_per_face: float
    """From the client's call to its answer"""
    model_ms_per_face: float
    """Of that, what Triton says that the net took; the way to the net's process and back is in it"""

    @property
    def triton_ms_per_face(self) -> float:
        """What is left: gRPC, queue, copies."""
        return self.ms_per_face - self.model_ms_per_face

    @property
    def triton_share(self) -> float:
        """The same as a share of the net."""
        return self.triton_ms_per_face / self.model_ms_per_face


def sizes_of(family: ImportedFamily) -> list[int]:
    """The sizes of requests that the family takes, of ROWS."""
    return [rows for rows in ROWS if rows <= family.most_rows]


def measure(
    family: ImportedFamily, triton: TritonClient, *, seconds: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[Measured]:
    """Each size that the family takes, for `seconds` together; what is due after that is left out.

    Both times come from the same requests, so that what else the machine does meets both. Whoever else asks for the
    family meanwhile is in the figures too. Raises what TritonClient.infer does.
    """
    sizes, start = sizes_of(family), clock()
    for number, rows in enumerate(sizes, 1):
        yield _measure(family, triton, rows, start + seconds * number / len(sizes), clock)
        if clock() - start >= seconds:
            return


def _measure(
    family: ImportedFamily, triton: TritonClient, rows: int, until: float, clock: Callable[[], float]
) -> Measured:
    ask, took = _request(family, triton, rows), list[float]()
    ask()  # the first of a size is slower than the others
    requests, in_net = triton.computed(family.name)
    while not took or clock() < until:
        took.append(ask())
    requests_now, in_net_now = triton.computed(family.name)
    return Measured(
        rows=rows,
        requests=len(took),
        requests_per_second=len(took) / sum(took),
        ms_per_face=1000 * sum(took) / len(took) / rows,
        model_ms_per_face=1000 * (in_net_now - in_net) / (requests_now - requests) / rows,
    )


def _request(family: ImportedFamily, triton: TritonClient, rows: int) -> Callable[[], float]:
    """Makes a request of `rows` faces of noise; its seconds."""
    inputs = _noise(family, rows)

    def ask() -> float:
        started = time.perf_counter()
        triton.infer(family.name, inputs, ["mouth"])
        return time.perf_counter() - started

    return ask


def _noise(family: ImportedFamily, rows: int) -> dict[str, NDArray[np.generic]]:
    """What the net that paints takes, of its method."""
    random = np.random.default_rng(5)
    if family.method == MUSETALK:
        shapes = {"latents": (rows, 8, 32, 32), "sound": (rows, 50, 384)}
        return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    crops = random.integers(0, 256, (rows, family.side, family.side, 3), np.uint8)
    return {"crop": crops, "mel": random.uniform(-4, 4, (rows, 80, 16)).astype(np.float32)}

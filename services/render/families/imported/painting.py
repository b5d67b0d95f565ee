"""What paints mouths: one for each method of imported nets; animator.py lays their pictures into the footage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.jobs.imported import ImportedFamily
from services.preprocess.faces import CropBox, FaceBatch, FaceIntroduction
from services.triton import TritonClient


@dataclass(frozen=True, slots=True)
class Paintings:
    """Of the m faces of a batch."""

    box: CropBox
    """What of the crops the net saw; it paints the lower half"""
    seen: NDArray[np.uint8]
    """(m, s, s, 3) RGB: the box as the net saw it"""
    painted: NDArray[np.uint8]
    """(m, s, s, 3) RGB: what it made of it"""


class Painter(Protocol):
    """One job's net; called from one thread, in output order."""

    def introduce(self, introduction: FaceIntroduction) -> None:
        """Another track comes, or comes again."""

    def paint(self, batch: FaceBatch, frames: NDArray[np.int64]) -> Paintings:
        """The batch's m faces, one at least, which are those of these output frames."""


def asked(triton: TritonClient, family: ImportedFamily, inputs: Mapping[str, NDArray[np.generic]]) -> NDArray[np.uint8]:
    """(m, s, s, 3) RGB that the family's net paints for m rows of its inputs, in requests of as many as it takes."""
    rows = len(next(iter(inputs.values())))
    parts = [slice(start, start + family.most_rows) for start in range(0, rows, family.most_rows)]
    pictures = [
        triton.infer(family.name, {name: values[part] for name, values in inputs.items()}, ["mouth"])["mouth"]
        for part in parts
    ]
    return np.concatenate(pictures).astype(np.uint8, copy=False)

"""An imported net whose lips shut for p, b and m: there the footage's own mouth shows, shut by the default family.

A net that hears 200 ms of mel often leaves the lips apart in a closure of 60 ms, and 96 pixels hold no line between
them. The speech net of the default family knows when they shut, and its renderer shuts the person's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.jobs.families import CLOSURES, DEFAULT_CARD
from services.jobs.imported import ImportedFamily
from services.jobs.options import RenderOptions
from services.media import Frame
from services.preprocess.faces import FaceBatch, FaceIntroduction, Speech
from services.render.families.default.animator import DefaultAnimator
from services.render.families.default.speech import (
    CLOSE,
    COEFFICIENTS,
    MouthTrack,
    mouth_coefficients,
    sample_coefficients,
)
from services.render.families.family import Animator, ModelFamily, MouthEdit
from services.render.families.imported.animator import ImportedAnimator
from services.render.families.imported.methods import imported_family, method_of
from services.triton import TritonClient

_SHUT: Final = np.eye(1, len(COEFFICIENTS), CLOSE, dtype=np.float32)
"""The mouth of a closure, at any time"""


@dataclass(frozen=True, slots=True)
class Both:
    """One edit under another."""

    under: MouthEdit
    over: MouthEdit

    def apply(self, frame: Frame) -> None:
        """See MouthEdit.apply."""
        self.under.apply(frame)
        self.over.apply(frame)


class ClosingAnimator:
    """One job's mouths: painted by whatever net, and faded into the footage's own, shut, where `closures` says so."""

    def __init__(
        self, painted: ImportedAnimator, shut: Animator, closures: NDArray[np.float32], frame_rate: Fraction
    ) -> None:
        """`closures` are (columns, 8) mouth coefficients, of which that of closing counts."""
        self._painted = painted
        self._shut = shut
        self._closures = closures
        self._frame_rate = frame_rate

    def introduce(self, introduction: FaceIntroduction) -> None:
        """See Animator.introduce."""
        self._painted.introduce(introduction)
        self._shut.introduce(introduction)

    def synthesise(self, batch: FaceBatch) -> Sequence[MouthEdit]:
        """See Animator.synthesise."""
        frames = batch.first_frame + np.flatnonzero(batch.present)
        closed = sample_coefficients(self._closures, frames, self._frame_rate)[:, CLOSE]
        painted = self._painted.synthesise(batch)
        shut = self._shut.synthesise(replace(batch, weight=batch.weight * closed))
        return [
            Both(under, replace(over, weight=over.weight * (1 - share))) if share > 0 else over
            for under, over, share in zip(shut, painted, closed.tolist(), strict=True)
        ]


def closing_family(family: ImportedFamily) -> ModelFamily:
    """How an import animates a job with lips that shut; errors are those of imported_family."""
    painted, method = imported_family(family), method_of(family)

    def animate(speech: Speech, frame_rate: Fraction, options: RenderOptions, triton: TritonClient) -> Animator:
        mouth = mouth_coefficients(speech, options, triton)
        always_shut = MouthTrack(_SHUT, np.ones(1, np.float32))
        return ClosingAnimator(
            method.paint(family, speech, frame_rate, options, triton),
            DefaultAnimator(always_shut, frame_rate, triton, painted.crop),
            mouth.coefficients * mouth.presence[:, None],
            frame_rate,
        )

    models = (*painted.models, *DEFAULT_CARD.models)
    return replace(painted, name=f"{family.name}{CLOSURES}", models=models, animate=animate)

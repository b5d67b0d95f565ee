"""What a lip-sync family is: the crop and mel it eats, the models it needs, its licence, and how it animates a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from services.jobs.options import RenderOptions
from services.media import Frame
from services.preprocess.faces import (
    CropSpec,
    FaceBatch,
    FaceIntroduction,
    MelSpec,
    SoundNet,
    SourceNet,
    Speech,
)
from services.triton import TritonClient


class MouthEdit(Protocol):
    """What happens to one face of one frame: a compositing.Patch laid over it, or a reposing.Repose of its pixels."""

    def apply(self, frame: Frame) -> None:
        """Change the frame's planes in place; samples that do not change keep their bits."""


class Animator(Protocol):
    """Animates the faces of one job; called from one thread, in output order."""

    def introduce(self, introduction: FaceIntroduction) -> None:
        """Look at a track's references; comes before its first batch and whenever the stream comes back to it."""

    def synthesise(self, batch: FaceBatch) -> Sequence[MouthEdit]:
        """One edit for each of the batch's m faces."""


Animate = Callable[[Speech, Fraction, RenderOptions, TritonClient], Animator]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFamily:
    """One lip-sync method."""

    name: str
    licence: str
    crop: CropSpec
    mel: MelSpec
    models: tuple[str, ...]
    """Names in the model repository that must be loaded"""
    animate: Animate = field(repr=False)
    """Makes the animator of one job from its speech, the output's frame rate and the user's options"""
    sound_net: SoundNet | None = None
    """Its net that hears a whole recording, if it has one: its batches come with `sound` and `silence` then"""
    source_net: SourceNet | None = None
    """Its net that looks at the faces of a video: its batches come with `latents` then"""

"""How the net of an import paints, by its method: what it needs of preprocess, and who asks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.jobs.imported import MUSETALK, WAV2LIP, ImportedFamily
from services.jobs.options import RenderOptions
from services.preprocess.faces import CropSpec, MelSpec, SoundNet, SourceNet, Speech
from services.render.families.family import Animator, ModelFamily
from services.render.families.imported import musetalk, wav2lip
from services.render.families.imported.animator import ImportedAnimator
from services.render.families.imported.musetalk import LatentPainter
from services.render.families.imported.sound import Pauses, Sound
from services.render.families.imported.wav2lip import MelPainter
from services.triton import TritonClient

Paint = Callable[[ImportedFamily, Speech, Fraction, RenderOptions, TritonClient], ImportedAnimator]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How a family's mouths are painted."""

    crop: CropSpec
    paint: Paint
    """Makes the animator of one job"""
    sound_net: Callable[[ImportedFamily], SoundNet] | None = None
    source_net: Callable[[ImportedFamily], SourceNet] | None = None


def method_of(family: ImportedFamily) -> Method:
    """The method of an import; INTERNAL for one of another release."""
    if (method := _METHODS.get(family.method)) is None:
        raise ChorusError(ErrorKind.INTERNAL, "family-broken", family=family.name, reason=f"method {family.method}")
    return method


def imported_family(family: ImportedFamily) -> ModelFamily:
    """How an import animates a job; errors are those of method_of."""
    method = method_of(family)

    def animate(speech: Speech, frame_rate: Fraction, options: RenderOptions, triton: TritonClient) -> Animator:
        return method.paint(family, speech, frame_rate, options, triton)

    return ModelFamily(
        name=family.name,
        licence=family.licence,
        crop=method.crop,
        mel=MelSpec(window=0),
        models=family.models,
        animate=animate,
        sound_net=method.sound_net and method.sound_net(family),
        source_net=method.source_net and method.source_net(family),
    )


def _by_mel(
    family: ImportedFamily, speech: Speech, frame_rate: Fraction, options: RenderOptions, triton: TritonClient
) -> ImportedAnimator:
    sound = Sound(speech, options)
    return ImportedAnimator(MelPainter(family, sound, frame_rate, triton), sound, frame_rate)


def _by_latents(
    family: ImportedFamily, speech: Speech, frame_rate: Fraction, options: RenderOptions, triton: TritonClient
) -> ImportedAnimator:
    pauses = Pauses(speech, options)
    return ImportedAnimator(LatentPainter(family, pauses, frame_rate, triton), pauses, frame_rate)


_METHODS: Final[Mapping[str, Method]] = {
    WAV2LIP: Method(crop=wav2lip.CROP, paint=_by_mel),
    MUSETALK: Method(
        crop=musetalk.CROP, paint=_by_latents, sound_net=musetalk.sound_net, source_net=musetalk.source_net
    ),
}

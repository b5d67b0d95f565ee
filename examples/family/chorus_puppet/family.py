"""The family itself; only render children import it."""

from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from chorus_puppet.card import CARD
from services.jobs.options import RenderOptions
from services.preprocess.faces import CropSpec, FaceBatch, FaceIntroduction, MelSpec, Speech
from services.render.edits.compositing import Patch
from services.render.families.columns import columns_at
from services.render.families.family import Animator, ModelFamily
from services.render.families.silence import TAIL, movement, speaking
from services.triton import TritonClient

# The lower face: one unit is the distance of the outer eye corners, the origin the middle of the resting mouth.
CROP = CropSpec(left=-0.6, top=-0.4, extent=1.2, sizes=(96, 192, 384))
WIDEST = 0.14
"""How far the jaw falls at the loudest, in face units"""
RANGE = 20
"""dB below the loudest at which it is shut"""
INNER_LIPS = (13, 14)
"""Landmarks: the middle of the upper and of the lower lip's inner edge"""
CAVITY = (45, 18, 20)
"""RGB of what lies between the lips"""


class Puppet:
    """One job's mouths."""

    def __init__(self, speech: Speech, frame_rate: Fraction, options: RenderOptions) -> None:
        # Everything of a recording lies on 80 columns a second. Beyond its end, and where nobody speaks, the jaw rests.
        moves = movement(speaking(np.pad(speech.voice, (0, TAIL))))
        quieter = np.pad(speech.level_db, (0, TAIL), mode="edge") - np.percentile(speech.level_db, 95)
        self._opening = np.asarray(np.clip(1 + quieter / RANGE, 0, 1) * moves * options.expression, np.float32)
        self._rate = frame_rate

    def introduce(self, introduction: FaceIntroduction) -> None:
        """A person's first faces come next; a puppeteer needs to know nothing of them."""

    def synthesise(self, batch: FaceBatch) -> list[Patch]:
        """One patch for each face of the batch."""
        frames = batch.first_frame + np.flatnonzero(batch.present)
        openings = columns_at(self._opening[:, None], (frames + 0.5) / float(self._rate))[:, 0]
        rows = zip(batch.crops, batch.rest, batch.to_crop, openings, batch.weight, strict=True)
        return [
            # The weight fades poses that cannot look right, hands before the mouth, and the ends of a track.
            Patch(_mouth(crop, rest, float(opening)), to_crop, float(weight) if opening > 0 else 0.0)
            for crop, rest, to_crop, opening, weight in rows
        ]


def _mouth(crop: NDArray[np.uint8], rest: NDArray[np.float32], opening: float) -> NDArray[np.uint8]:
    """(s, s, 4) RGB and alpha: what is below the lips' line moved down, with a dark gap where it was."""
    side = len(crop)
    across, down = np.meshgrid(*2 * [np.arange(side, dtype=np.float32) + 0.5])
    middle, line = rest[list(INNER_LIPS), :2].mean(axis=0)
    unit = side / CROP.extent
    fall = WIDEST * unit * opening * np.clip(1 - ((across - middle) / (0.27 * unit)) ** 2, 0, 1)
    below = down - line
    # The chin falls less than the lip, and the crop's lower edge stays where it is.
    stretch = np.clip(1 - (below - fall) / (0.6 * unit), 0, 1)
    from_row = np.where(below > 0, down - fall * stretch, down)
    moved = cv2.remap(crop, across - 0.5, from_row - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    gap = np.clip(np.minimum(below, fall - below), 0, 1)[..., None]
    pixels = moved * (1 - gap) + np.array(CAVITY, np.float32) * gap
    distance = np.hypot((across - middle) / (0.5 * unit), (below - 0.15 * unit) / (0.5 * unit))
    alpha = np.clip((1 - distance) / 0.2, 0, 1)[..., None] * 255
    return np.asarray(np.rint(np.concatenate([pixels, alpha], axis=-1)), np.uint8)


def _animate(speech: Speech, frame_rate: Fraction, options: RenderOptions, triton: TritonClient) -> Animator:
    return Puppet(speech, frame_rate, options)


FAMILY = ModelFamily(
    name=CARD.name,
    licence=CARD.licence,
    crop=CROP,
    mel=MelSpec(window=0),  # the whole recording's columns are enough
    models=(),  # names of models that Triton must have
    animate=_animate,
)

"""The default family: an analytic renderer re-poses the person's own mouth by eight coefficients of the speech."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.jobs.families import DEFAULT_CARD
from services.jobs.options import RenderOptions
from services.preprocess.faces import CropSpec, FaceBatch, FaceIntroduction, MelSpec, Speech
from services.render.edits.grid import Grid, grid_over
from services.render.edits.reposing import UNCHANGED, Repose
from services.render.edits.resting import RestingMouth
from services.render.families.default.interior import MouthInterior, asked_openings, mouth_interior
from services.render.families.default.interior_reference import Reference, read_references
from services.render.families.default.resting_look import RestingLook, resting_look, rests, rests_in_view
from services.render.families.default.smile import soft_folds
from services.render.families.default.speech import (
    COEFFICIENTS,
    MouthTrack,
    mouth_coefficients,
    opened,
    reach_of,
    sample_coefficients,
)
from services.render.families.family import Animator, ModelFamily
from services.render.families.silence import sample_presence
from services.triton import TritonClient

CROP: Final = CropSpec(left=-0.95, top=-0.97, extent=1.9, sizes=(256, 384, 512, 768, 1024), pixels=False)
"""From the eyes, whose white tells of teeth, to the chin"""
_FACES: Final = 8
"""Faces of one request"""
_AREA: Final = (-0.78, -0.42, 0.78, 0.98)
"""Left, top, right and bottom in face units of all that can move"""
_WINDOW: Final = (-0.42, -0.18, 0.42, 0.34)
"""... and of the mouth, where the lips part"""
_FIELDS: Final = ("around", "lips", "inside")
_AREA_PIXELS: Final = 3
"""Displacements are smooth: one in so many pixels of the frame will do"""
_AREA_STEPS: Final = (1 / 192, 1 / 48)
_FINEST: Final = 1 / 512
"""Face units between two samples of the mouth: as fine as the frame's pixels, but not finer than this"""


class DefaultAnimator:
    """One job's mouth: what it does over time, and the interior and the reach of the person on screen."""

    def __init__(self, mouth: MouthTrack, frame_rate: Fraction, triton: TritonClient, crop: CropSpec = CROP) -> None:
        self._mouth = mouth
        self._rests = rests(mouth.coefficients)
        self._crop = crop
        self._frame_rate = frame_rate
        self._triton = triton
        self._track = -1
        self._interior: MouthInterior | None = None
        self._look: RestingLook | None = None
        self._reach = reach_of(0)
        self._area, self._window = grids(1.0)

    def introduce(self, introduction: FaceIntroduction) -> None:
        """Find the interior of the person's mouth; only that of the track on screen is kept."""
        if introduction.track != self._track:
            references = read_references(introduction, self._crop)
            self._interior = mouth_interior(references, introduction.eye_distance)
            self._reach = reach_of(introduction.speaking_opening)
            self._track = introduction.track
            self._area, self._window = grids(introduction.eye_distance)
            self._look = None
            if rests_in_view(introduction, references[0]):
                self._look = self._laid_to_rest(references[0], self._interior)

    def synthesise(self, batch: FaceBatch) -> list[Repose]:
        """See Animator.synthesise."""
        faces = len(batch.weight)
        if faces == 0:
            return []
        if self._interior is None or batch.track != self._track:
            raise ChorusError(ErrorKind.INTERNAL, "track-not-introduced", track=batch.track)
        frames = batch.first_frame + np.flatnonzero(batch.present)
        scale = self._crop.extent / batch.side
        crop_to_face = np.array([[scale, 0, self._crop.left], [0, scale, self._crop.top]])
        weights = batch.weight * sample_presence(self._mouth.presence, frames, self._frame_rate)
        # Where the footage's own mouth shows nothing moves: there is nothing to ask the renderer for.
        shown = np.flatnonzero(weights > 0)
        edits = [UNCHANGED] * faces
        if not shown.size:
            return edits
        coefficients = opened(
            sample_coefficients(self._mouth.coefficients, frames[shown], self._frame_rate), self._reach
        )
        seen, rest = (_moved(points[shown], crop_to_face) for points in (batch.landmarks, batch.rest))
        resting = self._resting(
            seen, rest, weights[shown] * sample_presence(self._rests, frames[shown], self._frame_rate)
        )
        smiles = zip(rest, asked_openings(coefficients).tolist(), weights[shown].tolist(), strict=True)
        extras = zip(resting, (soft_folds(*smile) for smile in smiles), strict=True)
        fields = zip(*self._fields(seen, rest, coefficients, weights[shown], self._interior), strict=True)
        for face, (around, lips, inside), extra in zip(shown.tolist(), fields, extras, strict=True):
            to_face, grain = _joined(batch.to_crop[face], crop_to_face), self._interior.grain
            edits[face] = Repose(self._area, self._window, around, lips, inside, to_face, grain, *extra)
        return edits

    def _resting(
        self, seen: NDArray[np.float32], rest: NDArray[np.float32], shares: NDArray[np.float32]
    ) -> list[RestingMouth | None]:
        """What is laid over each face (478, 2) that rests by its share."""
        look = self._look
        if look is None:
            return [None] * len(shares)
        faces = zip(seen, rest, shares.tolist(), strict=True)
        return [look.mouth(*face) if face[-1] > 0 else None for face in faces]

    def _laid_to_rest(self, closed: Reference, interior: MouthInterior) -> RestingLook:
        """The picture of a shut mouth, moved to where the mouth lies at rest as any frame is."""
        seen, rest = (points[None].astype(np.float32) for points in (closed.points, closed.rest))
        nothing, whole = np.zeros((1, len(COEFFICIENTS)), np.float32), np.ones(1, np.float32)
        ((around, lips, inside),) = zip(*self._fields(seen, rest, nothing, whole, interior), strict=True)
        edit = Repose(self._area, self._window, around, lips, inside, closed.to_face, interior.grain)
        return resting_look(closed, edit)

    def _fields(
        self,
        seen: NDArray[np.float32],
        rest: NDArray[np.float32],
        coefficients: NDArray[np.float32],
        weights: NDArray[np.float32],
        interior: MouthInterior,
    ) -> Iterator[NDArray[Any]]:
        """The model's three outputs for all faces, asked for in requests of few faces: each is one row of a batch."""
        of_faces: dict[str, NDArray[np.generic]] = {
            "landmarks": seen,
            "rest": rest,
            "coefficients": coefficients,
            "weight": weights[:, None].astype(np.float32),
            "upper_shares": interior.shares(asked_openings(coefficients)),
        }
        of_track: dict[str, NDArray[np.generic]] = {
            "upper_teeth": interior.upper_teeth,
            "lower_teeth": interior.lower_teeth,
            "tones": interior.tones,
            "area_columns": self._area.x,
            "area_rows": self._area.y,
            "window_columns": self._window.x,
            "window_rows": self._window.y,
        }
        answers = []
        for start in range(0, len(of_faces["rest"]), _FACES):
            given = of_track | {name: rows[start : start + _FACES] for name, rows in of_faces.items()}
            row = {name: array[None] for name, array in given.items()}
            answers.append(self._triton.infer("mouth_renderer", row, _FIELDS))
        return (np.concatenate([answer[name][0] for answer in answers]) for name in _FIELDS)


def grids(eye_distance: float) -> tuple[Grid, Grid]:
    """Where the fields of a face of that size in pixels are wanted: the whole area, and the window of the mouth."""
    step = float(np.clip(_AREA_PIXELS / eye_distance, *_AREA_STEPS))
    return grid_over(*_AREA, step), grid_over(*_WINDOW, max(1 / eye_distance, _FINEST))


def _moved(points: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.float32]:
    """(m, 478, 3) points -> (m, 478, 2) behind the affine."""
    return (points[..., :2] @ affine[:, :2].T + affine[:, 2]).astype(np.float32)


def _joined(first: NDArray[np.float32], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) affine that does what `first` and then what `second` does."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def _animate(speech: Speech, frame_rate: Fraction, options: RenderOptions, triton: TritonClient) -> Animator:
    return DefaultAnimator(mouth_coefficients(speech, options, triton), frame_rate, triton)


DEFAULT: Final = ModelFamily(
    name=DEFAULT_CARD.name,
    licence=DEFAULT_CARD.licence,
    crop=CROP,
    mel=MelSpec(window=0),
    models=("speech_to_mouth", "mouth_renderer"),
    animate=_animate,
)

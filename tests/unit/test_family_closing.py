"""An imported family whose lips shut for p, b and m: what shows when, and that what is under it is the same net's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

import numpy as np

from services.media import Frame
from services.preprocess.faces import FaceBatch, FaceIntroduction
from services.render.edits.compositing import Patch
from services.render.families.default.animator import DefaultAnimator
from services.render.families.default.speech import CLOSE, COEFFICIENTS
from services.render.families.imported.animator import ImportedAnimator
from services.render.families.imported.closing import Both, ClosingAnimator

RATE = Fraction(25)
NOTHING = Patch(np.zeros((2, 2, 4), np.uint8), np.eye(2, 3, dtype=np.float32), 1.0)
SHUT_AT = 1.0
"""Second at which the lips are shut"""


@dataclass
class Told:
    """An animator that keeps what it was given, and gives its word for it."""

    edits: Sequence[object]
    introduced: list[FaceIntroduction] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def introduce(self, introduction: FaceIntroduction) -> None:
        self.introduced.append(introduction)

    def synthesise(self, batch: FaceBatch) -> Sequence[object]:
        self.weights = batch.weight.tolist()
        return self.edits[: len(batch.weight)]


def closures() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(160, 8): everything moves all the time, but the lips are shut for 60 ms, after and before 25 ms on the way."""
    columns = np.ones((160, len(COEFFICIENTS)), np.float32)
    columns[:, CLOSE] = 0
    middle = round(SHUT_AT * 80)
    columns[middle - 4 : middle + 5, CLOSE] = [0.25, 0.75, 1, 1, 1, 1, 1, 0.75, 0.25]
    return columns


def batch(first_frame: int, present: Sequence[bool] = (True,) * 8, weight: float = 1.0) -> FaceBatch:
    faces = sum(present)
    return FaceBatch(
        first_frame=first_frame,
        track=0,
        present=np.array(present),
        crops=np.zeros((faces, 4, 4, 3), np.uint8),
        landmarks=np.zeros((faces, 478, 3), np.float32),
        rest=np.zeros((faces, 478, 3), np.float32),
        to_crop=np.stack([np.eye(2, 3, dtype=np.float32)] * faces) if faces else np.zeros((0, 2, 3), np.float32),
        weight=np.full(faces, weight, np.float32),
        mels=np.zeros((faces, 80, 0), np.float32),
    )


def animator(painted: Told, shut: Told) -> ClosingAnimator:
    return ClosingAnimator(cast(ImportedAnimator, painted), cast(DefaultAnimator, shut), closures(), RATE)


def test_the_painted_mouth_gives_way_to_the_shut_one_for_a_closure_and_no_longer() -> None:
    painted, shut = Told([NOTHING] * 8), Told([f"shut {number}" for number in range(8)])
    edits = animator(painted, shut).synthesise(batch(21))
    shares = [1 - edit.over.weight if isinstance(edit, Both) else 0 for edit in edits]  # type: ignore[attr-defined]
    # The frame of second 1 is number 25, the closure reaches into its neighbours.
    assert [round(share, 2) for share in shares] == [round(weight, 2) for weight in shut.weights]
    assert shares[3:5] == [1, 1]
    assert shares[:2] == shares[6:] == [0, 0]
    assert edits[0] is NOTHING
    assert isinstance(edits[3], Both)
    assert edits[3].under == "shut 3"  # type: ignore[comparison-overlap]


def test_a_face_that_fades_fades_under_both() -> None:
    shut = Told(["shut"])
    (edit,) = animator(Told([Patch(NOTHING.pixels, NOTHING.to_crop, 0.5)]), shut).synthesise(batch(25, [True], 0.5))
    assert isinstance(edit, Both)
    assert (shut.weights, edit.over.weight) == ([0.5], 0)  # type: ignore[attr-defined]


def test_frames_without_a_face_are_counted() -> None:
    shut = Told(["first", "second"])
    animator(Told([NOTHING] * 2), shut).synthesise(batch(20, [True, False, False, False, False, True]))
    assert shut.weights == [0, 1]


def test_both_look_at_a_person_before_its_faces() -> None:
    painted, shut = Told([]), Told([])
    person = FaceIntroduction(1, 70.0, 0.1, batch(-1, [True]))
    animator(painted, shut).introduce(person)
    assert painted.introduced == shut.introduced == [person]


def test_what_is_over_is_applied_last() -> None:
    order: list[str] = []

    @dataclass
    class Edit:
        name: str

        def apply(self, frame: Frame) -> None:
            order.append(self.name)

    Both(Edit("under"), Edit("over")).apply(cast(Frame, None))
    assert order == ["under", "over"]

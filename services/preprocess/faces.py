"""What preprocess tells the rest of Chorus about a video and a recording: the published types.

Coordinates are continuous: pixel i of a row covers [i, i + 1), so its centre lies at i + 0.5. Only the calls into
OpenCV, which put centres on whole numbers, convert (see `pixel_affine`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from services.preprocess.summary import AnalysisProgress
from services.timeline import Extend

LANDMARKS = 478
"""Points of the face mesh with attention: 468 of the mesh and 5 for each iris."""
MEL_BANDS = 80
MEL_RATE = 80
"""Mel columns a second: hop 200 at 16 kHz."""
SPEECH_FEATURES = 64
STATE_RATE = 50
"""States a second of a net that hears recordings: one for each 20 ms."""


@dataclass(frozen=True, slots=True)
class CropSpec:
    """The square window that a family eats, in face units.

    The origin is the centre of the person's resting mouth, x runs to the image's right along the eye line, y down,
    and one unit is the distance between the outer eye corners (landmarks 33 and 263). Roll, yaw foreshortening and
    pitch are taken out by the affine, so the same mouth always fills the same part of the crop.
    """

    left: float
    top: float
    extent: float
    sizes: tuple[int, ...]
    """Allowed sides in pixels, ascending; the smallest that does not lose detail of the source is used."""
    pixels: bool = True
    """False: the family asks where faces are and not what they look like; introductions always have pictures"""


@dataclass(frozen=True, slots=True)
class MelSpec:
    """Which log-mel columns belong to one frame."""

    window: int
    """Columns a frame, centred on the frame's middle; 0: none, the family eats the whole recording's mel."""


@dataclass(frozen=True, slots=True)
class SoundNet:
    """A net on Triton that hears the whole recording for a family, and which of its states belong to one frame.

    `samples` float32 (n, 480000), 30 s at 16 kHz in [-1, 1], -> `states` float32 (n, 1500, width).
    """

    model: str
    identity: str
    """What tells its weights from others under the same name"""
    rows: int
    """States a frame"""
    lead: int
    """How many of them come before the one that the frame begins in"""

    def first_row(self, frame: int, frame_rate: Fraction) -> int:
        """The state that the window of an output frame begins with; below 0 before the recording."""
        return (STATE_RATE * frame / frame_rate).__floor__() - self.lead


@dataclass(frozen=True, slots=True)
class SourceNet:
    """A net on Triton that looks at each face of the source for a family: what it sees does not depend on the speech.

    `crop` uint8 RGB (n, side, side, 3) -> `latents` float32 (n, ...). Its box lies on the resting face of a track: from
    the leftmost to the rightmost of `outline` and down to the lowest, as far above `middle` as below; its edges lie on
    eightieths of the crop.
    """

    model: str
    identity: str
    """What tells its weights from others under the same name"""
    side: int
    """Pixels of its pictures"""
    most_rows: int
    """Faces that one request may hold"""
    outline: tuple[int, ...]
    """Landmarks"""
    middle: tuple[int, ...]
    """Landmarks; the middle is the mean of their heights"""
    below: float
    """Of the box's height, how much more is seen under it"""


class CropBox(NamedTuple):
    """A rectangle of a crop in whole pixels; right and bottom lie outside."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(..., height, width, 3): this part of crops (..., side, side, 3)."""
        return crops[..., self.top : self.bottom, self.left : self.right, :]


@dataclass(frozen=True, slots=True)
class FaceRequest:
    """What a family asks of preprocess for one output."""

    video_key: str
    audio_key: str
    crop: CropSpec
    mel: MelSpec
    frame_count: int
    """Frames of the output; the source is extended as `extend` says when it is shorter."""
    extend: Extend
    face: int | None = None
    """Track to use in every shot, counted by size and centrality from 0; None: the largest and most central."""
    video_name: str = "the video"
    """As the user named it, for messages"""
    audio_name: str = "the audio"
    sound_net: SoundNet | None = None
    """Who hears the recording for the family, if it has a net for that"""
    source_net: SourceNet | None = None
    """Who looks at the faces for it; wants pixels"""


@dataclass(frozen=True, slots=True)
class Speech:
    """The driving audio as models eat it; sent once a stream, before any face."""

    mel: NDArray[np.float32]
    """(80, columns), 80 columns a second, levelled to -23 dB over active speech, clipped to +-4"""
    level_db: NDArray[np.float32]
    """(columns,) short-time level of the recording in dB"""
    voice: NDArray[np.float32]
    """(columns,) probability that a voice speaks, 0..1"""
    features: NDArray[np.float16]
    """(64, columns) what is being said, as the model speech_features hears it"""


@dataclass(frozen=True, slots=True)
class FaceBatch:
    """Consecutive output frames; arrays but `present` have one row for each frame with a face, in order (m rows)."""

    first_frame: int
    track: int
    """Every row belongs to this track; -1 when no frame of the batch has a face."""
    present: NDArray[np.bool_]
    """(n,) False: no face, pass the frame through"""
    crops: NDArray[np.uint8]
    """(m, s, s, 3) RGB; (0, s, s, 3) when the family asked for no pixels"""
    landmarks: NDArray[np.float32]
    """(m, 478, 3) crop pixels"""
    rest: NDArray[np.float32]
    """(m, 478, 3) crop pixels: the same face in the same pose with the mouth at rest"""
    to_crop: NDArray[np.float32]
    """(m, 2, 3) affine frame -> crop"""
    weight: NDArray[np.float32]
    """(m,) how much of the effect to show, 0..1: below 1 towards the ends of a track, in poses that cannot look right
    and where something is in front of the mouth"""
    mels: NDArray[np.float32]
    """(m, 80, window); (m, 80, 0) when the family asked for none"""
    sound: NDArray[np.float16] | None = None
    """(m, rows, width) states of the SoundNet, zeros beyond the recording's ends; None when there is none"""
    silence: NDArray[np.float16] | None = None
    """The same shape: what the net makes of digital silence at the same places of its 30 s"""
    latents: NDArray[np.float16] | None = None
    """(m, ...) of the SourceNet; None when there is none"""

    @property
    def side(self) -> int:
        """Of the crops, in pixels."""
        return int(self.crops.shape[1])


@dataclass(frozen=True, slots=True)
class FaceIntroduction:
    """Sent before the first batch of a track, and again whenever the stream comes back to it."""

    track: int
    eye_distance: float
    """Median distance of the outer eye corners in source pixels"""
    speaking_opening: float
    """95th percentile of the opening of its lips in the footage, in eye distances; 0 when they hardly move there"""
    references: FaceBatch = field(repr=False)
    """At most four frames of this track, from the most closed to the most open mouth; `first_frame` is -1"""
    box: CropBox | None = None
    """What of this track's crops the SourceNet sees; None when there is none"""


FaceStreamItem = AnalysisProgress | Speech | FaceIntroduction | FaceBatch


def pixel_affine(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) affine between continuous coordinates, rewritten for OpenCV, whose pixel centres are whole numbers."""
    shifted = affine.astype(np.float64).copy()
    shifted[:, 2] += affine[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return shifted


def shown_to_net(crop: NDArray[np.uint8], box: CropBox, side: int) -> NDArray[np.uint8]:
    """(side, side, 3): the box of a crop as a net sees it."""
    part = box.of(crop)
    shrinks = min(part.shape[:2]) >= side
    return np.asarray(
        cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC), np.uint8
    )

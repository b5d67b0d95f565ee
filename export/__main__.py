"""`python -m export MODEL|all [--check]`: make models again and hold them against their sources."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import onnx

from export import face_detection, face_landmarks, mouth_renderer, speech_features, speech_to_mouth, voice_activity
from export.checksums import record, recorded
from export.sources import opened, source_of
from export.verify import verify

ROOT: Final = Path(__file__).parents[1]
BUILDS: Final[Mapping[str, Callable[[Path], onnx.ModelProto]]] = {
    "face_detection": face_detection.build,
    "face_landmarks": face_landmarks.build,
    "speech_features": speech_features.build,
    "speech_to_mouth": speech_to_mouth.build,
    "voice_activity": voice_activity.build,
    "mouth_renderer": mouth_renderer.build,
}


def main() -> int:
    """Exit code 0 when every model keeps its bounds and, with --check, is the one in the repository byte by byte."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("model", choices=[*BUILDS, "all"])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the repository has other bytes")
    asked = parser.parse_args()
    names = list(BUILDS) if asked.model == "all" else [asked.model]
    kept = [_make(name, check=asked.check) for name in names]
    return 0 if all(kept) else 1


def _make(name: str, *, check: bool) -> bool:
    """Make, verify, and write or compare one model; False when something is not as it must be."""
    with opened(source_of(name), ROOT) as source:
        model = BUILDS[name](source)
        differences = verify(name, model, source, ROOT)
    kept = True
    for difference in differences:
        good = difference.largest <= difference.bound
        kept = kept and good
        verdict = "ok" if good else "TOO LARGE"
        print(f"{name}: {difference.output}: {difference.largest:.2g}, at most {difference.bound:.2g}: {verdict}")
    content = model.SerializeToString(deterministic=True)
    if check:
        return kept and _compare(name, content)
    if kept:
        path = _path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        record(name, hashlib.sha256(content).hexdigest())
        print(f"{name}: {len(content) / 1e6:.2f} MB written to {path.relative_to(ROOT)}")
    return kept


def _compare(name: str, content: bytes) -> bool:
    digest = hashlib.sha256(content).hexdigest()
    same = recorded().get(name) == digest and _path(name).read_bytes() == content
    print(f"{name}: {digest} {'is' if same else 'IS NOT'} what the repository has")
    return same


def _path(name: str) -> Path:
    return ROOT / "model_repository" / name / "1" / "model.onnx"


if __name__ == "__main__":
    sys.exit(main())

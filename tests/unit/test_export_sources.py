"""A weight that is not the recorded one must not be built from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from export.sources import SOURCES, opened, sha256_of, source_of


def test_changed_source_is_refused_by_name(tmp_path: Path) -> None:
    weights = tmp_path / "weights.npz"
    weights.write_bytes(b"other weights")
    source = replace(source_of("speech_to_mouth"), path="weights.npz")
    with pytest.raises(ValueError, match=r"weights\.npz"), opened(source, tmp_path):
        pass


def test_recorded_source_is_handed_out(tmp_path: Path) -> None:
    weights = tmp_path / "weights.npz"
    weights.write_bytes(b"weights")
    source = replace(source_of("speech_to_mouth"), path="weights.npz", sha256=sha256_of(weights))
    with opened(source, tmp_path) as path:
        assert path == weights


def test_models_are_recorded_once() -> None:
    names = [source.model for source in SOURCES]
    assert sorted(set(names)) == sorted(names)

"""Damaged files of every container: a look into them and their whole decoding end, and refuse them in words at most."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from PIL import Image
from rich.console import Console
from rich.table import Table

from services.errors import ChorusError, ErrorKind
from services.media import Readers
from services.preprocess.probing import ProbePool
from tests.fuzz.mutations import mutated
from tests.media_samples import ClipRecipe, Tone, make_clip, make_sound

_FINE = {ErrorKind.INVALID_INPUT, ErrorKind.TOO_LARGE}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One small file of each kind that is accepted, by its name."""
    folder: Path = tmp_path_factory.mktemp("files")
    for name in ("clip.mp4", "clip.mov", "clip.mkv", "clip.ts"):
        make_clip(folder / name, ClipRecipe(frames=10, tone=Tone(seconds=0.4)))
    make_clip(folder / "turned.mp4", ClipRecipe(frames=4, rotation=90, pixel_format="yuv420p10le"))
    make_clip(folder / "clip.avi", ClipRecipe(frames=6, codec="mpeg4", options={}))
    make_clip(folder / "clip.webm", ClipRecipe(frames=4, codec="libvpx", options={}))
    for name, codec in (("a.wav", "pcm_s16le"), ("a.m4a", "aac"), ("a.mp3", "libmp3lame"), ("a.flac", "flac")):
        make_sound(folder / name, Tone(codec=codec, seconds=0.5))
    make_sound(folder / "a.ogg", Tone(codec="libopus", seconds=0.5))
    picture = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    for name in ("p.png", "p.jpg", "p.bmp"):
        cv2.imwrite(str(folder / name), picture)
    still = Image.fromarray(picture)
    for name in ("p.webp", "p.heic", "p.avif", "p.gif"):
        still.save(folder / name)
    still.save(folder / "moving.webp", save_all=True, append_images=[still.rotate(90), still.rotate(180)])
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def probes(scratch: Path) -> Iterator[ProbePool]:
    pool = ProbePool(scratch)
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    found = Readers()
    yield found
    found.close()


@pytest.mark.timeout(7200)
def test_no_file_breaks_more_than_itself(
    files: dict[str, bytes], probes: ProbePool, readers: Readers, scratch: Path, tmp_path: Path, inputs: int, seed: int
) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    own = psutil.Process()
    for number in range(inputs):
        chance = random.Random(f"{seed} {number}")  # nothing secret
        name = chance.choice(list(files))
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(mutated(files[name], chance))
        outcome, refusal = _look(path, name, probes, readers)
        if refusal is not None:
            assert refusal.kind in _FINE, f"input {number} of seed {seed}, {name}: {refusal!r}"
            assert name in str(refusal)
        seen[name, outcome] += 1
        path.unlink()
        assert not list(scratch.iterdir()), f"input {number} of seed {seed}, {name}"
        if number == inputs // 10:
            memory = own.memory_info().rss
    assert own.memory_info().rss < memory + (200 << 20)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        assert _read(tmp_path / name, name, probes, readers) == "read", name
    _show(seen)


def _look(path: Path, name: str, probes: ProbePool, readers: Readers) -> tuple[str, ChorusError | None]:
    try:
        return _read(path, name, probes, readers), None
    except ChorusError as error:
        return error.code, error


def _read(path: Path, name: str, probes: ProbePool, readers: Readers) -> str:
    facts, _ = probes.probe(path, name)
    if facts.kind == "audio":
        assert np.isfinite(readers.speech(path, name=name)).all()
        return "read"
    clip = readers.clip(path, name=name)
    if clip.seconds > 60:
        return "long"
    assert sum(1 for _ in readers.frames(clip)) == clip.frames
    return "read"


def _show(seen: Counter[tuple[str, str]]) -> None:
    table = Table("file", "what came of it", "times")
    for (name, outcome), times in sorted(seen.items()):
        table.add_row(name, outcome, str(times))
    Console(width=100).print(table)

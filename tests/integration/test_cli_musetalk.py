"""`chorus models` with a MuseTalk: Triton is told of all its models. The child that reads it is replaced by another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from services.cli.models import build_models_app
from services.importing import importer
from services.jobs.imported import IMPORTED
from services.local.settings import LocalSettings
from tests.fake_triton import FakeTriton, open_fake_triton
from tests.musetalk_folder import write_empty

MODELS = {"musetalk15", "musetalk15-latents", "musetalk15-sound"}


def in_child(_: str, what: str, path: str, name: str, draft: str) -> dict[str, Any]:
    assert (what, name) == ("read-folder", "models")
    for suffix in ("", "-latents", "-sound"):
        version = Path(f"{draft}{suffix}") / "1"
        version.mkdir(parents=True)
        (version / "model.onnx").write_bytes(Path(path, "musetalkV15", "unet.pth").read_bytes())
    facts = {"side": 256, "most_rows": 16, "variant": "MuseTalk 1.5", "steps": 2, "precision": "float16"}
    return {**facts, "container": "folder", "source_sha256": "ab"}


@pytest.fixture
def families(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(importer, "_in_child", in_child)
    yield tmp_path / "families"
    IMPORTED.look_in(None)


@pytest.fixture
def triton(families: Path) -> Iterator[tuple[FakeTriton, str]]:
    with open_fake_triton(families) as running:
        yield running


def models(families: Path, address: str, *arguments: str) -> Result:
    settings = LocalSettings(home=families.parent / "home", families=families, triton_url=address)
    return CliRunner().invoke(build_models_app(), arguments, obj=settings)


def test_a_folder_becomes_a_family_that_triton_serves_and_goes_again(
    families: Path, triton: tuple[FakeTriton, str]
) -> None:
    fake, address = triton
    source = write_empty(families.parent / "models")
    done = models(families, address, "import", str(source))
    assert done.exit_code == 0, done.output
    assert fake.loaded == MODELS
    assert "MIT; its VAE: CreativeML OpenRAIL-M" in models(families, address, "list").output
    shown = models(families, address, "show", "musetalk15").output
    assert "needs a GPU" in shown
    assert "folder, sha256 ab" in shown
    assert models(families, address, "remove", "musetalk15").exit_code == 0
    assert fake.loaded == set()
    assert list(families.iterdir()) == []


def test_what_triton_does_not_take_is_named(families: Path, triton: tuple[FakeTriton, str]) -> None:
    fake, address = triton
    fake.refuses = True
    done = models(families, address, "import", str(write_empty(families.parent / "models")))
    assert done.exit_code == 1
    assert "did not take musetalk15-sound" in done.output


def test_a_musetalk_is_not_calibrated(families: Path, triton: tuple[FakeTriton, str]) -> None:
    source = write_empty(families.parent / "models")
    done = models(families, triton[1], "import", str(source), "--calibrate", str(source))
    assert done.exit_code == 1
    assert "without --calibrate" in done.output
    assert not families.exists()

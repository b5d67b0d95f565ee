"""A MuseTalk's folder is told by what its configs say; its three models come and go together. Without torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.errors import ChorusError, ErrorKind
from services.importing import importer
from services.importing.importer import Calibration, import_file, remove_family, sweep_leftovers
from services.importing.model_config import config_texts
from services.importing.musetalk.configs import check_layout
from services.importing.musetalk.layout import layout_of
from services.jobs.families import family_cards
from services.jobs.imported import IMPORTED, MUSETALK, ImportedFamily
from tests.musetalk_folder import VAE, write_empty

FACTS = {"side": 256, "most_rows": 16, "variant": "MuseTalk 1.5", "steps": 2, "precision": "float16"}


def test_the_published_layout_is_told_by_its_configs_whatever_its_folders_are_called(tmp_path: Path) -> None:
    write_empty(tmp_path / "models")
    (tmp_path / "models" / "sd-vae").rename(tmp_path / "models" / "another name")
    (tmp_path / "models" / "dwpose").mkdir()
    (tmp_path / "models" / "dwpose" / "dw-ll_ucoco_384.pth").touch()
    (tmp_path / "models" / "whisper" / "vocab.json").write_text(json.dumps({"word": 1}) + " " * 70_000)
    for folder in (tmp_path, tmp_path / "models"):
        layout = layout_of(folder, "models")
        assert layout.unet.weights.name == "unet.pth"
        assert layout.vae.weights.parent.name == "another name"
        assert layout.whisper.config["model_type"] == "whisper"
        assert [config["block_out_channels"][0] for config in check_layout(layout)[:2]] == [320, 128]


def test_of_two_forms_of_the_same_weights_the_safe_one_is_read(tmp_path: Path) -> None:
    write_empty(tmp_path)
    (tmp_path / "sd-vae" / "diffusion_pytorch_model.safetensors").touch()
    assert layout_of(tmp_path, "x").vae.weights.suffix == ".safetensors"


def test_a_first_release_beside_the_other_is_left_alone(tmp_path: Path) -> None:
    write_empty(tmp_path)
    shutil.copytree(tmp_path / "musetalkV15", tmp_path / "musetalk")
    (tmp_path / "musetalk" / "unet.pth").rename(tmp_path / "musetalk" / "pytorch_model.bin")
    assert layout_of(tmp_path, "x").unet.weights.parent.name == "musetalkV15"


def no_vae(folder: Path) -> None:
    shutil.rmtree(folder / "sd-vae")


def no_weights(folder: Path) -> None:
    (folder / "whisper" / "pytorch_model.bin").unlink()


def two_vaes(folder: Path) -> None:
    shutil.copytree(folder / "sd-vae", folder / "sd-vae-ft-mse")


def two_weights(folder: Path) -> None:
    (folder / "musetalkV15" / "older.pth").touch()


def first_release(folder: Path) -> None:
    (folder / "musetalkV15" / "unet.pth").rename(folder / "musetalkV15" / "pytorch_model.bin")


def link_out(folder: Path) -> None:
    weights = folder / "sd-vae" / "diffusion_pytorch_model.bin"
    weights.rename(folder.parent / "elsewhere.bin")
    weights.symlink_to(folder.parent / "elsewhere.bin")


def linked_folder(folder: Path) -> None:
    (folder / "whisper").rename(folder.parent / "whisper")
    (folder / "whisper").symlink_to(folder.parent / "whisper")


def huge_config(folder: Path) -> None:
    (folder / "sd-vae" / "config.json").write_text(json.dumps(dict(VAE)) + " " * 70_000)


def deep_config(folder: Path) -> None:
    (folder / "sd-vae" / "config.json").write_text("[" * 30_000)


def broken_config(folder: Path) -> None:
    (folder / "whisper" / "config.json").write_bytes(b"\xff\xfe{")


def crowd(folder: Path) -> None:
    for number in range(2100):
        (folder / f"{number}.txt").touch()


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (no_vae, "import-folder-lacks", "sd-vae is missing"),
        (no_weights, "import-folder-lacks", "whisper is missing"),
        (two_vaes, "import-folder-twice", "sd-vae-ft-mse"),
        (two_weights, "import-folder-twice", "older.pth"),
        (first_release, "import-musetalk-first", "MuseTalk 1.0"),
        (link_out, "import-folder-link", "sd-vae/diffusion_pytorch_model.bin"),
        (linked_folder, "import-folder-link", "whisper"),
        (huge_config, "import-config-unreadable", "over 64 KiB"),
        (deep_config, "import-config-unreadable", "sd-vae/config.json"),
        (broken_config, "import-config-unreadable", "whisper/config.json"),
        (crowd, "import-folder-crowded", "2000"),
    ],
)
def test_a_folder_that_is_none_is_refused_with_the_reason(
    spoil: Callable[[Path], None], code: str, said: str, tmp_path: Path
) -> None:
    spoil(write_empty(tmp_path / "models"))
    with pytest.raises(ChorusError) as refusal:
        layout_of(tmp_path / "models", "models")
    assert (refusal.value.kind, refusal.value.code) == (ErrorKind.INVALID_INPUT, code)
    assert said in refusal.value.message


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("unet", "in_channels", 4),
        ("unet", "cross_attention_dim", 768),
        ("unet", "layers_per_block", 10**9),
        ("unet", "block_out_channels", [320, 640, 1280]),
        ("unet", "block_out_channels", [33, 640, 1280, 1280]),
        ("unet", "down_block_types", ["DownBlock2D", "DownBlock2D", "DownBlock2D", "os.system"]),
        ("unet", "center_input_sample", True),
        ("unet", "norm_eps", float("nan")),
        ("vae", "latent_channels", 16),
        ("vae", "scaling_factor", -1),
        ("whisper", "d_model", 512),
        ("whisper", "encoder_layers", 6),
        ("whisper", "num_mel_bins", True),
    ],
)
def test_a_config_that_says_something_else_is_refused_by_its_key(
    part: str, key: str, value: object, tmp_path: Path
) -> None:
    layout = layout_of(write_empty(tmp_path, **{part: {key: value}}), "models")
    with pytest.raises(ChorusError) as refusal:
        check_layout(layout)
    assert refusal.value.code == "import-config-differs"
    assert key in refusal.value.message


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty one, for which the child that reads is replaced by one that writes three small files."""

    def in_child(_: str, what: str, path: str, name: str, draft: str) -> dict[str, Any]:
        assert (what, Path(path).is_dir(), name) == ("read-folder", True, "models")
        for suffix in ("", "-latents", "-sound"):
            version = Path(f"{draft}{suffix}") / "1"
            version.mkdir(parents=True)
            (version / "model.onnx").write_bytes(bytes(100))
        return {**FACTS, "container": "folder", "source_sha256": "ab"}

    monkeypatch.setattr(importer, "_in_child", in_child)
    folder = tmp_path / "families"
    IMPORTED.look_in(folder)
    yield folder
    IMPORTED.look_in(None)


def imported(repository: Path, **more: Any) -> ImportedFamily:
    source = repository.with_name("models")
    source.mkdir(exist_ok=True)
    return import_file(source, repository, **{"wanted_name": None, "licence": None, "taken": (), **more})


def folders(repository: Path) -> list[str]:
    return sorted(each.name for each in repository.iterdir())


def test_three_models_appear_as_one_family_with_the_licences_of_its_weights(repository: Path) -> None:
    family = imported(repository)
    assert (family.name, family.method, family.container) == ("musetalk15", MUSETALK, "folder")
    assert folders(repository) == ["musetalk15", "musetalk15-latents", "musetalk15-sound"]
    assert [path.parent.name for path in repository.glob("*/family.json")] == ["musetalk15"]
    card = family_cards()["musetalk15"]
    assert card.models == ("musetalk15", "musetalk15-latents", "musetalk15-sound")
    assert "MIT" in card.licence
    assert "OpenRAIL-M" in card.licence
    assert "GPU" in card.description
    size, _ = IMPORTED.size_and_time("musetalk15")
    assert size == sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())
    assert imported(repository, licence="mine").licence == "mine"


def test_a_name_must_be_free_for_all_of_its_models(repository: Path) -> None:
    with pytest.raises(ChorusError) as refusal:
        imported(repository, wanted_name="mine", taken=["mine-sound"])
    assert refusal.value.code == "import-name-taken"
    assert imported(repository, taken=["musetalk15-latents"]).name == "musetalk15-2"


def test_all_three_go_together(repository: Path) -> None:
    family = imported(repository)
    assert remove_family(repository, family.name) == family.models
    assert folders(repository) == []
    assert family.name not in family_cards()


def test_what_cannot_appear_as_a_whole_does_not_appear(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "rename", _refusing(Path.rename, repository / "musetalk15"))
    with pytest.raises(OSError, match="full"):
        imported(repository)
    assert folders(repository) == []


def _refusing(rename: Callable[[Path, Path], Path], forbidden: Path) -> Callable[[Path, Path], Path]:
    def tried(self: Path, target: Path) -> Path:
        if target == forbidden:
            raise OSError("the disk is full")
        return rename(self, target)

    return tried


def test_what_a_killed_import_has_left_is_swept_and_nothing_else(repository: Path) -> None:
    family, other = imported(repository), imported(repository)
    shutil.rmtree(repository / family.name)
    (repository / "theirs-sound").mkdir()
    (repository / "theirs-sound" / "config.pbtxt").write_text('name: "theirs-sound"')
    sweep_leftovers(repository)
    assert folders(repository) == sorted((*other.models, "theirs-sound"))


def test_it_is_not_calibrated(repository: Path) -> None:
    with pytest.raises(ChorusError) as refusal:
        imported(repository, calibration=Calibration(lambda *_: None, lambda _: None))
    assert refusal.value.code == "fewer-bits-not-here"


def test_every_model_has_a_config_that_says_what_it_takes_and_whose_it_is(repository: Path) -> None:
    family = replace(imported(repository), licence="L")
    texts = config_texts(family)
    assert tuple(texts) == family.models
    assert all("Licence: L" in text and f'name: "{model}"' in text for model, text in texts.items())
    assert ["float16" in text for text in texts.values()] == [True, True, False]
    assert all("tensorrt" not in text for text in texts.values())

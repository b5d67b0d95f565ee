"""Checkpoints of the published nets in all their forms: rebuilt, exported and served as their authors run them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="make test-import installs it")

from safetensors.torch import save_file  # noqa: E402

from services.errors import ChorusError  # noqa: E402
from services.importing.checking import session_of  # noqa: E402
from services.importing.importer import import_file  # noqa: E402
from services.importing.served_graph import net_inputs, picture_levels  # noqa: E402
from services.jobs.imported import ImportedFamily  # noqa: E402
from tests.importing.torch_nets import Published, seeded  # noqa: E402
from tests.wav2lip_nets import NETS  # noqa: E402


@pytest.fixture(scope="module")
def net96() -> Published:
    return seeded(NETS["96"])


def plain(net: Published, path: Path) -> None:
    torch.save(net.state_dict(), path)


def trained(net: Published, path: Path) -> None:
    """As Wav2Lip's own training saves: several GPUs, optimiser beside it, torch of 2020."""
    weights = {f"module.{key}": value for key, value in net.state_dict().items()}
    optimizer = torch.optim.Adam(net.parameters()).state_dict()
    state = {"state_dict": weights, "optimizer": optimizer, "global_step": 250_000, "global_epoch": 30}
    torch.save(state, path, _use_new_zipfile_serialization=False)


def half(net: Published, path: Path) -> None:
    weights = net.state_dict().items()
    torch.save({key: value.half() if value.is_floating_point() else value for key, value in weights}, path)


def scripted(net: Published, path: Path) -> None:
    example = (torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96))
    torch.jit.trace(net, example, check_trace=False).save(path)


def safe(net: Published, path: Path) -> None:
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, path)


def imported(path: Path, folder: Path) -> tuple[ImportedFamily, onnx.ModelProto]:
    family = import_file(path, folder / "families", wanted_name=None, licence=None, taken=["default"])
    made = folder / "families" / family.name
    assert json.loads((made / "family.json").read_text())["licence"] == "research only"
    return family, onnx.load(made / "1" / "model.onnx")


def steps_off(net: Published, model: onnx.ModelProto, side: int, rows: int = 3) -> int:
    """Of 255, between torch and ONNX Runtime on noise that the import has not seen."""
    random = np.random.default_rng(5)
    crops = random.integers(0, 256, (rows, side, side, 3), np.uint8)
    mels = random.uniform(-4, 4, (rows, 80, 16)).astype(np.float32)
    mel, face = net_inputs(crops, mels)
    with torch.no_grad():
        wanted = picture_levels(net(torch.from_numpy(mel), torch.from_numpy(face)).numpy())
    assert wanted.std() > 3, "a net that paints one grey would agree with anything"
    given = session_of(model).run(["mouth"], {"crop": crops, "mel": mels})[0]
    return int(np.abs(given.astype(np.int16) - wanted).max())


@pytest.mark.filterwarnings("ignore:`torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("save", "container"),
    [(plain, "PyTorch"), (trained, "PyTorch"), (scripted, "TorchScript"), (safe, "safetensors")],
)
def test_every_form_of_a_checkpoint_becomes_the_same_net(
    save: Callable[[Published, Path], None], container: str, net96: Published, tmp_path: Path
) -> None:
    path = tmp_path / "whatever.bin"
    save(net96, path)
    family, model = imported(path, tmp_path)
    assert (family.name, family.variant, family.side, family.container) == ("wav2lip96", "Wav2Lip 96", 96, container)
    assert family.steps <= 1
    assert steps_off(net96, model, 96) <= 1


def test_half_precision_weights_are_served_in_full(net96: Published, tmp_path: Path) -> None:
    half(net96, tmp_path / "half.pth")
    _, model = imported(tmp_path / "half.pth", tmp_path)
    assert steps_off(copy.deepcopy(net96).half().float(), model, 96) <= 1


@pytest.mark.parametrize("size", ["256", "288"])
def test_larger_nets_are_told_by_their_tensors(size: str, tmp_path: Path) -> None:
    net = seeded(NETS[size], batches=2)
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == NETS[size].shapes()
    plain(net, tmp_path / "net.pth")
    family, model = imported(tmp_path / "net.pth", tmp_path)
    assert (family.name, family.side) == (f"wav2lip{size}", int(size))
    assert steps_off(net, model, int(size), rows=2) <= 1


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, (f"touch {self._marker}",)


def poisoned(net: Published, path: Path, marker: Path) -> None:
    torch.save({"state_dict": net.state_dict(), "hook": Hostile(marker)}, path)


def poisoned_old(net: Published, path: Path, marker: Path) -> None:
    torch.save({"hook": Hostile(marker)}, path, _use_new_zipfile_serialization=False)


def poisoned_script(net: Published, path: Path, marker: Path) -> None:
    import pickle
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("net/data.pkl", pickle.dumps(Hostile(marker), protocol=2))
        archive.writestr("net/constants.pkl", pickle.dumps((), protocol=2))


@pytest.mark.parametrize("make", [poisoned, poisoned_old, poisoned_script])
def test_a_pickle_that_would_run_a_command_is_refused_and_runs_nothing(
    make: Callable[[Published, Path, Path], None], net96: Published, tmp_path: Path
) -> None:
    marker = tmp_path / "it-ran"
    make(net96, tmp_path / "bad.pth", marker)
    with pytest.raises(ChorusError) as refusal:
        imported(tmp_path / "bad.pth", tmp_path)
    assert refusal.value.code == "import-unsafe"
    assert "system" in refusal.value.message
    assert not marker.exists()
    assert list((tmp_path / "families").iterdir()) == []


def test_weights_that_are_not_numbers_are_refused_by_name(net96: Published, tmp_path: Path) -> None:
    weights = dict(net96.state_dict())
    key = "face_decoder_blocks.3.1.conv_block.0.weight"
    weights[key] = weights[key].clone()
    weights[key][0, 0, 0, 0] = float("nan")
    torch.save(weights, tmp_path / "nan.pth")
    with pytest.raises(ChorusError, match=key):
        imported(tmp_path / "nan.pth", tmp_path)


def test_a_cut_off_checkpoint_is_called_damaged(net96: Published, tmp_path: Path) -> None:
    for number, legacy in enumerate((False, True)):
        whole, part = tmp_path / f"whole{number}.pth", tmp_path / f"part{number}.pth"
        torch.save(net96.state_dict(), whole, _use_new_zipfile_serialization=not legacy)
        part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        with pytest.raises(ChorusError) as refusal:
            imported(part, tmp_path)
        assert refusal.value.code == "import-damaged"

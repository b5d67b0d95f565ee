"""A small MuseTalk of random weights: imported, served, compared with torch; hostile and wrong ones refused."""

from __future__ import annotations

import copy
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import text_format
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2 as triton

torch = pytest.importorskip("torch", reason="make test-import installs it")
pytest.importorskip("diffusers", reason="make test-import installs it")

from safetensors.torch import save_file  # noqa: E402

from services.errors import ChorusError  # noqa: E402
from services.importing.importer import import_file  # noqa: E402
from services.importing.musetalk.checking import MOST_LATENTS, MOST_MEAN, MOST_STEPS  # noqa: E402
from services.importing.musetalk.conversion import convert_folder  # noqa: E402
from services.importing.musetalk.layout import layout_of  # noqa: E402
from services.importing.musetalk.nets import build  # noqa: E402
from services.jobs.imported import ImportedFamily  # noqa: E402
from tests.importing.musetalk_nets import Nets  # noqa: E402
from tests.own_triton import running_triton  # noqa: E402

pytestmark = pytest.mark.timeout(900)
Arrays = dict[str, NDArray[Any]]
ROWS = 3
SPREAD = 20
"""Levels of 255: a net that paints one grey would agree with anything"""


@pytest.fixture(scope="module")
def nets() -> Nets:
    torch.set_num_threads(1)
    return Nets()


@pytest.fixture(scope="module")
def families(nets: Nets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the small net as `musetalk15`."""
    folder = tmp_path_factory.mktemp("musetalk")
    nets.save(folder / "models")
    imported(folder / "models", folder / "families")
    return folder / "families"


def imported(source: Path, repository: Path) -> ImportedFamily:
    return import_file(source, repository, wanted_name=None, licence=None, taken=())


def asked(nets: Nets) -> tuple[dict[str, Arrays], dict[str, NDArray[np.float32]]]:
    """What each model is asked on noise that the import has not seen, and what torch says to it."""
    random = np.random.default_rng(5)
    samples = random.normal(0, 0.1, (2, 480_000)).astype(np.float32)
    samples[1, 200_000:] = 0  # a recording that ends
    crops = random.integers(0, 256, (ROWS, 256, 256, 3), np.uint8)
    states, latents = nets.hear(samples), nets.look(crops)
    sound = states[:, 40:70].reshape(-1, 50, 384)[:ROWS]
    inputs: dict[str, Arrays] = {
        "": {"latents": latents, "sound": sound},
        "-latents": {"crop": crops},
        "-sound": {"samples": samples},
    }
    return inputs, {"": nets.paint(latents, sound), "-latents": latents, "-sound": states}


def test_what_triton_serves_is_what_torch_computes(nets: Nets, families: Path, tmp_path: Path) -> None:
    inputs, wanted = asked(nets)
    assert wanted[""].std() > SPREAD
    outputs = {"": "mouth", "-latents": "latents", "-sound": "states"}
    most = {"": MOST_STEPS, "-latents": MOST_LATENTS * np.abs(wanted["-latents"]).max(), "-sound": 1e-5}
    print("\n| model | ONNX Runtime - torch | Triton - torch | of |\n| --- | --- | --- | --- |")
    with running_triton(families, tmp_path) as client:
        for suffix, given in inputs.items():
            path = families / f"musetalk15{suffix}" / "1" / "model.onnx"
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            by_runtime = session.run([outputs[suffix]], given)[0]
            by_triton = client.infer(f"musetalk15{suffix}", given, [outputs[suffix]])[outputs[suffix]]
            apart = [np.abs(each.astype(np.float64) - wanted[suffix]) for each in (by_runtime, by_triton)]
            most_apart = [float(each.max()) for each in apart]
            largest = np.abs(wanted[suffix]).max()
            print(f"| musetalk15{suffix} | {most_apart[0]:.3g} | {most_apart[1]:.3g} | {largest:.3g} |")
            assert max(most_apart) <= most[suffix]
            assert suffix or max(float(each.mean()) for each in apart) <= MOST_MEAN
        assert by_runtime.dtype == np.float32


def test_a_face_is_served_the_same_alone_and_among_others(nets: Nets, families: Path) -> None:
    inputs, _ = asked(nets)
    for suffix, given in inputs.items():
        path = families / f"musetalk15{suffix}" / "1" / "model.onnx"
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        together = session.run(None, given)[0].astype(np.float64)
        for row in range(len(together)):
            alone = session.run(None, {key: array[row : row + 1] for key, array in given.items()})[0]
            assert np.abs(alone[0] - together[row]).max() <= 1e-4 * max(1, np.abs(together).max() / 255) + (not suffix)


def test_the_configs_say_what_the_graphs_take(families: Path) -> None:
    for suffix in ("", "-latents", "-sound"):
        folder = families / f"musetalk15{suffix}"
        config = text_format.Parse((folder / "config.pbtxt").read_text(), triton.ModelConfig())
        graph = onnx.load(folder / "1" / "model.onnx", load_external_data=False).graph
        assert config.name == folder.name
        for listed, values in ((config.input, graph.input), (config.output, graph.output)):
            dims = {value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in values}
            assert {tensor.name: [0, *tensor.dims] for tensor in listed} == dims
        assert not [node for node in graph.node if node.domain]


def test_every_form_of_the_weights_is_the_same_net(nets: Nets, tmp_path: Path) -> None:
    inputs, wanted = asked(nets)
    folder = nets.save(tmp_path / "safe")
    for path in folder.rglob("*.pth"):
        path.unlink()
    for path in folder.rglob("*.bin"):
        path.unlink()
    for state, part in zip(nets.states(), ("musetalkV15", "sd-vae", "whisper"), strict=True):
        whole = {key: value.clone().contiguous() for key, value in state.items()}
        save_file(whole, folder / part / "model.safetensors")
    legacy = nets.save(
        tmp_path / "old", lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False)
    )
    for each in (folder, legacy):
        mouth, latents, sound = build(layout_of(each, "models"))
        with torch.no_grad():
            given = [torch.from_numpy(array[:1]) for array in inputs[""].values()]
            picture = mouth.picture(*given).permute(0, 2, 3, 1).numpy() * 255
            assert np.abs(picture - wanted[""][:1]).max() < 0.05
            seen = latents(torch.from_numpy(inputs["-latents"]["crop"])).numpy()
            heard = sound(torch.from_numpy(inputs["-sound"]["samples"])).numpy()
            assert np.abs(seen - wanted["-latents"]).max() < 1e-3
            assert np.abs(heard - wanted["-sound"]).max() < 1e-4


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self._marker}",)


def poisoned(state: dict[str, Any], marker: Path) -> None:
    state["hook"] = Hostile(marker)


def not_a_number(state: dict[str, Any], _: Path) -> None:
    state["conv_in.weight"] = state["conv_in.weight"].clone()
    state["conv_in.weight"][0, 0, 0, 0] = float("nan")


def narrow(state: dict[str, Any], _: Path) -> None:
    state["conv_in.weight"] = state["conv_in.weight"][:, :4].clone()


def short_of_one(state: dict[str, Any], _: Path) -> None:
    del state["conv_out.bias"]


def too_much(state: dict[str, Any], _: Path) -> None:
    state["lora.weight"] = torch.zeros(3)


def whole_numbers(state: dict[str, Any], _: Path) -> None:
    state["conv_out.bias"] = state["conv_out.bias"].long()


def deaf(state: dict[str, Any], _: Path) -> None:
    for key in state:
        if ".attn2.to_out.0.weight" in key:
            state[key] = torch.zeros_like(state[key])


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (poisoned, "import-unsafe", "system"),
        (not_a_number, "import-not-finite", "conv_in.weight"),
        (narrow, "import-part-differs", "(32, 4, 3, 3) and not (32, 8, 3, 3)"),
        (short_of_one, "import-part-differs", "conv_out.bias"),
        (too_much, "import-part-differs", "lora.weight"),
        (whole_numbers, "import-part-differs", "int64"),
        (deaf, "import-deaf", "models"),
    ],
)
def test_weights_that_are_none_are_refused_with_the_reason(
    spoil: Callable[[dict[str, Any], Path], None], code: str, said: str, nets: Nets, tmp_path: Path
) -> None:
    folder = nets.save(tmp_path / "models")
    state = copy.copy(dict(nets.unet.state_dict()))
    marker = tmp_path / "it-ran"
    spoil(state, marker)
    torch.save(state, folder / "musetalkV15" / "unet.pth")
    with pytest.raises(ChorusError) as refusal:
        convert_folder(layout_of(folder, "models"), "models", tmp_path / "family")
    assert refusal.value.code == code
    assert said in refusal.value.message
    assert not marker.exists()


def test_nothing_is_fetched(nets: Nets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    folder = nets.save(tmp_path / "models")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    build(layout_of(folder, "models"))


def test_a_config_that_fits_no_weights_is_refused(nets: Nets, tmp_path: Path) -> None:
    folder = nets.save(tmp_path / "models")
    config = folder / "musetalkV15" / "musetalk.json"
    config.write_text(
        config.read_text().replace('"sample_size": 64', '"sample_size": 64, "class_embed_type": "timestep"')
    )
    with pytest.raises(ChorusError, match="class_embed_type"):
        build(layout_of(folder, "models"))


def test_a_refused_folder_leaves_nothing_and_a_single_part_says_where_the_rest_belongs(
    nets: Nets, tmp_path: Path
) -> None:
    folder = nets.save(tmp_path / "models")
    (folder / "sd-vae" / "diffusion_pytorch_model.bin").write_bytes(bytes(1000))
    with pytest.raises(ChorusError) as refusal:
        imported(folder, tmp_path / "families")
    assert refusal.value.code == "import-unknown-format"
    assert list((tmp_path / "families").iterdir()) == []
    for path in ("musetalkV15/unet.pth", "whisper/pytorch_model.bin"):
        with pytest.raises(ChorusError) as refusal:
            imported(folder / path, tmp_path / "families")
        assert refusal.value.code == "import-musetalk-part"

"""OpenVINO beside ONNX Runtime: what it costs, how far it is from floats, and what Triton serves of it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="make test-import installs it")
pytest.importorskip("openvino", reason="make openvino installs it")

from services.errors import ChorusError  # noqa: E402
from services.importing.checking import session_of  # noqa: E402
from services.importing.importer import Calibration, import_file  # noqa: E402
from services.importing.model_config import config_text  # noqa: E402
from services.importing.openvino import OpenVinoSession, counts_in_bfloat16  # noqa: E402
from services.importing.quantising import Session, compared, measured  # noqa: E402
from services.jobs.engines import Engines  # noqa: E402
from services.jobs.imported import ImportedFamily  # noqa: E402
from tests.importing.torch_nets import seeded  # noqa: E402
from tests.own_triton import running_triton  # noqa: E402
from tests.talking_net import noise_pairs, talking_net  # noqa: E402
from tests.wav2lip_nets import NETS  # noqa: E402

SIZES = (1, 8, 16)
ROUNDS = 5
PAIRS = noise_pairs()


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImportedFamily, onnx.ModelProto, onnx.ModelProto]:
    """Wav2Lip 96 with random weights: its family, its graph in floats and in 8 bits."""
    folder = tmp_path_factory.mktemp("nets")
    torch.save(seeded(NETS["96"]).state_dict(), folder / "net.pth")
    family = import_file(folder / "net.pth", folder / "families", wanted_name="net", licence=None, taken=())
    floats = onnx.load(folder / "families" / "net" / "1" / "model.onnx")
    return family, floats, measured(floats, PAIRS, family.most_rows, "net")[0]


@pytest.mark.timeout(1200)
def test_what_each_engine_costs(graphs: tuple[ImportedFamily, onnx.ModelProto, onnx.ModelProto]) -> None:
    _, floats, eight = graphs
    engines: dict[str, Session] = {
        "ONNX Runtime, float32": session_of(floats),
        "ONNX Runtime, int8": session_of(eight),
        "OpenVINO, bfloat16": OpenVinoSession(floats.SerializeToString()),
        "OpenVINO, int8": OpenVinoSession(eight.SerializeToString()),
    }
    heading = " | ".join(f"{size} at once" for size in SIZES)
    print(f"\n| engine | {heading} | dB | r |\n| --- | {'--- | ' * len(SIZES)}--- | --- |")
    took = {name: dict[int, list[float]]() for name in engines}
    for size in SIZES:
        inputs = PAIRS.part(np.arange(size))
        for number in range(ROUNDS + 1):
            for name, session in engines.items():  # in turn, so that what else the machine does meets all
                started = time.process_time()
                session.run(["mouth"], inputs)
                if number:
                    took[name].setdefault(size, []).append((time.process_time() - started) * 1000 / size)
    for name, session in engines.items():
        found = compared(engines["ONNX Runtime, float32"], session, PAIRS, 16, calibrated=0)
        costs = " | ".join(f"{median(took[name][size]):.1f}" for size in SIZES)
        print(f"| {name} | {costs} | {found.psnr:.1f} | {found.agreement:.3f} |")
    if counts_in_bfloat16():
        assert median(took["ONNX Runtime, float32"][8]) > 1.3 * median(took["OpenVINO, bfloat16"][8])


@pytest.mark.timeout(600)
def test_triton_serves_what_openvino_computes_here(
    graphs: tuple[ImportedFamily, onnx.ModelProto, onnx.ModelProto], tmp_path: Path
) -> None:
    family, floats, eight = graphs
    folder = tmp_path / "repository"
    models = {"bfloat16": floats, "int8": eight}
    for precision, model in models.items():
        (folder / precision / "1").mkdir(parents=True)
        (folder / precision / "1" / "model.onnx").write_bytes(model.SerializeToString())
        served = replace(family, name=precision, precision=precision, library="openvino")
        (folder / precision / "config.pbtxt").write_text(config_text(served))
    with running_triton(folder, tmp_path) as client:
        engines = Engines()
        engines.look_in(tmp_path / "engines")
        for precision, model in models.items():
            here = OpenVinoSession(model.SerializeToString())
            for size in (3, 8):
                inputs = PAIRS.part(np.arange(size))
                there = client.infer(precision, inputs, ["mouth"])["mouth"]
                np.testing.assert_array_equal(there, here.run(["mouth"], inputs)[0])
            runtime, device, numbers = engines.text_of([precision]).split(", ")
            assert runtime.startswith("OpenVINO 20")
            assert (device, numbers) == ("CPU", precision if precision == "int8" or counts_in_bfloat16() else "float32")


@pytest.mark.timeout(600)
def test_an_import_is_served_by_openvino_where_that_is_fastest(tmp_path: Path) -> None:
    """The real gate, in the child with its limits, on a net that stands fewer bits; which is fastest is measured."""
    onnx.save(talking_net(), tmp_path / "net.onnx")

    def write_pairs(_: int, target: Path) -> None:
        np.savez(target, crops=PAIRS.crops, mels=PAIRS.mels, tried=PAIRS.tried)

    refused: list[ChorusError] = []
    family = import_file(
        tmp_path / "net.onnx",
        tmp_path / "families",
        wanted_name="net",
        licence=None,
        taken=(),
        calibration=Calibration(write_pairs, refused.append),
    )
    print(f"\n{family.library}, {family.precision}: {family.compared}; refused: {[error.message for error in refused]}")
    assert {error.code for error in refused} <= {"fewer-bits-slow"}
    if counts_in_bfloat16():
        assert family.compared["gain"] > 1.2
        assert family.library == "openvino"

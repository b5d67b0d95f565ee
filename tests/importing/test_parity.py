"""torch, ONNX Runtime and Triton on the same faces and sounds: prints the table of docs/families.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="make test-import installs it")

from services.importing.importer import import_file  # noqa: E402
from services.importing.quantising import measured  # noqa: E402
from services.importing.served_graph import net_inputs  # noqa: E402
from tests.importing.torch_nets import seeded  # noqa: E402
from tests.own_triton import running_triton  # noqa: E402
from tests.talking_net import noise_pairs  # noqa: E402
from tests.wav2lip_nets import NETS  # noqa: E402

ROWS = 8
MOST = 0.502
"""Of 255: rounding to a whole level, and the last bits of a float"""


@pytest.mark.timeout(1200)
def test_what_triton_serves_is_what_torch_computes(tmp_path: Path) -> None:
    families = tmp_path / "repository"
    nets = {}
    for name, published in NETS.items():
        nets[name] = seeded(published, batches=2)
        torch.save(nets[name].state_dict(), tmp_path / f"{name}.pth")
        import_file(tmp_path / f"{name}.pth", families, wanted_name=f"net{name}", licence=None, taken=())
    with running_triton(families, tmp_path) as client:
        print("\n| net | ONNX Runtime - torch | Triton - torch | Triton - ONNX Runtime |\n| --- | --- | --- | --- |")
        for name, published in NETS.items():
            random = np.random.default_rng(11)
            crops = random.integers(0, 256, (ROWS, published.side, published.side, 3), np.uint8)
            mels = random.uniform(-4, 4, (ROWS, 80, 16)).astype(np.float32)
            mel, face = net_inputs(crops, mels)
            with torch.no_grad():
                exact = nets[name](torch.from_numpy(mel), torch.from_numpy(face)).numpy()
            wanted = exact[:, ::-1].transpose(0, 2, 3, 1) * 255
            path = families / f"net{name}" / "1" / "model.onnx"
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            by_runtime = session.run(None, {"crop": crops, "mel": mels})[0]
            by_triton = client.infer(f"net{name}", {"crop": crops, "mel": mels}, ["mouth"])["mouth"]
            to_torch = [float(np.abs(given.astype(np.float64) - wanted).max()) for given in (by_runtime, by_triton)]
            between = int(np.abs(by_runtime.astype(int) - by_triton.astype(int)).max())
            print(f"| {name} | {to_torch[0]:.4f} | {to_torch[1]:.4f} | {between} |")
            assert max(to_torch) <= MOST
            assert between <= 1


@pytest.mark.timeout(1200)
def test_what_8_bits_cost_and_gain(tmp_path: Path) -> None:
    """Wav2Lip 96 with random weights, which amplify every error: the gate of an import would refuse it."""
    torch.save(seeded(NETS["96"]).state_dict(), tmp_path / "net.pth")
    family = import_file(tmp_path / "net.pth", tmp_path / "families", wanted_name="net", licence=None, taken=())
    graph = onnx.load(tmp_path / "families" / "net" / "1" / "model.onnx")
    made, found = measured(graph, noise_pairs(), family.most_rows, "net")
    print(f"\n8 bits: {found}, {made.ByteSize() / graph.ByteSize():.2f} of the size")
    assert found.gain > 1.5
    assert found.psnr > 15
    assert made.ByteSize() < 0.5 * graph.ByteSize()

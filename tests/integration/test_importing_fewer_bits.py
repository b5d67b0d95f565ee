"""An import that computes in fewer bits: what stays the same, what is measured, and what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from services.errors import ChorusError, ErrorKind
from services.importing import quantising
from services.importing.checking import session_of
from services.importing.choosing import fastest
from services.importing.eight_bits import rewritten
from services.importing.foreign import read_foreign
from services.importing.importer import Calibration, import_file
from services.importing.quantising import LEAST_GAIN, LEAST_PSNR, Comparison, Pairs
from services.importing.served_graph import served
from services.jobs.imported import IMPORTED, ImportedFamily
from tests.painting_net import painting_net
from tests.talking_net import noise_pairs, talking_net


def upward(activation: str, *, kernel: int = 3, group: int = 1, output_padding: int = 1) -> onnx.ModelProto:
    """A transposed convolution, a norm and an activation on 4 x 5 pixels of 4 channels."""
    random = np.random.default_rng(1)
    constants = {
        "kernel": random.standard_normal((4, 6 // group, kernel, kernel)),
        "bias": random.standard_normal(6),
        "scale": random.uniform(0.5, 2, 6),
        "shift": random.standard_normal(6),
        "mean": random.standard_normal(6),
        "variance": random.uniform(0.5, 2, 6),
        "slope": np.full((1, 1, 1), 0.25),
    }
    sizes: dict[str, Any] = {
        "kernel_shape": [kernel, kernel],
        "strides": [2, 2],
        "pads": [1, 1, 1, 1],
        "output_padding": [output_padding] * 2,
    }
    nodes = [
        helper.make_node("Identity", ["scale"], ["same_scale"]),
        helper.make_node("ConvTranspose", ["x", "kernel", "bias"], ["up"], group=group, **sizes),
        helper.make_node("BatchNormalization", ["up", "same_scale", "shift", "mean", "variance"], ["normed"]),
        helper.make_node(activation, ["normed", "slope"] if activation == "PRelu" else ["normed"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4, None, None])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 6, None, None])
    weights = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in constants.items()]
    for node in nodes:
        node.name = node.output[0]
    model = helper.make_model(
        helper.make_graph(nodes, "up", [given], [made], weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    return model


def run(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(session_of(model).run(None, {"x": x})[0])


@pytest.mark.parametrize("activation", ["Relu", "PRelu", "Tanh"])
def test_a_doubling_becomes_a_plain_convolution_that_does_the_same(activation: str) -> None:
    model = upward(activation)
    x = np.random.default_rng(2).standard_normal((2, 4, 4, 5)).astype(np.float32)
    changed = rewritten(model)
    onnx.checker.check_model(changed)
    np.testing.assert_allclose(run(changed, x), run(model, x), atol=1e-5)
    kinds = Counter(node.op_type for node in changed.graph.node)
    assert kinds == {"Conv": 1, "DepthToSpace": 1, {"PRelu": "LeakyRelu"}.get(activation, activation): 1}
    assert len({node.name for node in changed.graph.node}) == len(changed.graph.node), "ONNX Runtime refuses twins"
    assert len(changed.graph.initializer) == 2
    assert len(model.graph.node) == 4, "the graph that was given stays as it is"


@pytest.mark.parametrize("other", [{"kernel": 4, "output_padding": 0}, {"group": 2}, {"output_padding": 0}])
def test_what_does_not_just_double_stays_transposed(other: dict[str, int]) -> None:
    model = upward("Relu", **other)
    x = np.random.default_rng(2).standard_normal((1, 4, 4, 5)).astype(np.float32)
    changed = rewritten(model)
    np.testing.assert_allclose(run(changed, x), run(model, x), atol=1e-5)
    assert "ConvTranspose" in {node.op_type for node in changed.graph.node}


def graph_of(net: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    onnx.save(net, folder / "net.onnx")
    return served(*read_foreign(folder / "net.onnx", "net"))


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor that counts in 8 bits (VNNI, AMX); on others they take longer than floats, and are refused."""
    monkeypatch.setattr("services.importing.quantising._gain", lambda *_: 2 * LEAST_GAIN)


@pytest.mark.usefixtures("faster")
def test_a_net_in_8_bits_paints_the_same_mouths(tmp_path: Path) -> None:
    engine, refused = fastest(graph_of(talking_net(), tmp_path), noise_pairs(), 16, "net")
    assert engine is not None, refused
    assert (engine.title, refused) == ("ONNX Runtime in int8", [])
    made, found = engine.model, engine.found
    assert found.psnr >= LEAST_PSNR
    assert found.agreement > 0.995
    assert (found.pairs, found.tried) == (90, 30)
    types = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    kernels = [types.get(node.input[1]) == TensorProto.FLOAT for node in made.graph.node if node.op_type == "Conv"]
    # The first convolution and the last two stay in floats; the doubling is among the four between.
    assert kernels == [True, False, False, False, False, True, True]


def test_how_much_faster_8_bits_are_is_measured_in_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def session(seconds: float) -> Mock:
        def run(*_: object) -> None:
            clock[0] += seconds

        return Mock(run=run)

    monkeypatch.setattr("services.importing.quantising.time.process_time", lambda: clock[0])
    assert quantising._gain(session(3.0), session(2.0), {}) == pytest.approx(1.5)


def refusal(net: onnx.ModelProto, pairs: Pairs, folder: Path) -> ChorusError:
    engine, refused = fastest(graph_of(net, folder), pairs, 16, "net")
    assert engine is None
    assert [error.kind for error in refused] == [ErrorKind.INVALID_INPUT]
    return refused[0]


def test_a_net_whose_sound_drowns_in_the_error_is_refused(tmp_path: Path) -> None:
    error = refusal(talking_net(loudness=0.02), noise_pairs(), tmp_path)
    assert error.code == "fewer-bits-show"
    assert float(str(error.values["psnr"])) > LEAST_PSNR, "the picture alone would have passed"


def test_8_bits_that_are_no_faster_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Comparison(psnr=50.0, agreement=1.0, gain=LEAST_GAIN - 0.01, pairs=90, tried=30)
    monkeypatch.setattr("services.importing.choosing.measured", lambda model, *_: (model, found))
    assert refusal(painting_net(), noise_pairs(), tmp_path).code == "fewer-bits-slow"


def test_a_net_without_convolutions_is_refused(tmp_path: Path) -> None:
    error = refusal(painting_net(), noise_pairs(), tmp_path)
    assert (error.code, error.values["reason"]) == ("fewer-bits-impossible", "it has nothing that could be")


@pytest.mark.parametrize("kept", [0, 99])
def test_too_little_footage_is_refused(kept: int, tmp_path: Path) -> None:
    pairs = noise_pairs()
    few = Pairs(pairs.crops[:kept], pairs.mels[:kept], pairs.tried[:kept])
    with pytest.raises(ChorusError) as refused:
        fastest(graph_of(painting_net(), tmp_path), few, 16, "net")
    assert (refused.value.code, refused.value.values["found"]) == ("fewer-bits-few-pairs", kept)


def write(pairs: Pairs, target: Path) -> None:
    np.savez(target, crops=pairs.crops, mels=pairs.mels, tried=pairs.tried)


def imported(folder: Path, calibration: Calibration) -> ImportedFamily:
    """The net that lies in the folder."""
    return import_file(
        folder / "net.onnx",
        folder / "families",
        wanted_name="net",
        licence=None,
        taken=(),
        calibration=calibration,
    )


# It is made in a child, which measures for itself: with these instructions 2.8 times as fast, without .9.
COUNTS_IN_8_BITS = "vnni" in Path("/proc/cpuinfo").read_text()


def test_an_import_is_served_in_8_bits_where_the_processor_counts_in_them_and_says_so(tmp_path: Path) -> None:
    onnx.save(talking_net(), tmp_path / "net.onnx")
    refused: list[ChorusError] = []
    sides: list[int] = []

    def write_pairs(side: int, target: Path) -> None:
        sides.append(side)
        write(noise_pairs(), target)

    family = imported(tmp_path, Calibration(write_pairs, refused.append))
    found = (sides, [error.code for error in refused], family.precision)
    if not COUNTS_IN_8_BITS:
        assert found == ([96], ["fewer-bits-slow"], "float32")
        return
    assert found == ([96], [], "int8")
    IMPORTED.look_in(tmp_path / "families")
    try:
        assert IMPORTED.find("net") == family
    finally:
        IMPORTED.look_in(None)
    config = (tmp_path / "families/net/config.pbtxt").read_text()
    assert 'key: "precision" value { string_value: "int8" }' in config
    assert "tensorrt" not in config
    model = onnx.load(tmp_path / "families/net/1/model.onnx")
    assert TensorProto.INT8 in {tensor.data_type for tensor in model.graph.initializer}


def test_what_is_refused_in_8_bits_is_served_in_floats(tmp_path: Path) -> None:
    onnx.save(painting_net(), tmp_path / "net.onnx")
    refused: list[ChorusError] = []
    family = imported(tmp_path, Calibration(lambda side, target: write(noise_pairs(20), target), refused.append))
    assert [error.code for error in refused] == ["fewer-bits-few-pairs"]
    assert (family.precision, family.compared) == ("float32", {})
    model = onnx.load(tmp_path / "families/net/1/model.onnx")
    assert {node.op_type for node in model.graph.node} & {"QuantizeLinear", "DequantizeLinear"} == set()
    assert [path.name for path in (tmp_path / "families-drafts").iterdir()] == ["lock"]

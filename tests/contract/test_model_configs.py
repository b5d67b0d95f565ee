"""Every model of the repository: its config, its ONNX file and its record agree."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2 as triton

from export.checksums import recorded
from export.sources import SOURCES, sha256_of

ROOT = Path(__file__).parents[2]
REPOSITORY = ROOT / "model_repository"
MADE_HERE = [source.model for source in SOURCES]
ALL_MEGABYTES = 32
TYPES = {
    TensorProto.FLOAT: triton.TYPE_FP32,
    TensorProto.UINT8: triton.TYPE_UINT8,
    TensorProto.INT64: triton.TYPE_INT64,
}


def read_config(model: str) -> triton.ModelConfig:
    return text_format.Parse((REPOSITORY / model / "config.pbtxt").read_text(), triton.ModelConfig())


def read_graph(model: str) -> onnx.GraphProto:
    return onnx.load(REPOSITORY / model / "1" / "model.onnx").graph


def test_each_record_has_a_model_and_a_checksum() -> None:
    assert sorted(recorded()) == sorted(MADE_HERE)
    assert all((REPOSITORY / model).is_dir() for model in MADE_HERE)


@pytest.mark.parametrize("model", MADE_HERE)
def test_onnx_file_is_the_recorded_one(model: str) -> None:
    content = (REPOSITORY / model / "1" / "model.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == recorded()[model]


@pytest.mark.parametrize("model", MADE_HERE)
def test_config_names_the_model_and_how_it_runs(model: str) -> None:
    config = read_config(model)
    assert config.name == model
    assert config.backend == "onnxruntime"
    assert config.max_batch_size >= 8
    assert config.parameters["intra_op_thread_count"].string_value == "1"
    # KIND_AUTO: the same file runs on a processor and, in NVIDIA's container, on a GPU.
    assert [(group.count, group.kind) for group in config.instance_group] == [(1, triton.ModelInstanceGroup.KIND_AUTO)]
    assert config.HasField("dynamic_batching")
    assert all(size <= config.max_batch_size for size in config.dynamic_batching.preferred_batch_size)


def test_tensorrt_is_for_nets_of_one_shape_and_rounds_no_places() -> None:
    """For each other length of a recording TensorRT would make another plan, in the middle of a job."""
    hints = {model: read_config(model).parameters["tensorrt"].string_value for model in MADE_HERE}
    fixed = {model for model in MADE_HERE if all(-1 not in tensor.dims for tensor in read_config(model).input)}
    assert {model: hint for model, hint in hints.items() if hint} == dict.fromkeys(fixed, "FP32")


@pytest.mark.parametrize("model", MADE_HERE)
@pytest.mark.parametrize("side", ["input", "output"])
def test_config_and_onnx_have_the_same_tensors(model: str, side: str) -> None:
    listed = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in getattr(read_config(model), side)}
    in_graph = {}
    for tensor in getattr(read_graph(model), side):
        batch, *dimensions = tensor.type.tensor_type.shape.dim
        assert batch.dim_param == "batch", f"{tensor.name}: the first axis must be free"
        shape = [-1 if dimension.dim_param else dimension.dim_value for dimension in dimensions]
        in_graph[tensor.name] = (TYPES[tensor.type.tensor_type.elem_type], shape)
    assert listed == in_graph


@pytest.mark.parametrize("model", MADE_HERE)
def test_onnx_is_plain_opset_17_without_traces_of_its_making(model: str) -> None:
    loaded = onnx.load(REPOSITORY / model / "1" / "model.onnx")
    assert [(opset.domain, opset.version) for opset in loaded.opset_import] == [("", 17)]
    assert {node.domain for node in loaded.graph.node} == {""}
    assert (loaded.producer_name, loaded.producer_version, loaded.doc_string) == ("", "", "")
    assert not any(node.doc_string for node in loaded.graph.node)


@pytest.mark.parametrize("model", MADE_HERE)
def test_no_model_has_the_operator_that_onnx_runtime_is_slow_at(model: str) -> None:
    assert not any(node.op_type == "PRelu" for node in read_graph(model).node), "see tflite_to_onnx._prelu"


def test_models_together_are_small_enough_to_commit() -> None:
    sizes = [path.stat().st_size for path in REPOSITORY.glob("*/*/model.onnx")]
    assert sum(sizes) < ALL_MEGABYTES * 1e6


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.model)
def test_sources_say_who_made_a_model_and_under_which_licence(source: object) -> None:
    record = next(entry for entry in SOURCES if entry is source)
    assert record.licence in ("Apache-2.0", "MIT")
    assert record.authors
    assert record.made_by
    if not record.wheels:
        assert (ROOT / record.path).exists()
        assert record.sha256 is None or sha256_of(ROOT / record.path) == record.sha256
    else:
        assert len(str(record.sha256)) == 64
        for wheel in record.wheels:
            assert len(wheel.sha256) == 64
            assert wheel.version in wheel.file_name

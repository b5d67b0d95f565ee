"""The embedded Triton's choice of an engine, by a library that says what it was asked for: no GPU is needed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "services" / "local" / "backends" / "onnxruntime" / "accelerators.py"
NAMES = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
CONFIG: dict[str, Any] = {
    "max_batch_size": 16,
    "input": [
        {"name": "crop", "data_type": "TYPE_UINT8", "dims": ["96", "96", "3"]},
        {"name": "mel", "data_type": "TYPE_FP32", "dims": ["80", "16"]},
    ],
    "parameters": {"tensorrt": {"string_value": "FP16"}, "precision": {"string_value": "float32"}},
}
PLAIN = {**CONFIG, "parameters": {"precision": {"string_value": "float32"}}}
GPU = {"model_name": "net", "model_instance_kind": "GPU", "model_instance_device_id": "0"}
PROCESSOR = {"model_name": "net", "model_instance_kind": "CPU", "model_instance_device_id": "0"}


class Session:
    """Takes what it is given, but for those that the machine lacks; remembers what it ran."""

    lacking: tuple[str, ...] = ()
    refusing: tuple[str, ...] = ()
    made: list[Session] = []  # noqa: RUF012  # emptied by the fixture

    def __init__(self, path: str, options: object, *, providers: list[Any], enable_fallback: int) -> None:
        assert enable_fallback == 0, "the library must not take another engine by itself"
        self.given = {name if isinstance(name, str) else name[0]: name[1] for name in providers}
        self.taken = [name for name in self.given if name not in self.lacking]
        self.rows: list[int] = []
        if any(name in self.refusing for name in self.taken):
            raise RuntimeError("Please install\nTensorRT libraries")
        self.made.append(self)

    def get_providers(self) -> list[str]:
        return self.taken

    def run(self, outputs: None, inputs: dict[str, Any]) -> None:
        assert (inputs["crop"].dtype, inputs["crop"].shape[1:]) == (np.uint8, (96, 96, 3))
        assert (inputs["mel"].dtype, inputs["mel"].shape[1:]) == (np.float32, (80, 16))
        self.rows.append(len(inputs["crop"]))


Open = Callable[..., Session]


@pytest.fixture
def accelerators(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("accelerators", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.onnxruntime, "get_available_providers", lambda: NAMES)
    monkeypatch.setattr(module.onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(Session, "lacking", ())
    monkeypatch.setattr(Session, "refusing", ())
    monkeypatch.setattr(Session, "made", [])
    return module


@pytest.fixture
def open_session(accelerators: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Open:
    """`open_session(asked)` of a net in a file, with plans in a folder."""
    net = tmp_path / "model.onnx"
    net.write_bytes(b"a net")
    monkeypatch.setenv("CHORUS_PLANS", str(tmp_path / "plans"))

    def opened(asked: str, args: dict[str, str] = GPU, config: dict[str, Any] = CONFIG) -> Session:
        monkeypatch.setenv("CHORUS_MODEL_ENGINE", asked)
        session: Session = accelerators.open_session(net, None, args, config)
        return session

    return opened


@pytest.mark.parametrize(
    ("asked", "config", "taken"),
    [
        ("auto", CONFIG, NAMES),
        ("", CONFIG, NAMES),
        ("tensorrt", CONFIG, NAMES),
        ("tensorrt", PLAIN, NAMES[1:]),
        ("auto", PLAIN, NAMES[1:]),
        ("cuda", CONFIG, NAMES[1:]),
        ("cpu", CONFIG, NAMES[2:]),
    ],
)
def test_the_best_that_is_asked_for_computes(
    asked: str, config: dict[str, Any], taken: list[str], open_session: Open
) -> None:
    session = open_session(asked, config=config)
    assert session.taken == taken
    # Plans are made before the first job, for every number of rows that a request may have.
    assert session.rows == ([16, 1] if taken == NAMES else [])


@pytest.mark.parametrize("asked", ["auto", "cpu"])
def test_without_a_gpu_the_processor_computes(asked: str, open_session: Open) -> None:
    assert open_session(asked, PROCESSOR).taken == NAMES[2:]


def test_a_net_that_tensorrt_does_not_take_is_computed_by_cuda_and_that_is_said(
    open_session: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Session, "refusing", NAMES[:1])
    assert open_session("auto").taken == NAMES[1:]
    assert "net is not computed by TensorRT: Please install TensorRT libraries" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="install"):
        open_session("tensorrt")


@pytest.mark.parametrize(("asked", "wanted"), [("cuda", "CUDA"), ("tensorrt", "TensorRT")])
def test_what_is_asked_for_by_name_and_not_there_is_an_error(
    asked: str, wanted: str, open_session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library itself only warns."""
    monkeypatch.setattr(Session, "lacking", NAMES[:2])
    with pytest.raises(RuntimeError, match=f"CHORUS_MODEL_ENGINE={asked} asks for {wanted}, .* took CPU"):
        open_session(asked)
    assert open_session("auto").taken == NAMES[2:]


def test_two_nets_of_one_make_share_no_plans(open_session: Open, tmp_path: Path) -> None:
    def folder(session: Session) -> Path:
        options = session.given["TensorrtExecutionProvider"]
        assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"]
        return Path(options["trt_engine_cache_path"])

    first = folder(open_session("auto"))
    assert folder(open_session("auto")) == first
    assert first.is_dir()
    assert first.is_relative_to(tmp_path / "plans" / "net")
    (tmp_path / "model.onnx").write_bytes(b"another net")
    second = folder(open_session("auto"))
    assert second.parent != first.parent
    assert not first.exists()
    assert folder(open_session("auto", {**GPU, "model_instance_device_id": "1"})) != second
    assert second.exists()


def test_what_computes_a_model_is_told_with_its_numbers(open_session: Open, accelerators: ModuleType) -> None:
    def told(asked: str, config: dict[str, Any]) -> tuple[str, str]:
        found = accelerators.engine(config, open_session(asked, config=config))
        return found["device"], found["precision"]

    full = {**CONFIG, "parameters": {"tensorrt": {"string_value": "FP32"}}}
    assert told("auto", CONFIG) == ("TensorRT", "float16")
    assert told("auto", full) == ("TensorRT", "float32")
    assert told("cuda", CONFIG) == ("CUDA", "float32")
    assert told("cpu", {**PLAIN, "parameters": {"precision": {"string_value": "int8"}}}) == ("CPU", "int8")


def test_half_floats_are_for_those_nets_that_say_so(open_session: Open) -> None:
    options = open_session("auto").given["TensorrtExecutionProvider"]
    assert options["trt_fp16_enable"] is True
    full = {**CONFIG, "parameters": {"tensorrt": {"string_value": "FP32"}}}
    assert open_session("auto", config=full).given["TensorrtExecutionProvider"]["trt_fp16_enable"] is False

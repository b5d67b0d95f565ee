"""The program that prepares NVIDIA's Triton: the configs that it writes, a start that makes plans; without a GPU."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from services.importing.model_config import config_text
from services.jobs.imported import ImportedFamily
from services.local.gpus import Gpu
from services.local.ports import free_port
from tests.plan_maker import FILE, ROOT, load_plans

MODELS = ROOT / "model_repository"
NAMES = sorted(path.parent.name for path in MODELS.glob("*/config.pbtxt"))
H200 = Gpu("NVIDIA H200", "9.0", 143771, "580.65.06")
IMPORTED = config_text(
    ImportedFamily(
        name="mine",
        licence="research only",
        description="a net",
        side=96,
        most_rows=16,
        variant="Wav2Lip 96",
        container="ONNX",
        source_sha256="",
        steps=0,
    )
)
CONFIGS = {**{name: (MODELS / name / "config.pbtxt").read_text() for name in NAMES}, "mine": IMPORTED}


def parsed(text: str) -> triton.ModelConfig:
    return text_format.Parse(text, triton.ModelConfig())


def hint_of(config: triton.ModelConfig) -> str:
    """Looking it up in the message would put it there."""
    return {key: str(value.string_value) for key, value in config.parameters.items()}.get("tensorrt", "")


def rewritten(name: str, engine: str) -> triton.ModelConfig:
    return parsed(load_plans().changed(CONFIGS[name], engine, Path("/plans/x")))


@pytest.mark.parametrize("name", CONFIGS)
def test_tensorrt_computes_what_is_for_it_for_as_many_rows_as_a_request_may_have(name: str) -> None:
    before, after = parsed(CONFIGS[name]), rewritten(name, "tensorrt")
    if not (hint := hint_of(before)):
        assert after == before
        return
    (accelerator,) = after.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    # The names are those of Triton's onnxruntime backend, which refuses others.
    assert dict(accelerator.parameters) == {
        "precision_mode": hint,
        "max_workspace_size_bytes": "1073741824",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": "/plans/x",
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": "/plans/x",
    }
    warm = after.model_warmup[len(before.model_warmup) :]
    assert [each.batch_size for each in warm] == [before.max_batch_size, 1]
    inputs = {tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in before.input}
    for each in warm:
        assert {key: (value.data_type, list(value.dims)) for key, value in each.inputs.items()} == inputs
        assert all(value.zero_data for value in each.inputs.values())


def test_some_models_are_for_tensorrt() -> None:
    hinted = {name for name in CONFIGS if hint_of(parsed(CONFIGS[name]))}
    assert hinted == {"face_detection", "face_landmarks", "mine"}


@pytest.mark.parametrize("name", CONFIGS)
def test_without_tensorrt_a_config_stays_or_is_the_processors(name: str) -> None:
    assert load_plans().changed(CONFIGS[name], "cuda", Path()) == CONFIGS[name]
    (group,) = rewritten(name, "cpu").instance_group
    assert group.kind == triton.ModelInstanceGroup.KIND_CPU


def test_the_engine_is_what_is_asked_for_or_the_best_that_is_there() -> None:
    choose = load_plans().choose
    assert choose("auto", []) == ("cpu", [])
    assert choose("auto", [H200]) == ("tensorrt", [H200])
    assert choose("cuda", [H200]) == ("cuda", [H200])
    assert choose("cpu", [H200]) == ("cpu", [])
    with pytest.raises(RuntimeError, match="cuda needs an NVIDIA GPU"):
        choose("cuda", [])


@pytest.mark.parametrize("path", [FILE, ROOT / "services" / "local" / "gpus.py"])
def test_the_image_of_triton_needs_no_package_for_it(path: Path) -> None:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(str(node.module))
    assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) <= {"gpus"}


class Machine:
    """A folder of programs in the place of nvidia-smi and Triton, and what the program of the image does with them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder, folder / "bin"
        for each in ("bin", "repository", "plans"):
            (folder / each).mkdir()
        self.program("nvidia-smi", "print('NVIDIA H200, 9.0, 143771, 580.65.06')")

    def program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(f"#!{sys.executable} -S\n{textwrap.dedent(text)}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def config(self) -> str:
        """Of one of the models that Triton is given."""
        return (self.folder / "repository" / "face_detection" / "config.pbtxt").read_text()

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        """As in the init container."""
        places = ["--models", str(MODELS), "--repository", str(self.folder / "repository")]
        command = [
            sys.executable,
            str(FILE),
            *places,
            "--plans",
            str(self.folder / "plans"),
            "--port",
            str(free_port()),
            *more,
        ]
        variables = {"PATH": f"{self.programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "services" / "local")}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=variables)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


SERVES = """
    import sys, http.server
    options = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:] if "=" in word)
    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/v2/health/ready" else 404)
            self.end_headers()
    address = options["http-address"], int(options["http-port"])
    http.server.HTTPServer(address, Ready).serve_forever()
"""


def test_plans_are_made_by_one_start_of_triton_that_is_stopped_again(machine: Machine) -> None:
    machine.program("tritonserver", SERVES)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "tensorrt computes the models on NVIDIA H200" in done.stdout
    (place,) = re.findall(r'"trt_engine_cache_path" value: "(.*)"', machine.config())
    assert Path(place).is_dir()
    assert Path(place).parent == machine.folder / "plans" / "nvidia-h200-9.0"
    assert (machine.folder / "repository" / "mouth_renderer" / "1" / "model.onnx").exists()
    assert machine.run("--engine=cuda").returncode == 0
    assert machine.config() == CONFIGS["face_detection"], "what an earlier start has left is replaced"


@pytest.mark.parametrize(
    ("server", "words"),
    [("raise SystemExit(3)", "exit code 3"), ("import time; time.sleep(60)", "within 1 s")],
    ids=["ends", "never ready"],
)
def test_nets_that_tensorrt_does_not_load_are_cudas_unless_it_was_asked_for_by_name(
    machine: Machine, server: str, words: str
) -> None:
    machine.program("tritonserver", server)
    done = machine.run("--seconds", "1")
    assert done.returncode == 0
    assert words in done.stderr
    assert "cuda computes the models on NVIDIA H200" in done.stdout
    assert machine.config() == CONFIGS["face_detection"]
    done = machine.run("--seconds", "1", "--engine=tensorrt")
    assert (done.returncode, words in done.stderr, done.stdout) == (1, True, "")


def test_without_a_gpu_that_was_asked_for_by_name_nothing_starts(machine: Machine) -> None:
    machine.program("nvidia-smi", "raise SystemExit(9)")
    done = machine.run("--engine=tensorrt")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "needs an NVIDIA GPU" in done.stderr
    done = machine.run()
    assert (done.returncode, done.stdout) == (0, "cpu computes the models\n")

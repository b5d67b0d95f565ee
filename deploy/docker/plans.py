"""Before NVIDIA's Triton starts: the models as this machine's GPU shall compute them, and TensorRT's plans for them.

python plans.py --engine auto --models /models --repository /repository --plans /plans

Copies the models, their configs changed to what computes them, then has Triton load them once, which makes the plans.
Not a module of ours, because the image of Triton has none; gpus.py lies beside it there.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from gpus import Gpu, find_gpus, plan_key

WORKSPACE_BYTES = 1 << 30
_HINT = re.compile(r'parameters \{ key: "tensorrt" value \{ string_value: "(FP16|FP32)" \} \}')
_INPUT = re.compile(r'\{ name: "(\w+)" data_type: (TYPE_\w+) dims: \[ ([\d, ]+) \] \}')
_STOP_SECONDS = 30


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1, with the reason on stderr, where Triton could not serve the models so."""
    options = _options(arguments)
    try:
        engine, gpus = choose(options.engine, find_gpus())
        if engine == "tensorrt":
            engine = _with_plans(options, gpus)
        else:
            prepare(options.models, options.repository, options.plans, engine)
        _say(f"{engine} computes the models{' on ' if gpus else ''}{'; '.join(gpu.text for gpu in gpus)}")
    except (RuntimeError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _with_plans(options: argparse.Namespace, gpus: Sequence[Gpu]) -> str:
    """The engine: CUDA where TensorRT does not come to it, and nobody asked for it by name."""
    plans = options.plans / plan_key(gpus)
    try:
        if prepare(options.models, options.repository, plans, "tensorrt"):
            with alone(plans, options.seconds):
                make_plans(options, plans)
    except RuntimeError as error:
        if options.engine != "auto":
            raise
        sys.stderr.write(f"TensorRT is left out: {error}\n")
        prepare(options.models, options.repository, plans, "cuda")
        return "cuda"
    return "tensorrt"


def choose(asked: str, gpus: list[Gpu]) -> tuple[str, list[Gpu]]:
    """The engine and the GPUs that it has; RuntimeError when it needs one and there is none."""
    if not gpus and asked in ("cuda", "tensorrt"):
        raise RuntimeError(f"the engine {asked} needs an NVIDIA GPU, and nvidia-smi shows none in this container")
    if asked == "auto":
        return ("tensorrt", gpus) if gpus else ("cpu", [])
    return asked, [] if asked == "cpu" else gpus


def prepare(models: Sequence[Path], repository: Path, plans: Path, engine: str) -> list[str]:
    """Put the models into `repository` in the place of those there; the names of those that TensorRT computes."""
    for old in repository.glob("*/config.pbtxt"):
        shutil.rmtree(old.parent)
    accelerated = []
    for config in sorted(path for folder in models for path in folder.glob("*/config.pbtxt")):
        target = repository / config.parent.name
        shutil.copytree(config.parent, target)
        text = changed(config.read_text(), engine, plans / folder_name(config.parent))
        (target / "config.pbtxt").write_text(text)
        if engine == "tensorrt" and _HINT.search(text):
            (plans / folder_name(config.parent)).mkdir(parents=True, exist_ok=True)
            accelerated.append(config.parent.name)
    return accelerated


def folder_name(model: Path) -> str:
    """Of a model's plans. ONNX Runtime names them by the names in a graph: two nets of one make would share them."""
    with (model / "1" / "model.onnx").open("rb") as file:
        return f"{model.name}-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def changed(config: str, engine: str, plans: Path) -> str:
    """A model's config for this engine; TensorRT is for those models that say so, with plans in that folder."""
    if engine == "cpu":
        return config.replace("instance_group [ { count: 1 } ]", "instance_group [ { count: 1 kind: KIND_CPU } ]")
    hint = _HINT.search(config)
    if engine != "tensorrt" or hint is None:
        return config
    options = {
        "precision_mode": hint[1],
        "max_workspace_size_bytes": str(WORKSPACE_BYTES),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(plans),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(plans),
    }
    parameters = "\n".join(f'    parameters {{ key: "{key}" value: "{value}" }}' for key, value in options.items())
    return f"""{config}
optimization {{ execution_accelerators {{ gpu_execution_accelerator [
  {{
    name: "tensorrt"
{parameters}
  }}
] }} }}
{"".join(_warm_ups(config))}"""


def _warm_ups(config: str) -> Iterator[str]:
    """The most and the fewest rows of a request: a plan is for the shapes that were seen, and made anew for others."""
    (most,) = re.findall(r"^max_batch_size: (\d+)$", config, re.MULTILINE)
    inputs = _INPUT.findall(re.findall(r"^input \[\n(.*?)^\]", config, re.MULTILINE | re.DOTALL)[0])
    for name, rows in (("the most rows", most), ("one row", 1)):
        tensors = "".join(
            f'  inputs {{ key: "{each}" value {{ data_type: {kind} dims: [ {dims} ] zero_data: true }} }}\n'
            for each, kind, dims in inputs
        )
        yield f'model_warmup {{\n  name: "{name}"\n  batch_size: {rows}\n{tensors}}}\n'


@contextmanager
def alone(plans: Path, seconds: float) -> Iterator[None]:
    """Only one pod makes plans in a folder that several share; RuntimeError when another takes more than `seconds`."""
    with (plans / "lock").open("w") as lock:
        give_up = time.monotonic() + seconds
        while not _taken(lock):
            if time.monotonic() > give_up:
                raise RuntimeError(f"another pod has been making plans in {plans} for {seconds:g} s")
            time.sleep(1)
        yield


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_plans(options: argparse.Namespace, plans: Path) -> None:
    """Have Triton load the models, and stop it; RuntimeError when it has not loaded them all in time."""
    started = time.monotonic()
    with _running(_server(options)) as triton:
        while not _is_ready(options.port):
            if triton.poll() is not None:
                raise RuntimeError(f"Triton ended with exit code {triton.returncode}: see its words above")
            if time.monotonic() - started > options.seconds:
                raise RuntimeError(f"Triton has not loaded the models within {options.seconds:g} s")
            time.sleep(0.5)
    files = list(plans.rglob("*.engine"))
    size = sum(path.stat().st_size for path in files) / 1e6
    _say(f"{len(files)} plans of {size:.0f} MB in {plans}, made or read in {time.monotonic() - started:.0f} s")


def _server(options: argparse.Namespace) -> list[str]:
    """Triton as in the image, but for this machine's eyes only."""
    return [
        "tritonserver",
        f"--model-repository={options.repository}",
        *([f"--backend-directory={options.backends}"] if options.backends else []),
        "--disable-auto-complete-config",
        "--http-address=127.0.0.1",
        f"--http-port={options.port}",
        "--allow-grpc=false",
        "--allow-metrics=false",
        "--exit-timeout-secs=5",
    ]


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The program, which is stopped at the end of the block."""
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _is_ready(port: int) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5):
            return True
    except (URLError, OSError):
        return False


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["auto", "cpu", "cuda", "tensorrt"], default="auto")
    parser.add_argument(
        "--models", type=Path, action="append", required=True, help="a model repository; again for more"
    )
    parser.add_argument("--repository", type=Path, required=True, help="what Triton shall serve; is emptied")
    parser.add_argument("--plans", type=Path, required=True, help="where TensorRT's plans lie, for all kinds of GPUs")
    parser.add_argument("--seconds", type=float, default=1500, help="how long making the plans may take")
    parser.add_argument("--backends", type=Path, help="where Triton's backends lie, if at no usual place")
    parser.add_argument("--port", type=int, default=8000, help="of this machine, free until Triton is started for good")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What deploy/docker/plans.py makes of the models is loaded by a real Triton: the embedded one, without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from services.local.ports import free_port
from services.local.settings import LocalSettings
from services.local.triton_runtime import find_runtime
from services.local.triton_server import build_backends
from tests.plan_maker import FILE, ROOT


def test_triton_takes_configs_that_ask_for_tensorrt_and_warm_their_models(tmp_path: Path) -> None:
    runtime = find_runtime(LocalSettings().triton_runtime)
    build_backends(runtime, tmp_path / "backends")
    for each in ("bin", "repository", "plans"):
        (tmp_path / each).mkdir()
    gpus = tmp_path / "bin" / "nvidia-smi"
    gpus.write_text("#!/bin/sh\necho 'NVIDIA Pretended, 9.0, 1, 580'\n")
    gpus.chmod(0o700)
    command = [sys.executable, str(FILE), "--models", str(LocalSettings().model_repository), "--seconds", "90"]
    command += [word for each in ("repository", "plans", "backends") for word in (f"--{each}", str(tmp_path / each))]
    command += ["--port", str(free_port())]
    variables = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{runtime.programs}:{runtime.server.parent}:/usr/bin:/bin",
        "LD_LIBRARY_PATH": f"{runtime.libraries}:{runtime.libpython}",
        "PYTHONPATH": str(ROOT / "services" / "local"),
        "ORT_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tensorrt computes the models on NVIDIA Pretended" in done.stdout
    assert "face_landmarks is computed by ONNX Runtime" in done.stdout
    assert "0 plans of 0 MB" in done.stdout, "the processor makes none"

"""NVIDIA's GPUs of this machine. By the standard library alone: Triton's image has this file and no module of ours."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_ASK = ("nvidia-smi", "--query-gpu=name,compute_cap,memory.total,driver_version", "--format=csv,noheader,nounits")
_SECONDS = 20


@dataclass(frozen=True)
class Gpu:
    """One of them, as its driver says."""

    name: str
    capability: str
    """Compute capability, as 9.0"""
    memory: int
    """MiB"""
    driver: str

    @property
    def text(self) -> str:
        """For a person."""
        return f"{self.name}, {self.memory} MiB, compute capability {self.capability}, driver {self.driver}"


def find_gpus(command: Sequence[str] = _ASK) -> list[Gpu]:
    """Those that nvidia-smi shows; none where it is missing, finds none, or does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    fields = ([field.strip() for field in line.split(",")] for line in done.stdout.splitlines())
    return [Gpu(each[0], each[1], int(each[2]), each[3]) for each in fields if len(each) == 4 and each[2].isdecimal()]


def plan_key(gpus: Sequence[Gpu]) -> str:
    """The name of the folder of TensorRT's plans for these GPUs, as nvidia-h200-9.0.

    A plan is made for one kind of GPU. The names that ONNX Runtime gives its files have the compute capability and the
    versions of ONNX Runtime, CUDA and TensorRT in them, but neither the GPU's name nor the net's weights.
    """
    kinds = dict.fromkeys(f"{gpu.name} {gpu.capability}" for gpu in gpus)
    return re.sub(r"[^a-z0-9.+]+", "-", "+".join(kinds).lower()).strip("-")

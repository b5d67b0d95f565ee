"""What nvidia-smi says, and the name of the folder for a machine's plans."""

from __future__ import annotations

import sys

import pytest

from services.local.gpus import Gpu, find_gpus, plan_key

H200 = Gpu("NVIDIA H200", "9.0", 143771, "580.65.06")
L4 = Gpu("NVIDIA L4", "8.9", 23034, "580.65.06")


def said(text: str, status: int = 0) -> list[str]:
    """A program that says so and ends so, in the place of nvidia-smi."""
    return [sys.executable, "-S", "-c", f"print({text!r}); raise SystemExit({status})"]


def test_each_line_is_a_gpu() -> None:
    lines = "NVIDIA H200, 9.0, 143771, 580.65.06\nNVIDIA L4, 8.9, 23034, 580.65.06"
    assert find_gpus(said(lines)) == [H200, L4]


@pytest.mark.parametrize(
    "command",
    [
        ["/nonexistent/nvidia-smi"],
        said("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", status=9),
        said("No devices were found"),
        said("NVIDIA H200, 9.0, [N/A], 580.65.06"),
        said(""),
    ],
)
def test_without_a_gpu_that_works_there_is_none(command: list[str]) -> None:
    assert find_gpus(command) == []


def test_plans_of_another_kind_of_gpu_lie_elsewhere() -> None:
    assert plan_key([H200, H200]) == "nvidia-h200-9.0"
    assert plan_key([H200, L4]) == "nvidia-h200-9.0+nvidia-l4-8.9"
    assert plan_key([Gpu("Tesla T4 (../x)", "7.5", 1, "")]) == "tesla-t4-..-x-7.5"

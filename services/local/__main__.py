"""`python -m services.local install-triton [--gpu | --cpu | --openvino]`: installs the embedded Triton, once.

--gpu brings CUDA and TensorRT for NVIDIA's GPUs (3 GB), --cpu takes them away; without either it stays as it is.
--openvino adds that library (180 MB), which computes imported families on processors.
"""

from __future__ import annotations

import sys

from services.errors import ChorusError
from services.local.settings import LocalSettings
from services.local.triton_runtime import install_openvino, install_runtime, platform_problem

_GPU = {"--gpu": True, "--cpu": False}


def main(arguments: list[str]) -> int:
    """The exit code of the command."""
    if arguments[:1] != ["install-triton"] or arguments[1:] not in ([], ["--gpu"], ["--cpu"], ["--openvino"]):
        _warn(str(__doc__))
        return 2
    if (problem := platform_problem()) is not None:
        # No failure: everything else runs here, with a Triton elsewhere.
        _warn(str(problem))
        return 0
    place = LocalSettings().triton_runtime
    try:
        installed = install_runtime(place, gpu=_GPU.get("".join(arguments[1:])), report=_warn)
        if "--openvino" in arguments:
            install_openvino(place)
    except ChorusError as error:
        _warn(str(error))
        return 1
    sys.stdout.write(f"Triton {'installed in' if installed else 'is already in'} {place}\n")
    return 0


def _warn(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

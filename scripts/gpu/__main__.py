"""Every engine of this machine side by side: TensorRT's plans, parity, speed, whole jobs, memory; prints one table.

    python -m scripts.gpu            needs an NVIDIA GPU with driver 580 or newer; installs Triton for it (3 GB)
    python -m scripts.gpu --dry      the same on the processor alone, to see that it runs through

The processor, CUDA and TensorRT by the embedded Triton, each as a stack of its own with a Wav2Lip and a MuseTalk of
random weights beside the models of Chorus. NVIDIA's container as well: give its plans.py the folder `families` of the
first run as a second `--models`, and name the container by `--triton container=HOST:PORT`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import onnx

from scripts.gpu.asked import FAMILY, MUSETALK
from scripts.gpu.measured import measure
from scripts.gpu.musetalk import random_musetalk
from scripts.gpu.net import random_wav2lip
from scripts.gpu.table import as_table
from services.errors import ChorusError
from services.importing.importer import import_file
from services.local.gpus import find_gpus
from services.local.settings import LocalSettings
from services.local.triton_runtime import install_runtime

NO_GPU = "No NVIDIA GPU found: nvidia-smi shows none here. `make gpu DRY=1` runs through on the processor alone.\n"


def main(arguments: Sequence[str]) -> int:
    """The exit code: 2 without a GPU, 1 when an engine failed."""
    options = _options(arguments)
    gpus = find_gpus()
    if not (gpus or options.dry):
        sys.stderr.write(NO_GPU)
        return 2
    try:
        if not options.dry:
            install_runtime(LocalSettings().triton_runtime, gpu=True, report=_say)
        families, note = _families(options.folder), random_musetalk(options.folder, small=options.dry)
        _say(note)
    except ChorusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found = []
    for name, environment in _engines(options).items():
        _say(f"measuring {name}")
        home = options.folder / name
        shutil.rmtree(home, ignore_errors=True)
        variables = {"CHORUS_FAMILIES": str(families), **environment}
        engine = environment.get("CHORUS_MODEL_ENGINE")
        left_out = (MUSETALK, f"{MUSETALK}-latents") if engine == "cpu" and not options.dry else ()
        again = engine == "tensorrt"
        found.append(measure(name, variables, home, seconds=options.seconds, again=again, left_out=left_out))
    table = as_table(found, gpus, dry=options.dry, notes=[note])
    sys.stdout.write(f"\n{table}\n")
    (options.folder / "table.md").write_text(f"{table}\n")
    return int(any(each.failure for each in found))


def _engines(options: argparse.Namespace) -> dict[str, dict[str, str]]:
    """What to measure: its name, and the environment of its stack. The first is what the others are compared with."""
    own = ("cpu",) if options.dry else ("cpu", "cuda", "tensorrt")
    found = {name: {"CHORUS_MODEL_ENGINE": name} for name in own}
    for name, address in options.triton:
        found[f"{name} at {address}"] = {"CHORUS_TRITON_URL": address}
    return found


def _families(folder: Path) -> Path:
    """The folder with the net of random weights, imported as a user's would be; made where it is missing."""
    families = folder / "families"
    if not (families / FAMILY).exists():
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(random_wav2lip(), folder / "net.onnx")
        import_file(folder / "net.onnx", families, wanted_name=FAMILY, licence="random weights", taken=())
    return families


def _elsewhere(text: str) -> tuple[str, str]:
    name, sign, address = text.partition("=")
    if not (name and sign and address):
        raise argparse.ArgumentTypeError(f"{text}: NAME=HOST:PORT is meant")
    return name, address


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="on the processor alone")
    parser.add_argument("--triton", type=_elsewhere, action="append", default=[], metavar="NAME=HOST:PORT")
    parser.add_argument("--seconds", type=float, default=5, help="how long each rate is measured")
    parser.add_argument("--folder", type=Path, default=Path("build/gpu").absolute(), help="for the net and the stacks")
    return parser.parse_args(arguments)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

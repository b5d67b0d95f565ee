"""The process that reads one foreign file, or makes a net that was read compute in fewer bits.

It is bounded in memory, time and what it writes. Arguments: `read`, the file, the name to call it by, the folder for
`1/model.onnx`; or `read-folder`, the same of the folder of a MuseTalk, whose other models come beside the folder; or
`quantise`, the model, the name, the pairs to calibrate by, the most faces of a run, the target.
The last line on stdout is JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from services.confined import confine
from services.errors import ChorusError, ErrorKind, error_to_json
from services.importing.containers import Container, container_of

_MEMORY: Final = 4 << 30
"""Bytes for the libraries and for running the net, beside six times the file"""
_CPU_SECONDS: Final = 800
_WRITTEN: Final = 2 << 30
_TIMES: Final = 3
"""Of a MuseTalk's files: they stay on the disk as far as they can, and ONNX Runtime computes in 32 bits with halves"""
_FOLDER_CPU_SECONDS: Final = 3000


def main() -> int:
    """The exit code."""
    what, path, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    try:
        said: dict[str, Any] = {"succeeded": _WORK[what](path, name, *sys.argv[4:])}
    except ChorusError as error:
        said = {"failed": error_to_json(error)}
    except ImportError as error:
        said = {"failed": error_to_json(ChorusError(ErrorKind.UNAVAILABLE, "import-lacks", package=str(error.name)))}
    except MemoryError:
        said = {"failed": error_to_json(ChorusError(ErrorKind.INVALID_INPUT, "import-greedy", name=name))}
    sys.stdout.write("\n" + json.dumps(said) + "\n")
    return 0 if "succeeded" in said else 1


def _read(path: Path, name: str, folder: str) -> dict[str, Any]:
    container = container_of(path, name)
    _bound(path.stat().st_size)
    return convert(path, container, name, Path(folder))


def _quantise(path: Path, name: str, pairs: str, most_rows: str, target: str) -> dict[str, Any]:
    """Write the model that is to be served to `target`: what ImportedFamily says of it, and why others are not."""
    _bound(path.stat().st_size)
    import onnx

    from services.importing.choosing import fastest
    from services.importing.quantising import read_pairs

    model = onnx.load_model(path, load_external_data=False)
    engine, refused = fastest(model, read_pairs(Path(pairs)), int(most_rows), name)
    said: dict[str, Any] = {"refused": [error_to_json(error) for error in refused], "chosen": {}}
    if engine is not None:
        Path(target).write_bytes(engine.model.SerializeToString(deterministic=True))
        said["chosen"] = {"library": engine.library, "precision": engine.precision, "compared": asdict(engine.found)}
    return said


def _read_folder(path: Path, name: str, folder: str) -> dict[str, Any]:
    from services.importing.musetalk.layout import layout_of

    layout = layout_of(path, name)
    sizes = [file.stat().st_size for file in layout.files]
    confine(_MEMORY + _TIMES * sum(sizes), file_bytes=_WRITTEN + max(sizes), cpu_seconds=_FOLDER_CPU_SECONDS)
    # Here and not above: it takes ten seconds to load.
    from services.importing.musetalk.conversion import convert_folder

    made = convert_folder(layout, name, Path(folder))
    return {**made, "container": "folder", "source_sha256": _digest(layout.files)}


def _digest(files: Sequence[Path]) -> str:
    """SHA-256 of those of the files."""
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def _bound(size: int) -> None:
    """No more than this, whatever the file asks for."""
    confine(_MEMORY + 6 * size, file_bytes=_WRITTEN, cpu_seconds=_CPU_SECONDS)


def convert(path: Path, container: Container, name: str, folder: Path) -> dict[str, Any]:
    """Write the graph of `path` into `folder`; what ImportedFamily says of it. Refusals are INVALID_INPUT."""
    # Here and not above: they take seconds to load, and those for weights need not be there for ONNX.
    from services.importing import conversion

    if container is Container.ONNX:
        made = conversion.from_onnx(path, name)
    else:
        from services.importing import conversion_of_weights

        made = conversion_of_weights.from_weights(path, container, name)
    target = folder / "1" / "model.onnx"
    target.parent.mkdir()
    target.write_bytes(made.model.SerializeToString(deterministic=True))
    return {
        "side": made.side,
        "most_rows": made.most_rows,
        "variant": made.variant,
        "steps": made.steps,
        "container": container.value,
    }


_WORK: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "read": _read,
    "read-folder": _read_folder,
    "quantise": _quantise,
}


if __name__ == "__main__":
    sys.exit(main())

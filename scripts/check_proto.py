"""Makes the gRPC files of the given .proto files again in a temporary folder and compares them with those in git."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from grpc_tools import protoc

OUTPUTS = ("--python_out", "--grpc_python_out", "--mypy_out", "--mypy_grpc_out")
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def main(protos: list[str]) -> int:
    """Exit code 1 and one line a file that differs or is missing."""
    # Where protobuf's own files lie, as `python -m grpc_tools.protoc` has it.
    own = str(files("grpc_tools") / "_proto")
    with TemporaryDirectory() as folder:
        if protoc.main(["protoc", "-I.", f"-I{own}", *(f"{output}={folder}" for output in OUTPUTS), *protos]) != 0:
            return 1
        stale = [
            path
            for proto in protos
            for path in (Path(proto).with_suffix("").as_posix() + suffix for suffix in SUFFIXES)
            if not Path(path).is_file() or Path(path).read_bytes() != (Path(folder) / path).read_bytes()
        ]
    for path in stale:
        sys.stderr.write(f"{path} is not what its .proto makes: run `make proto`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Makes the gRPC files from their .proto; with --check it compares those in git with what it would make."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from grpc_tools import protoc

_PLUGINS: Final = ("grpc_python", "mypy", "mypy_grpc")
_TYPES: Final = ("_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is made of one .proto."""

    proto: str
    module: str
    """Path of the made files below `root`, without their endings"""
    root: str = "."
    own_pool: bool = False
    """The messages as a descriptor set, which the package loads into a pool of its own; else as a module"""

    @property
    def made(self) -> list[Path]:
        """The files."""
        messages = ".binpb" if self.own_pool else "_pb2.py"
        return [Path(self.root, self.module + ending) for ending in (messages, *_TYPES)]

    def make(self, folder: Path) -> None:
        """Write the files below `folder`."""
        root = folder / self.root
        root.joinpath(self.module).parent.mkdir(parents=True, exist_ok=True)
        messages = (
            ["--include_imports", f"--descriptor_set_out={root / self.module}.binpb"]
            if self.own_pool
            else [f"--python_out={root}"]
        )
        found_as = f"{self.module}.proto"
        # Where protobuf's own files lie, as `python -m grpc_tools.protoc` has it.
        sources = [f"-I{found_as}={self.proto}", "-I.", f"-I{files('grpc_tools') / '_proto'}"]
        code = protoc.main(["protoc", *sources, *messages, *(f"--{each}_out={root}" for each in _PLUGINS), found_as])
        if code != 0:
            raise SystemExit(code)


TARGETS: Final = (
    Target(proto="services/preprocess/v1/preprocess.proto", module="services/preprocess/v1/preprocess"),
    Target(proto="services/gateway/v1/gateway.proto", module="services/gateway/v1/gateway"),
    Target(
        proto="services/gateway/v1/gateway.proto",
        module="chorus_client/v1/gateway",
        root="clients/python",
        own_pool=True,
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Exit code 1, and one line a file that differs or is missing, when --check finds any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    if not parser.parse_args(arguments).check:
        for target in TARGETS:
            target.make(Path())
        return 0
    with TemporaryDirectory() as folder:
        for target in TARGETS:
            target.make(Path(folder))
        made = [path for target in TARGETS for path in target.made]
        stale = [path for path in made if not path.is_file() or path.read_bytes() != Path(folder, path).read_bytes()]
    for path in stale:
        sys.stderr.write(f"{path} is not what its .proto makes: run `make proto`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

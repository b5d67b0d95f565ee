"""deploy/docker/locks: complete, at the versions of constraints.txt, each file known by its hashes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.locks import FOLDER, LOCKS, ROOT

EXTRAS = {name: lock.extras for name, lock in LOCKS.items() if lock.extras}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins(path: Path) -> dict[str, str]:
    """Name -> version of a list of requirements."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    found = (re.match(r"([\w.-]+)==([^\s;\\]+)", line) for line in lines)
    return {canonicalize_name(each[1]): each[2] for each in found if each}


def entries(name: str) -> list[str]:
    """A lock's requirements, each with the lines that continue it."""
    text = re.sub(r"^#.*\n", "", (FOLDER / f"{name}.txt").read_text(), flags=re.MULTILINE)
    return re.sub(r"\\\n", " ", text).splitlines()


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_one_version_with_hashes(name: str) -> None:
    assert entries(name)
    assert [each for each in entries(name) if not (_HASH.search(each) and "==" in each)] == []


@pytest.mark.parametrize("name", [name for name in LOCKS if name not in EXTRAS])
def test_a_complete_list_is_locked_as_it_stands(name: str) -> None:
    assert pins(FOLDER / f"{name}.txt") == pins(ROOT / LOCKS[name].source)


def test_the_embedded_triton_for_gpus_is_the_same_with_another_build_of_its_library() -> None:
    folder = ROOT / "services" / "local"
    plain, gpu = pins(folder / "triton-requirements.txt"), pins(folder / "triton-gpu-requirements.txt")
    gpu["onnxruntime"] = gpu.pop("onnxruntime-gpu")
    assert {package: version for package, version in gpu.items() if not package.startswith("nvidia-cu")} == {
        **plain,
        "nvidia-nvjitlink": gpu["nvidia-nvjitlink"],
    }


@pytest.mark.parametrize("name", EXTRAS)
def test_versions_are_those_that_the_tests_run_with(name: str) -> None:
    tested = pins(ROOT / "constraints.txt")
    locked = pins(FOLDER / f"{name}.txt")
    assert {package: version for package, version in locked.items() if tested.get(package, version) != version} == {}


@pytest.mark.parametrize("name", EXTRAS)
def test_nothing_is_missing(name: str) -> None:
    locked = pins(FOLDER / f"{name}.txt")
    needed = set(needed_by([*PROJECT["dependencies"], *extra_requirements(EXTRAS[name])], set()))
    assert needed - set(locked) == set()


def extra_requirements(extras: tuple[str, ...]) -> Iterator[str]:
    """What extras of ours ask for, those within them included."""
    for extra in extras:
        for text in PROJECT["optional-dependencies"][extra]:
            requirement = Requirement(text)
            if requirement.name == PROJECT["name"]:
                yield from extra_requirements(tuple(requirement.extras))
            else:
                yield text


def needed_by(requirements: list[str], seen: set[str], extra: str = "") -> Iterator[str]:
    """The names of all distributions that requirements lead to here, by what is installed in this environment."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        yield name
        for each in ("", *sorted(requirement.extras)):
            if (known := f"{name}[{each}]") not in seen:
                seen.add(known)
                yield from needed_by(_requires(name), seen, each)


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []

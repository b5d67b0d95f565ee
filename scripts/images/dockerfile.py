"""Reads a Dockerfile into its stages; knows the forms that ours use."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "docker"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its lines joined."""

    keyword: str
    """In capitals"""
    value: str


@dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next."""

    base: str
    """An image, or the name of a stage above"""
    name: str
    """Empty: the last one"""
    instructions: tuple[Instruction, ...]

    def values(self, keyword: str) -> list[str]:
        """What stands behind each such instruction."""
        return [each.value for each in self.instructions if each.keyword == keyword]

    def words(self, keyword: str) -> list[str]:
        """The JSON form of the only such instruction; empty when there is none."""
        found = self.values(keyword)
        return [str(word) for word in json.loads(found[0])] if found else []

    def pairs(self, keyword: str, known: Mapping[str, str] | None = None) -> dict[str, str]:
        """The NAME=value pairs of all such instructions, in which `known` names are filled in."""
        filled = (Template(value).safe_substitute(known or {}) for value in self.values(keyword))
        pairs = (pair.partition("=") for value in filled for pair in shlex.split(value))
        return {name: value for name, _, value in pairs}

    @property
    def health_command(self) -> list[str]:
        """The command of HEALTHCHECK; empty when there is none."""
        found = [value.partition("CMD ")[2] for value in self.values("HEALTHCHECK")]
        return [str(word) for word in json.loads(found[0])] if found else []


def read_dockerfile(path: Path) -> list[Stage]:
    """The stages of a Dockerfile, the one that becomes the image last."""
    stages: list[Stage] = []
    for instruction in _instructions(path.read_text()):
        if instruction.keyword == "FROM":
            base, _, name = re.split(r"(\s+AS\s+|$)", instruction.value, maxsplit=1, flags=re.IGNORECASE)
            stages.append(Stage(base, name, ()))
        else:
            last = stages.pop()
            stages.append(Stage(last.base, last.name, (*last.instructions, instruction)))
    return stages


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(line.split()[0].upper(), line.split(maxsplit=1)[1]) for line in joined.splitlines()]


def dockerfiles() -> dict[str, Path]:
    """The Dockerfiles of the project by the names of their images, without `chorus-`."""
    found = {path.name.removesuffix(".Dockerfile"): path for path in FOLDER.glob("*.Dockerfile")}
    return dict(sorted(found.items()))

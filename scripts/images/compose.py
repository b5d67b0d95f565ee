"""Reads docker-compose.yaml as Compose does: merged, and with its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from scripts.images.dockerfile import FOLDER

CONTAINERS: Final = {
    "api": "gateway",
    "worker": "worker",
    "preprocess": "preprocess",
    "triton-cpu": "triton-cpu",
    "triton": "triton",
}
"""Services of ours, and the image of each without `chorus-`"""


def read_compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file with ${NAME:?...} and ${NAME:-default} filled in; KeyError names one that must be set and is not."""

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if given := variables.get(name):
            return given
        if operator == ":?":
            raise KeyError(name)
        return str(rest)

    text = (FOLDER / "docker-compose.yaml").read_text()
    filled = re.sub(r"\$\{(\w+)(:[?-])([^}]*)\}", value, text)
    return dict(yaml.safe_load(filled))


def read_example() -> dict[str, str]:
    """What .env.example sets."""
    lines = (line.partition("=") for line in (FOLDER / ".env.example").read_text().splitlines())
    return {name: value for name, sign, value in lines if sign and not name.startswith("#")}

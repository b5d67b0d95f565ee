"""Every family that this Chorus can render with, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.render.families.default.animator import DEFAULT
from services.render.families.family import ModelFamily

FAMILIES: Final[Mapping[str, ModelFamily]] = {DEFAULT.name: DEFAULT}
"""Written by hand, one entry a family; the same names as FAMILY_CARDS."""


def find_family(name: str) -> ModelFamily:
    """The family of that name; INVALID_INPUT when there is none."""
    try:
        return FAMILIES[name]
    except KeyError:
        choices = ", ".join(FAMILIES)
        raise ChorusError(ErrorKind.INVALID_INPUT, "family-unknown", family=name, choices=choices) from None

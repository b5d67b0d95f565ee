"""Every family that this Chorus can render with, by name: our own, those of other packages, and imports."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.jobs.families import family_cards
from services.jobs.imported import IMPORTED
from services.render.families.default.animator import DEFAULT
from services.render.families.family import ModelFamily
from services.render.families.imported.closing import closing_family
from services.render.families.imported.methods import imported_family

FAMILIES_GROUP: Final = "chorus.families"
"""Entry points of other packages, named as their cards: each is a ModelFamily"""


def find_family(name: str) -> ModelFamily:
    """The family of that name; INVALID_INPUT when there is none, or when its package does not work."""
    if name == DEFAULT.name:
        return DEFAULT
    for point in entry_points(group=FAMILIES_GROUP, name=name):
        try:
            family = point.load()
        except Exception as error:
            raise ChorusError(ErrorKind.INTERNAL, "family-broken", family=name, reason=str(error)) from error
        if isinstance(family, ModelFamily):
            return family
    if (found := IMPORTED.find(name)) is not None:
        return imported_family(found)
    cards = family_cards()
    if name in cards and (found := IMPORTED.find(cards[name].another_use_of)) is not None:
        return closing_family(found)
    raise ChorusError(ErrorKind.INVALID_INPUT, "family-unknown", family=name, choices=", ".join(cards))

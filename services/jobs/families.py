"""Names, licences and descriptions of the lip-sync families: what the doors show without loading any of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Final

from services.jobs.engines import ENGINES
from services.jobs.imported import IMPORTED

_log = logging.getLogger(__name__)

CLOSURES: Final = "-closures"
"""Behind the name of an imported family: the same, with lips that shut where the default family's do"""
CARDS_GROUP: Final = "chorus.family_cards"
"""Entry points of other packages: each is a FamilyCard, in a module that loads no NumPy"""


@dataclass(frozen=True, slots=True)
class FamilyCard:
    """What a user must know to choose a family."""

    name: str
    licence: str
    description: str
    models: tuple[str, ...] = ()
    """Its models on Triton, by which `engine` finds what computes them"""
    another_use_of: str = ""
    """The imported family with which it comes and goes; empty for what stands by itself"""

    @property
    def engine(self) -> str:
        """What computes its models at the moment, for a person; empty where nobody has said so."""
        return ENGINES.text_of(self.models)


DEFAULT_CARD: Final = FamilyCard(
    name="default",
    licence="Apache-2.0",
    description="Chorus's own: moves the real mouth of the footage; free for any use, nothing to download",
    models=("speech_to_mouth", "mouth_renderer"),
)


def family_cards() -> Mapping[str, FamilyCard]:
    """The families that there are, by name: installed ones, and behind them those that were imported up to now.

    Each of these comes with one that shuts its lips; see `families/imported/closing.py`.
    """
    cards, imported = dict(_installed()), IMPORTED.all()
    for family in imported:
        cards.setdefault(family.name, FamilyCard(family.name, family.licence, family.description, family.models))
    for family in imported:
        name, says = f"{family.name}{CLOSURES}", f"{family.description}; its lips are shut for p, b and m"
        models = (*family.models, *DEFAULT_CARD.models)
        cards.setdefault(name, FamilyCard(name, family.licence, says, models, another_use_of=family.name))
    return cards


@cache
def _installed() -> Mapping[str, FamilyCard]:
    """Our own, and those of other packages; one that cannot be loaded is told in the log and left out."""
    cards = {DEFAULT_CARD.name: DEFAULT_CARD}
    for point in sorted(entry_points(group=CARDS_GROUP), key=lambda each: each.name):
        try:
            card = point.load()
        except Exception:
            _log.exception("the family card %s of %s cannot be loaded", point.name, point.value)
            continue
        if not isinstance(card, FamilyCard) or card.name in cards:
            _log.error("the family card %s of %s is none, or its name is taken: left out", point.name, point.value)
            continue
        cards[card.name] = card
    return cards

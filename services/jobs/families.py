"""Names, licences and descriptions of the lip-sync families: what the doors show without loading any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FamilyCard:
    """What a user must know to choose a family."""

    name: str
    licence: str
    description: str


FAMILY_CARDS: Final[Mapping[str, FamilyCard]] = {
    card.name: card
    for card in (
        FamilyCard(
            name="default",
            licence="Apache-2.0",
            description="Chorus's own: moves the real mouth of the footage; free for any use, nothing to download",
        ),
    )
}

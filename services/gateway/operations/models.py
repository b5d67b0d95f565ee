"""The lip-sync methods of an installation as its admins see them, and the removal of those that were imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.acting import Role, deed, needs
from services.errors import ChorusError, ErrorKind
from services.gateway.operations.errands import ModelRepository
from services.gateway.operations.model_imports import ModelImports
from services.jobs.families import FamilyCard, family_cards
from services.jobs.imported import IMPORTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A family; what stands below `imported` is known of imported ones only."""

    name: str
    licence: str
    description: str
    engine: str
    """What computes it: library, device, precision; empty where it is not known"""
    imported: bool
    bytes: int | None = None
    imported_at: datetime | None = None
    recognised: str = ""
    container: str = ""
    """The form of the file that it came from"""
    sha256: str = ""
    """Of that file"""
    side: int | None = None
    """Pixels of its face pictures"""
    steps: int | None = None
    """Of 255, by which what is served differed at most from the net in the file"""


class Models:
    """Safe to share by threads."""

    def __init__(self, repository: ModelRepository, imports: ModelImports) -> None:
        self.imports = imports
        self._repository = repository

    @needs(Role.ADMIN)
    def list(self) -> Sequence[Model]:
        """All of them: Chorus's own and installed ones first, then those that were imported, by name.

        What comes and goes with one of them, as the same with lips that shut, is none by itself.
        """
        return [_model(card) for card in _cards().values()]

    @needs(Role.ADMIN)
    def get(self, name: str) -> Model:
        """One of them; NOT_FOUND when there is none."""
        card = _cards().get(name)
        if card is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "import-unknown", name=name)
        return _model(card)

    @needs(Role.ADMIN)
    def hindrance(self) -> ChorusError | None:
        """Why nothing can be imported or removed through this process; None when it can."""
        try:
            self._repository.check()
        except ChorusError as error:
            return error
        return None

    @deed("model.remove", Role.ADMIN)
    def remove(self, name: str) -> None:
        """Remove an imported family; jobs that still want it fail. NOT_FOUND when none of that name was imported."""
        self._repository.check()
        if IMPORTED.find(name) is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "import-unknown", name=name)
        self._repository.run("remove", name=name)


def _cards() -> Mapping[str, FamilyCard]:
    return {name: card for name, card in family_cards().items() if not card.another_use_of}


def _model(card: FamilyCard) -> Model:
    family = IMPORTED.find(card.name)
    shared: dict[str, Any] = {
        "name": card.name,
        "licence": card.licence,
        "description": card.description,
        "engine": card.engine,
    }
    if family is None:
        return Model(**shared, imported=False)
    size, seconds = IMPORTED.size_and_time(card.name)
    return Model(
        **shared,
        imported=True,
        bytes=size,
        imported_at=datetime.fromtimestamp(seconds, UTC),
        recognised=family.variant,
        container=family.container,
        sha256=family.source_sha256,
        side=family.side,
        steps=family.steps,
    )

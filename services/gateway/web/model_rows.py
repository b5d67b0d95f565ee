"""A model, and an import, in the lists of the models view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from services.errors import ErrorKind
from services.gateway.operations.import_rows import ImportState, ModelImport
from services.gateway.operations.models import Model
from services.gateway.web.formats import moment_text, size_text
from services.gateway.web.markup import Text, attribute, block, button, icon, icon_button
from services.gateway.web.open_page import OpenPage
from services.jobs.imported import RESEARCH_ONLY

Action = Callable[[str], Awaitable[None]]

_CHIPS: Final[Mapping[ImportState, tuple[str, str]]] = {
    ImportState.WAITING: ("chip-busy", "schedule"),
    ImportState.RUNNING: ("chip-busy", "hourglass_top"),
    ImportState.DONE: ("chip-good", "check_circle"),
    ImportState.FAILED: ("chip-bad", "error"),
    ImportState.CANCELLED: ("", "cancel"),
}


def model_row(page: OpenPage, model: Model, remove: Action) -> None:
    """Build a model's row; `remove` gets its name, where it was imported."""
    words = page.words
    facts = [words("models.imported") if model.imported else words("models.own"), model.engine]
    if model.bytes is not None:
        facts.append(size_text(model.bytes))
    if model.imported_at is not None:
        facts.append(moment_text(model.imported_at, page.visitor.minutes_ahead))
    with block("li", "media-row model-row"):
        with block("span", "thumb thumb-plain"):
            icon("deployed_code")
        with block("div", "media-main"):
            Text("div", model.name, "media-name")
            Text("div", model.description, "media-facts")
            Text("div", " · ".join(filter(None, facts)), "media-facts numbers")
        with block("div", "row-end"):
            research = model.licence == RESEARCH_ONLY
            with block("span", "chip chip-warn" if research else "chip"):
                icon("science" if research else "license")
                Text("span", words("models.research_only") if research else model.licence)
            if model.imported:
                label = words("models.remove_one", name=model.name)
                icon_button("delete", label, partial(remove, model.name))


def import_row(page: OpenPage, found: ModelImport, *, cancel: Action, again: Action) -> None:
    """Build an import's row; `cancel` gets its id, `again` its upload's, which is there after what may pass."""
    words = page.words
    name = f"{found.file_name} → {found.name}" if found.name else found.file_name
    with block("li", "media-row import-row"):
        with block("div", "media-main"):
            attribute(Text("div", name, "media-name"), "title", name)
            moment = moment_text(found.created_at, page.visitor.minutes_ahead)
            stage = words(f"models.stage_{found.stage}") if found.state is ImportState.RUNNING else moment
            Text("div", stage, "media-facts numbers")
            if found.error is not None:
                Text("div", words.failure(found.error), "media-facts bad")
        with block("div", "row-end"):
            look, symbol = _CHIPS[found.state]
            with block("span", f"chip {look}"):
                icon(symbol)
                Text("span", words(f"models.state_{found.state}"))
            if not found.has_ended:
                icon_button("close", words("models.cancel", name=found.file_name), partial(cancel, found.id))
            elif found.error is not None and found.error.kind is not ErrorKind.INVALID_INPUT:
                button(words("models.again"), partial(again, found.upload_id), symbol="refresh")

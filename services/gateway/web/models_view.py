"""The models of the installation, for admins: which there are, importing a file, removing one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from nicegui import ui

from services.errors import ChorusError
from services.gateway.operations.batches import Operations
from services.gateway.operations.import_rows import ModelImport
from services.gateway.operations.models import Model
from services.gateway.web.confirm import confirm
from services.gateway.web.drop_zone import DropZone
from services.gateway.web.formats import size_text
from services.gateway.web.markup import Text, block, button, empty, head, icon, icon_button, notice
from services.gateway.web.model_rows import import_row, model_row
from services.gateway.web.open_page import OpenPage, attempt
from services.library.resumable import ResumableUpload

DRAFT: Final = "import"
"""The kind of draft that keeps which upload is to be imported"""
_LOOK_SECONDS: Final = 1.0
_IMPORTS: Final = 10
_NAME_LETTERS: Final = 40
_LICENCE_LETTERS: Final = 80


class ModelsView:
    """Shows all models and the newest imports, and begins one."""

    def __init__(self, page: OpenPage) -> None:
        self._page = page
        self._say = say = page.words
        self._upload: ResumableUpload | None = None
        self._models: Sequence[Model] = ()
        self._imports: Sequence[ModelImport] | None = None
        self._updating = asyncio.Lock()
        ui.page_title(f"{say('models.title')} · Chorus")
        with block("div", "view view-wide"):
            head(say("models.title"), say("models.lead"))
            if not page.visitor.is_admin:
                with block("section", "card"):
                    empty("lock", say("models.of_admins"), say("models.of_admins_hint"))
                return
            self._hindrance = block("div")
            self._import_card = block("section", "card")
            with self._import_card:
                self._build_form()
            self._import_list = block("section", "card")
            with block("section", "card"):
                with block("div", "card-head"):
                    Text("h2", say("models.all"))
                self._model_list = block("ul", "media-list")
        self._import_card.set_visibility(False)
        self._import_list.set_visibility(False)
        page.on_upload = self._look_for_upload
        ui.timer(0, self._look_around, once=True)
        ui.timer(_LOOK_SECONDS, self.update)

    def _build_form(self) -> None:
        say = self._say
        with block("div", "card-head"):
            Text("h2", say("models.import"))
        Text("p", say("models.import_hint"), "muted")
        with block("div", "model-form"):
            self._name = ui.input(say("models.name"), placeholder=say("models.name_hint"))
            self._licence = ui.input(say("models.licence"), placeholder=say("models.research_only"))
            for field, letters in ((self._name, _NAME_LETTERS), (self._licence, _LICENCE_LETTERS)):
                field.props(f"outlined stack-label maxlength={letters}")
        self._chosen = block("ul", "media-list")
        self._zone = DropZone(self._page, "import", "model")
        with block("div", "dialog-actions"):
            self._begin = button(say("models.begin"), self._start, kind="primary", symbol="play_arrow")
        self._begin.disable()

    async def update(self) -> None:
        """Show what there is now; a slow look is not overtaken by the next."""
        if self._updating.locked():
            return
        async with self._updating:
            models, imports = await asyncio.to_thread(_look, self._page.operations)
            if models != self._models:
                self._models = models
                self._show_models()
            if imports != self._imports:
                self._imports = imports
                self._show_imports()

    async def _look_around(self) -> None:
        """What is looked at once: whether anything can be imported, and what was uploaded for it before."""
        hindrance = await asyncio.to_thread(self._page.operations.models.hindrance)
        if hindrance is not None:
            with self._hindrance:
                notice(self._page.words.failure(hindrance))
        self._import_card.set_visibility(hindrance is None)
        await self._look_for_upload()

    async def _look_for_upload(self) -> None:
        owner, operations = self._page.visitor.owner, self._page.operations
        chosen = await operations.drafts.load(owner, DRAFT)
        self._upload = await asyncio.to_thread(_find_upload, operations, str(chosen.get("upload_id", "")), owner)
        self._show_upload()

    def _show_upload(self) -> None:
        upload = self._upload
        self._chosen.clear()
        self._zone.set_visibility(upload is None)
        self._begin.set_enabled(upload is not None)
        if upload is None:
            return
        with self._chosen, block("li", "media-row"):
            with block("span", "thumb thumb-plain"):
                icon("deployed_code")
            with block("div", "media-main"):
                Text("div", upload.name, "media-name")
                Text("div", size_text(upload.length), "media-facts numbers")
            icon_button("close", self._say("media.remove", name=upload.name), self._discard)

    async def _start(self) -> None:
        if self._upload is None:
            return
        self._begin.disable()
        begun = await attempt(self._page, self._begin_import, self._upload.id)
        if begun is not None:
            # The import forgets the upload once it is done with it; after a failure that may pass it can be begun anew.
            self._upload = None
            self._page.operations.drafts.keep(self._page.visitor.owner, DRAFT, dict.clear)
            self._name.set_value("")
        self._show_upload()
        await self.update()

    def _begin_import(self, upload_id: str) -> ModelImport:
        return self._page.operations.models.imports.start(
            upload_id,
            owner=self._page.visitor.owner,
            name=str(self._name.value or "").strip(),
            licence=str(self._licence.value or "").strip(),
        )

    async def _discard(self) -> None:
        if self._upload is not None:
            await attempt(self._page, self._page.operations.uploads.delete, self._upload.id)
        self._page.operations.drafts.keep(self._page.visitor.owner, DRAFT, dict.clear)
        self._upload = None
        self._show_upload()

    def _show_models(self) -> None:
        self._model_list.clear()
        with self._model_list:
            for model in self._models:
                model_row(self._page, model, self._remove)

    def _show_imports(self) -> None:
        self._import_list.clear()
        self._import_list.set_visibility(bool(self._imports))
        with self._import_list:
            with block("div", "card-head"):
                Text("h2", self._say("models.imports"))
            with block("ul", "media-list").props("role=status"):
                for each in self._imports or ():
                    import_row(self._page, each, cancel=self._cancel, again=self._again)

    async def _cancel(self, import_id: str) -> None:
        await attempt(self._page, self._page.operations.models.imports.cancel, import_id)
        await self.update()

    async def _again(self, upload_id: str) -> None:
        """Put the upload of an import that failed back into the form, if it is still there."""
        owner = self._page.visitor.owner
        if await attempt(self._page, self._page.operations.uploads.get_model, upload_id, owner) is not None:
            self._page.operations.drafts.keep(owner, DRAFT, lambda chosen: chosen.update(upload_id=upload_id))
            await self._look_for_upload()

    async def _remove(self, name: str) -> None:
        say = self._say
        if await confirm(say, say("models.remove_title", name=name), say("models.remove_text"), say("models.remove")):
            await attempt(self._page, self._page.operations.models.remove, name)
            await self.update()


def _look(operations: Operations) -> tuple[Sequence[Model], Sequence[ModelImport]]:
    return operations.models.list(), operations.models.imports.list(limit=_IMPORTS)


def _find_upload(operations: Operations, upload_id: str, owner: str) -> ResumableUpload | None:
    with suppress(ChorusError):  # it has expired, or is imported already
        return operations.uploads.get_model(upload_id, owner)
    return None

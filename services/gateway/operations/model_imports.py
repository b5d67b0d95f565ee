"""Imports through a door: an upload becomes a family, one after the other, in a child with limits."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from services.acting import DONE, SYSTEM, Actor, Deed, Role, acting_as, current_actor, deed, needs
from services.errors import ChorusError, ErrorKind
from services.folders import make_folder
from services.gateway.operations.errands import ErrandCancelledError, ModelRepository
from services.gateway.operations.import_rows import ImportRows, ImportStage, ImportState, ModelImport
from services.jobs.families import family_cards
from services.jobs.imported import FAMILY_NAME, IMPORTED, RESEARCH_ONLY
from services.jobs.watching import Watch
from services.library.resumable import ResumableUpload, ResumableUploads
from services.storage import storage_error

_log = logging.getLogger(__name__)

_NAME: Final = re.compile(FAMILY_NAME)
# Each is a process of Triton's, whether somebody uses it or not.
_MOST_IMPORTED: Final = 50
_BUSY: Final = "import-busy"
_TOUCH_SECONDS: Final = 4.0


class ModelImports:
    """The imports of an installation; safe to share by threads.

    The process that was asked imports, one file at a time, and writes how far it is into the database, where all read
    it. When it dies, its imports have failed; the upload stays until it expires, so that another try needs no other.
    """

    def __init__(self, rows: ImportRows, uploads: ResumableUploads, repository: ModelRepository, scratch: Path) -> None:
        """`scratch` is a local folder, where a file lies while it is read."""
        self._rows = rows
        self._uploads = uploads
        self._repository = repository
        self._folder = scratch / "imports"
        self._watch = Watch(rows.find, lambda each: each.has_ended)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._stop = threading.Event()
        self._running: set[str] = set()
        threading.Thread(target=self._touch_until_stopped, name="import-heart", daemon=True).start()

    @deed("model.import", Role.ADMIN)
    def start(self, upload_id: str, *, owner: str, name: str = "", licence: str = "") -> ModelImport:
        """Begin to import a whole upload, as the family `name` or by default after its net; again: the same import.

        INVALID_INPUT for a name that cannot be one, CONFLICT for one in use or where nothing can be imported, FORBIDDEN
        where that is switched off.
        """
        self._repository.check()
        if name and not _NAME.fullmatch(name):
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-name-unusable", name=name)
        if name in family_cards():
            raise ChorusError(ErrorKind.CONFLICT, "import-name-taken", name=name)
        if len(IMPORTED.all()) >= _MOST_IMPORTED:
            raise ChorusError(ErrorKind.CONFLICT, "models-too-many", limit=_MOST_IMPORTED)
        upload = self._uploads.get_model(upload_id, owner)
        import_id, is_new = self._rows.insert(
            upload_id=upload_id, name=name, licence=licence or RESEARCH_ONLY, file_name=upload.name, owner=owner
        )
        if is_new:
            self._running.add(import_id)
            self._pool.submit(self._import, import_id, upload, current_actor())
        return self._rows.find(import_id)

    @needs(Role.ADMIN)
    def list(self, *, limit: int) -> Sequence[ModelImport]:
        """The newest ones first; what ended is kept for thirty days."""
        return self._rows.page(limit=limit)

    @needs(Role.ADMIN)
    def get(self, import_id: str) -> ModelImport:
        """One import; NOT_FOUND when there is none."""
        return self._rows.find(import_id)

    @needs(Role.ADMIN)
    def watch(self, import_id: str) -> AsyncIterator[ModelImport]:
        """The import now and after each change, until it has ended."""
        return self._watch.follow(import_id)

    @deed("model.import-cancel", Role.ADMIN)
    def cancel(self, import_id: str) -> ModelImport:
        """End an import, whichever process does it; CONFLICT when it has ended already."""
        if not self._rows.write(import_id, state=ImportState.CANCELLED):
            found = self._rows.find(import_id)
            raise ChorusError(ErrorKind.CONFLICT, "import-ended", name=found.file_name, state=found.state.value)
        return self._rows.find(import_id)

    def sweep(self) -> None:
        """Forget old imports, and remove what killed processes have left."""
        self._rows.sweep()
        self._sweep_files()
        self._repository.sweep()

    def close(self) -> None:
        """End what is under way; call it once, before the process ends."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        with suppress(ChorusError):  # a silent database: its rows grow old by themselves
            self._rows.leave()

    def _import(self, import_id: str, upload: ResumableUpload, actor: Actor) -> None:
        outcome, name = DONE, ""
        try:
            name = self._family_of(import_id, upload)
            if not self._rows.write(import_id, state=ImportState.DONE, name=name):
                # Somebody has cancelled it in its last moment.
                self._repository.run("remove", name=name)
                raise ErrandCancelledError
            self._forget(upload)
        except ErrandCancelledError:
            outcome = ImportState.CANCELLED.value
            self._repository.sweep()
        except ChorusError as error:
            outcome = error.code
            self._failed(import_id, upload, error)
        except Exception:
            _log.exception("the import of %s failed", upload.name)
            outcome = "service-failed"
            self._failed(import_id, upload, ChorusError(ErrorKind.INTERNAL, "import-broke-off"))
        finally:
            self._running.discard(import_id)
        actor.record(actor, Deed(action="model.imported", thing=name or import_id, detail=upload.name, outcome=outcome))

    def _family_of(self, import_id: str, upload: ResumableUpload) -> str:
        """The name of the family that was made; ErrandCancelledError when somebody does not want it any more."""

        def keep_on(stage: str) -> bool:
            at = {"stage": ImportStage(stage)} if stage else {}
            return not self._stop.is_set() and self._rows.write(import_id, state=ImportState.RUNNING, **at)

        wanted = self._rows.find(import_id)
        if wanted.has_ended or not keep_on(ImportStage.RECEIVING):
            raise ErrandCancelledError
        with self._fetched(import_id, upload) as path:
            while True:
                # Another api, or the command line, is at work in the folder: it has an end.
                while self._repository.is_busy():
                    if self._stop.wait(1) or not keep_on(""):
                        raise ErrandCancelledError
                try:
                    made = self._repository.run(
                        "import",
                        keep_on,
                        name=wanted.name or None,
                        licence=wanted.licence,
                        path=str(path),
                        called=upload.name,
                        taken=list(family_cards()),
                    )
                    return str(made["name"])
                except ChorusError as error:
                    if error.code != _BUSY:  # somebody was quicker
                        raise

    @contextmanager
    def _fetched(self, import_id: str, upload: ResumableUpload) -> Iterator[Path]:
        """The upload as one file for the time of the block."""
        make_folder(self._folder, private=True)
        self._sweep_files()
        path = self._folder / import_id
        try:
            with path.open("wb") as file:
                for piece in self._uploads.read(upload.id):
                    file.write(piece)
                    if self._stop.is_set():
                        raise ErrandCancelledError
            yield path
        except OSError as error:
            raise storage_error(error, upload.name) from error
        finally:
            path.unlink(missing_ok=True)

    def _sweep_files(self) -> None:
        files, unfinished = list(self._folder.glob("*")), self._rows.unfinished()
        for path in files:
            if path.name not in unfinished:
                path.unlink(missing_ok=True)

    def _failed(self, import_id: str, upload: ResumableUpload, error: ChorusError) -> None:
        _log.info("%s is not imported: %s", upload.name, error)
        with suppress(ChorusError):
            self._rows.fail(import_id, error)
        if error.kind is ErrorKind.INVALID_INPUT:
            self._forget(upload)
        elif error.kind is ErrorKind.INTERNAL:
            self._repository.sweep()

    def _forget(self, upload: ResumableUpload) -> None:
        # The import's own doing, and no deed of somebody's.
        with acting_as(SYSTEM), suppress(ChorusError):  # it expires by itself
            self._uploads.delete(upload.id)

    def _touch_until_stopped(self) -> None:
        while not self._stop.wait(_TOUCH_SECONDS):
            if self._running:
                with suppress(ChorusError):
                    self._rows.touch()

"""How a file becomes a media of the library: received, looked into, stored."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Final, Protocol

from services import telemetry
from services.acting import Role, deed, needs
from services.folders import make_folder
from services.jobs.owners import owner_shown
from services.library.incoming import IncomingFile
from services.library.keys import INCOMING, new_incoming_key
from services.library.limits import Limits
from services.library.media import Media, MediaLibrary
from services.library.quotas import Quotas
from services.library.room import Room
from services.preprocess.look import Probed
from services.storage import Storage

_log = logging.getLogger(__name__)

_STALE_SECONDS: Final = 24 * 3600.0


class Prober(Protocol):
    """Who looks into files: preprocess."""

    def probe(self, key: str, *, name: str) -> Probed:
        """What the stored file under `key` is; see LookClient."""


class Intake:
    """The library's entrance; safe to share by threads."""

    def __init__(
        self,
        media: MediaLibrary,
        storage: Storage,
        prober: Prober,
        limits: Limits,
        scratch: Path,
        quotas: Quotas,
        room: Room,
    ) -> None:
        """`scratch` is a local folder, where files lie while they arrive."""
        self.limits = limits
        self._media = media
        self._storage = storage
        self._prober = prober
        self.quotas = quotas
        self.room = room
        self._folder = scratch / "uploads"
        make_folder(self._folder)

    @needs(Role.MAKER)
    def receive(self, name: str) -> IncomingFile:
        """Begin to receive a file; use it in a `with` block and hand it to `create`."""
        return IncomingFile(self._folder, name, self.limits.max_upload_bytes, self.room)

    @deed("media.upload")
    def create(self, incoming: IncomingFile, *, owner: str = "") -> Media:
        """Look into a received file, store it, and give it an id; refused files leave nothing behind.

        What is stored and known already is neither stored nor looked into again.
        """
        incoming.finish()
        self.quotas.check_upload(owner, incoming.name, incoming.size, unfinished=False)
        media = self._create_again(incoming, owner) or self._create_new(incoming, owner)
        telemetry.upload_received(owner_shown(owner), media.bytes)
        _log.info(
            "received %s (%s, %.2f s, %d bytes) as %s", media.name, media.kind, media.seconds, media.bytes, media.id
        )
        return media

    def _create_again(self, incoming: IncomingFile, owner: str) -> Media | None:
        known = self._media.known(incoming.sha256)
        if known is None:
            return None
        self.limits.check_length(incoming.name, known.seconds)
        return self._media.add_again(known, incoming.name, owner=owner)

    def _create_new(self, incoming: IncomingFile, owner: str) -> Media:
        self.room.check_copy(incoming.name, incoming.size)
        key = new_incoming_key()
        try:
            self._storage.put_file(key, incoming.path)
            probed = self._prober.probe(key, name=incoming.name)
            self.limits.check_length(incoming.name, probed.facts.seconds)
            return self._media.add(probed, incoming, key=key, owner=owner)
        finally:
            self._storage.delete(key)

    def sweep(self) -> None:
        """Remove what killed processes left behind while they received."""
        for key in self._storage.older(INCOMING, _STALE_SECONDS):
            self._storage.delete(key)
        oldest = time.time() - _STALE_SECONDS
        for entry in os.scandir(self._folder):
            if entry.stat().st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)

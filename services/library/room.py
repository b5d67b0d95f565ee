"""Whether there is room for something new: below a mark nothing more is taken, so that what runs can go on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.jobs.watching import Watch
from services.library.incoming import size_shown
from services.storage import Storage, storage_error

_SCRATCH: Final = "scratch"
_STORE: Final = "store"


class Room:
    """The disks of this process: its scratch folder, and the store where that is a folder; safe to share by threads."""

    def __init__(self, storage: Storage, scratch: Path, least_bytes: int) -> None:
        """`least_bytes` stay free of what is new; 0: only what cannot fit is refused."""
        self.least_bytes = least_bytes
        self._storage = storage
        self._scratch = scratch
        self._is_one_disk = storage.shares_disk(scratch)
        self._free = Watch(lambda _: self._measure(), lambda _: False)

    def is_low(self) -> bool:
        """True while nothing new is taken."""
        return self.free() < self.least_bytes

    def free(self) -> int:
        """Bytes that are free where the least is."""
        return min(self._look().values())

    def check(self, name: str = "", *, scratch: int = 0, store: int = 0) -> None:
        """STORAGE_FULL when too little is free, or would be once so many bytes of `name` lie in either place.

        What is free was looked up a second ago at most. On one disk a file that came in whole lies in both places once.
        """
        for place, size in ((_SCRATCH, scratch), (_STORE, store)):
            free = self._look().get(place)
            if free is None:
                continue
            if free < self.least_bytes:
                raise ChorusError(
                    ErrorKind.STORAGE_FULL, "disk-low", free=size_shown(free), least=size_shown(self.least_bytes)
                )
            if free < size:
                raise ChorusError(ErrorKind.STORAGE_FULL, "storage-full", name=name)
            if free - size < self.least_bytes:
                raise ChorusError(
                    ErrorKind.STORAGE_FULL,
                    "disk-too-small",
                    name=name,
                    size=size_shown(size),
                    free=size_shown(free),
                    least=size_shown(self.least_bytes),
                )

    def check_copy(self, name: str, size: int) -> None:
        """The same for a file in the scratch folder that the store is to get: on another disk it takes its size."""
        if not self._is_one_disk:
            self.check(name, store=size)

    def _look(self) -> Mapping[str, int]:
        return self._free.look("")

    def _measure(self) -> Mapping[str, int]:
        try:
            found = {_STORE: self._storage.free(), _SCRATCH: shutil.disk_usage(self._scratch).free}
        except OSError as error:
            raise storage_error(error, str(self._scratch)) from error
        return {place: free for place, free in found.items() if free is not None}

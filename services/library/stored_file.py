"""What the doors need to know of a file to serve it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.errors import ChorusError, ErrorKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of the store: what a door needs to serve it."""

    key: str
    name: str
    bytes: int
    media_type: str
    version: str
    """Changes when the bytes under the key may have changed"""
    modified_at: datetime

    def check_offset(self, offset: int) -> None:
        """INVALID_INPUT when no byte can be sent from `offset` on; the very end is fine, for whoever has all of it."""
        if offset > self.bytes:
            raise ChorusError(
                ErrorKind.INVALID_INPUT, "offset-too-large", name=self.name, bytes=self.bytes, offset=offset
            )

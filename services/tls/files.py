"""PEM files that change under a running process: read together, checked, and read again when one of them changes."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from services.errors import ChorusError, ErrorKind

_log = logging.getLogger(__name__)

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Pems:
    """What stands in the files; None for those that there are not."""

    certificate: bytes | None
    key: bytes | None
    authorities: bytes | None


def read_pems(certificate: Path | None, key: Path | None, authorities: Path | None) -> Pems:
    """The files' content, of one moment; OSError or ValueError when it is no certificate, or the key is of another."""
    pems = _read(certificate, key, authorities)
    # gRPC would notice what is wrong with them only at the first connection, and tell nobody.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        context.load_cert_chain(certificate, key, password="")  # without one it would ask at the terminal
    if authorities is not None:
        context.load_verify_locations(authorities)
    if _read(certificate, key, authorities) != pems:
        raise ValueError("it changed while it was read")
    return pems


class FileMade(Generic[Made]):
    """Something made of files, and made again when one of them changes; safe to share by threads.

    A file also changes when a symbolic link on its path is given another target, as Kubernetes does it.
    """

    def __init__(self, files: Sequence[Path], make: Callable[[], Made]) -> None:
        """INVALID_INPUT when `make` raises OSError or ValueError now; later it is logged, and what was made stays."""
        self._files = tuple(files)
        self._make = make
        self._lock = threading.Lock()
        self._seen = self._look()
        try:
            self._made = make()
        except (OSError, ValueError) as error:
            raise ChorusError(ErrorKind.INVALID_INPUT, "tls-unusable", files=self._names, reason=str(error)) from error

    def current(self) -> Made:
        """What the files give as they are now."""
        with self._lock:
            seen = self._look()
            if seen != self._seen:
                self._make_again()
                # As it was before they were read: what changed meanwhile is seen the next time.
                self._seen = seen
            return self._made

    def _make_again(self) -> None:
        try:
            self._made = self._make()
        except (OSError, ValueError) as error:
            _log.warning("%s cannot be used, what was read before stays: %s", self._names, error)
        else:
            _log.info("%s changed and was read again", self._names)

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in self._files]

    @property
    def _names(self) -> str:
        return ", ".join(map(str, self._files))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(certificate: Path | None, key: Path | None, authorities: Path | None) -> Pems:
    return Pems(*(None if path is None else path.read_bytes() for path in (certificate, key, authorities)))

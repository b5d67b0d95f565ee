"""Who may log in: a file of names and argon2 hashes, one a line, written by `chorus user`."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.errors import ChorusError, ErrorKind
from services.folders import folder_error, make_folder
from services.jobs.owners import ANONYMOUS_PREFIX

_NAME: Final = re.compile(r"[\w.@+-]{1,64}")
_SHORTEST_PASSWORD: Final = 8
# One check takes 64 MiB for some 50 ms.
_CHECKS_AT_ONCE: Final = 2


class Accounts:
    """The users of one file, which may change while we run; safe to share by threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hasher = PasswordHasher()
        self._checks = threading.Semaphore(_CHECKS_AT_ONCE)
        # Checked for names that nobody has, so that the answer takes as long as for one that somebody has.
        self._nobody = self._hasher.hash(os.urandom(16).hex())

    def names(self) -> list[str]:
        """Everybody who may log in."""
        return sorted(self._read())

    def verify(self, name: str, password: str) -> bool:
        """True when the password is that user's."""
        found = self._read().get(name)
        with self._checks:
            try:
                self._hasher.verify(found or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
        return found is not None

    def fingerprint(self, name: str) -> str | None:
        """Changes with the password; None for nobody's name."""
        found = self._read().get(name)
        return None if found is None else hashlib.sha256(found.encode()).hexdigest()[:16]

    def put(self, name: str, password: str) -> None:
        """Add a user, or give them another password; INVALID_INPUT for odd names and short passwords."""
        if not _NAME.fullmatch(name) or name.startswith(ANONYMOUS_PREFIX):
            raise ChorusError(ErrorKind.INVALID_INPUT, "user-name-unusable", name=name)
        if len(password) < _SHORTEST_PASSWORD:
            raise ChorusError(ErrorKind.INVALID_INPUT, "password-too-short", least=_SHORTEST_PASSWORD)
        self._write({**self._read(), name: self._hasher.hash(password)})

    def remove(self, name: str) -> None:
        """Take a user out, whose sessions end with that; NOT_FOUND when there is none of that name."""
        users = self._read()
        if name not in users:
            raise ChorusError(ErrorKind.NOT_FOUND, "user-unknown", name=name, file=str(self._path))
        self._write({each: hashed for each, hashed in users.items() if each != name})

    def _read(self) -> dict[str, str]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ChorusError(
                ErrorKind.UNAVAILABLE, "users-unreadable", file=str(self._path), reason=str(error)
            ) from error
        pairs = (line.strip().split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
        return {name: hashed for name, hashed in pairs}  # noqa: C416  # says what the two are

    def _write(self, users: Mapping[str, str]) -> None:
        folder = self._path.parent
        if not folder.exists():
            make_folder(folder, private=True)
        try:
            # Made with mode 0600.
            with NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as draft:
                draft.writelines(f"{name}:{hashed}\n" for name, hashed in sorted(users.items()))
            Path(draft.name).replace(self._path)
        except OSError as error:
            raise folder_error(folder, error) from error

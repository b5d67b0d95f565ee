"""Who may log in: a file of names, argon2 hashes and roles, one user a line, written by `chorus user`."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.acting import Role
from services.errors import ChorusError, ErrorKind
from services.folders import folder_error, make_folder
from services.jobs.owners import ANONYMOUS_PREFIX

_NAME: Final = re.compile(r"[\w.@+-]{1,64}")
_SHORTEST_PASSWORD: Final = 8
# One check takes 64 MiB for some 50 ms.
_CHECKS_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class _User:
    """A line of the file without its name."""

    hashed: str
    role: Role

    @classmethod
    def parse(cls, text: str) -> _User:
        """Lines of older releases have no role: whoever could log in then could do everything."""
        hashed, _, role = text.partition(":")
        try:
            return cls(hashed, Role(role or Role.ADMIN))
        except ValueError:  # of a newer release, or mistyped
            return cls(hashed, Role.VIEWER)


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

    def roles(self) -> dict[str, Role]:
        """What everybody may do, by name."""
        return {name: user.role for name, user in sorted(self._read().items())}

    def role(self, name: str) -> Role | None:
        """What a user may do; None for nobody's name."""
        found = self._read().get(name)
        return None if found is None else found.role

    def verify(self, name: str, password: str) -> bool:
        """True when the password is that user's."""
        found = self._read().get(name)
        with self._checks:
            try:
                self._hasher.verify(self._nobody if found is None else found.hashed, password)
            except (VerificationError, InvalidHashError):
                return False
        return found is not None

    def fingerprint(self, name: str) -> str | None:
        """Changes with the password and the role; None for nobody's name."""
        found = self._read().get(name)
        return None if found is None else hashlib.sha256(f"{found.hashed}:{found.role}".encode()).hexdigest()[:16]

    def put(self, name: str, password: str, role: Role | None = None) -> Role:
        """Add a user, or give them another password; INVALID_INPUT for odd names and short passwords.

        Returns their role: the one given, else the one they have, else maker, and admin for the very first user.
        """
        if not _NAME.fullmatch(name) or name.startswith(ANONYMOUS_PREFIX):
            raise ChorusError(ErrorKind.INVALID_INPUT, "user-name-unusable", name=name)
        if len(password) < _SHORTEST_PASSWORD:
            raise ChorusError(ErrorKind.INVALID_INPUT, "password-too-short", least=_SHORTEST_PASSWORD)
        users = self._read()
        if role is None:
            role = users[name].role if name in users else Role.MAKER if users else Role.ADMIN
        self._write({**users, name: _User(self._hasher.hash(password), role)})
        return role

    def give_role(self, name: str, role: Role) -> None:
        """Let a user do more or less, whose sessions end with that; NOT_FOUND when there is none of that name."""
        users = self._require(name)
        self._write({**users, name: replace(users[name], role=role)})

    def remove(self, name: str) -> None:
        """Take a user out, whose sessions end with that; NOT_FOUND when there is none of that name."""
        users = self._require(name)
        self._write({each: user for each, user in users.items() if each != name})

    def _require(self, name: str) -> dict[str, _User]:
        users = self._read()
        if name not in users:
            raise ChorusError(ErrorKind.NOT_FOUND, "user-unknown", name=name, file=str(self._path))
        return users

    def _read(self) -> dict[str, _User]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ChorusError(
                ErrorKind.UNAVAILABLE, "users-unreadable", file=str(self._path), reason=str(error)
            ) from error
        pairs = (line.strip().split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
        return {name: _User.parse(rest) for name, rest in pairs}

    def _write(self, users: Mapping[str, _User]) -> None:
        folder = self._path.parent
        if not folder.exists():
            make_folder(folder, private=True)
        try:
            # Made with mode 0600.
            with NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as draft:
                draft.writelines(f"{name}:{user.hashed}:{user.role}\n" for name, user in sorted(users.items()))
            Path(draft.name).replace(self._path)
        except OSError as error:
            raise folder_error(folder, error) from error

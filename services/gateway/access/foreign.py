"""People who log in at another provider: what is taken for their name and their role, and what they come with."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import quote, unquote

from services.acting import Role
from services.errors import ChorusError, ErrorKind
from services.jobs.owners import ANONYMOUS_PREFIX

_NAME: Final = re.compile(r"[\w.@+-]{1,64}")
_ANYBODY: Final = "*"
_MARK: Final = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is by the word of a provider."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A login under way: random words that only this browser and we know, and where it wanted to go."""

    state: str = field(default_factory=lambda: token_urlsafe(32))
    nonce: str = field(default_factory=lambda: token_urlsafe(32))
    verifier: str = field(default_factory=lambda: token_urlsafe(48))
    next: str = "/"

    def to_cookie(self) -> str:
        """As the value of a cookie."""
        return ".".join((self.state, self.nonce, self.verifier, quote(self.next, safe="").replace(".", "%2E")))

    @classmethod
    def from_cookie(cls, value: str) -> Attempt | None:
        """The inverse; None for anything else."""
        parts = value.split(".")
        if len(parts) != 4 or not all(parts):
            return None
        return cls(state=parts[0], nonce=parts[1], verifier=parts[2], next=unquote(parts[3]))


class Provider(ABC):
    """Where people log in who have no password here."""

    @abstractmethod
    async def address(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where the browser goes to log in."""

    @abstractmethod
    async def identify(self, attempt: Attempt, redirect_uri: str, code: str) -> Identity:
        """Who has logged in, by the code that the browser brought back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRules:
    """Whom an installation lets in on a provider's word, and as what."""

    issuer: str
    client_id: str
    name_claim: str
    role_claim: str
    """Where their groups or roles stand; points lead further in, as in realm_access.roles"""
    roles: Sequence[tuple[Role, str]]
    """Which value gives which role; `*`: everybody whom the provider knows"""

    @property
    def fingerprint(self) -> str:
        """Changes with the rules: logins by others are over."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def identity(self, claims: Mapping[str, Any]) -> Identity:
        """Who that is; UNAUTHENTICATED without a usable name, FORBIDDEN without a role."""
        name = _find(claims, self.name_claim)
        is_unproven = self.name_claim == "email" and claims.get("email_verified") is False
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith(ANONYMOUS_PREFIX) or is_unproven:
            raise ChorusError(ErrorKind.UNAUTHENTICATED, "oidc-refused", reason=self.name_claim)
        found = _find(claims, self.role_claim)
        values = {found} if isinstance(found, str) else {each for each in found or () if isinstance(each, str)}
        given = [role for role, value in self.roles if value == _ANYBODY or value in values]
        if not given:
            raise ChorusError(ErrorKind.FORBIDDEN, "oidc-no-role", name=name)
        return Identity(name=name, role=max(given, key=list(Role).index))


def foreign_proof(fingerprint: str, role: Role) -> str:
    """What the session of somebody is kept with who was let in by those rules."""
    return f"{_MARK}:{fingerprint}:{role}"


def foreign_role(proof: str, fingerprint: str | None) -> Role | None:
    """The role in such a proof; None for other proofs, and for those of other rules."""
    mark, _, rest = proof.partition(":")
    rules, _, role = rest.partition(":")
    return Role(role) if mark == _MARK and fingerprint is not None and rules == fingerprint else None


def _find(claims: Mapping[str, Any], path: str) -> Any:
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found

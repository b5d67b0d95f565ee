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
_LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
# How old a logout may be: as long its token is remembered, so that it counts once, however late it says that it ends.
_LOGOUT_SECONDS: Final = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who somebody is by the word of a provider."""

    name: str
    role: Role
    subject: str = ""
    """What the provider calls them, for ever; their name may change"""
    sid: str = ""
    """What it calls this login of theirs; empty where it has no word for that"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedLogin:
    """What a provider tells of somebody who has logged out there."""

    subject: str
    """Who; may be empty where `sid` is not"""
    sid: str
    """Which of their logins; empty: all"""
    token_id: str
    """No other word of the provider has it: each counts once"""
    until: float
    """From then on the word would be refused as too old anyway; seconds since 1970"""


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

    @abstractmethod
    async def ended(self, logout_token: str) -> EndedLogin:
        """Who has logged out there, by a token that the provider has sent."""


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
        role = max(given, key=list(Role).index)
        return Identity(name=name, role=role, subject=_text(claims, "sub"), sid=_text(claims, "sid"))


def ended_login(claims: Mapping[str, Any], now: float) -> EndedLogin:
    """What the claims of a logout token say, of which signature, issuer, audience and end are known to be right.

    UNAUTHENTICATED for a token of another kind, as one of a login, for an old one, and for one that names nobody.
    OpenID Connect Back-Channel Logout 1.0, section 2.6.
    """
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(_LOGOUT_EVENT), Mapping):
        raise refused_logout("events")
    if "nonce" in claims:
        raise refused_logout("nonce")
    until = claims["iat"] + _LOGOUT_SECONDS
    if until <= now:
        raise refused_logout("iat")
    subject, sid, token_id = (_text(claims, name) for name in ("sub", "sid", "jti"))
    if not (subject or sid):
        raise refused_logout("sub, sid")
    if not token_id:
        raise refused_logout("jti")
    return EndedLogin(subject=subject, sid=sid, token_id=token_id, until=until)


def refused_logout(reason: str) -> ChorusError:
    """The refusal of a token that shall end a login."""
    return ChorusError(ErrorKind.UNAUTHENTICATED, "oidc-logout-refused", reason=reason)


def foreign_proof(fingerprint: str, role: Role) -> str:
    """What the session of somebody is kept with who was let in by those rules."""
    return f"{_MARK}:{fingerprint}:{role}"


def foreign_role(proof: str, fingerprint: str | None) -> Role | None:
    """The role in such a proof; None for other proofs, and for those of other rules."""
    mark, _, rest = proof.partition(":")
    rules, _, role = rest.partition(":")
    return Role(role) if mark == _MARK and fingerprint is not None and rules == fingerprint else None


def _text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    return found if isinstance(found, str) else ""


def _find(claims: Mapping[str, Any], path: str) -> Any:
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found

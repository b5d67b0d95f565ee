"""Who makes a request: a colleague with a login, a browser without one, or a program."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from services.acting import Role
from services.jobs.owners import ANONYMOUS_PREFIX, owner_shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whom uploads and batches belong to; everybody who may call sees everything, but their own first."""

    owner: str = ""
    """A login name, or anon-... for a browser without one, or "" for a program"""
    name: str | None = None
    """The login name, where there are accounts"""
    role: Role = Role.ADMIN
    """What they may do: everything with the token, or where nobody has to log in"""
    is_stranger: bool = False
    """True for somebody who still has to log in, and may do nothing else"""
    session: str = field(default="", compare=False)
    """The id of their session, which may be ended at any time; empty for whoever has none"""

    @property
    def title(self) -> str:
        """Who this is in the audit log."""
        return self.owner or owner_shown(self.owner)


def new_anonymous() -> str:
    """An owner for a browser that has none yet."""
    return f"{ANONYMOUS_PREFIX}{uuid.uuid4().hex}"


def is_anonymous(owner: str) -> bool:
    """True for what new_anonymous makes."""
    digits = owner.removeprefix(ANONYMOUS_PREFIX)
    return owner != digits and len(digits) == 32 and set(digits) <= set("0123456789abcdef")

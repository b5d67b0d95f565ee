"""Whom uploads and batches belong to: a login name, token:NAME, anon-... for a browser without, "" for a program."""

from __future__ import annotations

from typing import Final

ANONYMOUS_PREFIX: Final = "anon-"
PROGRAM_PREFIX: Final = "token:"


def owner_shown(owner: str) -> str:
    """The owner as metrics name it: a login, or "(anonymous)" or "(program)", which no login can be called."""
    if owner == "":
        return "(program)"
    return "(anonymous)" if owner.startswith(ANONYMOUS_PREFIX) else owner

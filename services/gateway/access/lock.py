"""The lock of an installation, by its settings: none on loopback unless asked for, one always on the network."""

from __future__ import annotations

import logging
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.gateway.access.accounts import Accounts
from services.gateway.access.gate import Gate
from services.gateway.access.sessions import Sessions
from services.gateway.operations.audit import AuditLog
from services.gateway.operations.counts import SharedCounts
from services.gateway.operations.session_rows import SessionRows
from services.gateway.settings import GatewaySettings, is_loopback

_log = logging.getLogger(__name__)

_SHORTEST_TOKEN: Final = 16


def check_lock(settings: GatewaySettings) -> None:
    """Refuse to open Chorus to the network without a lock, and say what the lock is."""
    token = settings.token.get_secret_value()
    users = [] if settings.users is None else Accounts(settings.users).names()
    if token and len(token) < _SHORTEST_TOKEN:
        raise ChorusError(ErrorKind.INVALID_INPUT, "token-too-short", least=_SHORTEST_TOKEN)
    if settings.users is not None and not users and not token:
        raise ChorusError(ErrorKind.INVALID_INPUT, "no-users", file=str(settings.users))
    if is_loopback(settings.host) or users or token:
        lock = f"{len(users)} users may log in" if settings.users is not None else "no accounts"
        _log.info("listening on %s: %s, %s", settings.host, lock, "a token is set" if token else "no token")
        return
    raise ChorusError(ErrorKind.INVALID_INPUT, "lock-needed", host=settings.host)


def build_gate(
    settings: GatewaySettings, sessions: SessionRows, audit: AuditLog, requests: SharedCounts, logins: SharedCounts
) -> Gate:
    """The rules for who may come in, with counts of what was asked and tried lately."""
    accounts = None if settings.users is None else Accounts(settings.users)
    token = settings.token.get_secret_value()
    return Gate(
        accounts=accounts,
        token=token,
        sessions=Sessions(sessions, accounts, token),
        is_local=is_loopback(settings.host),
        hosts=settings.allowed_hosts,
        requests_per_minute=settings.requests_per_minute,
        requests=requests,
        logins=logins,
        record=audit.record,
        sees_all=settings.visibility == "all",
    )

"""The lock of an installation, by its settings: none on loopback unless asked for, one always on the network."""

from __future__ import annotations

import logging
from typing import Final

from services.acting import Role
from services.errors import ChorusError, ErrorKind
from services.gateway.access.accounts import Accounts
from services.gateway.access.foreign import Provider, ProviderRules
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
    if settings.users is not None and not (users or token or settings.oidc_issuer):
        raise ChorusError(ErrorKind.INVALID_INPUT, "no-users", file=str(settings.users))
    if is_loopback(settings.host) or users or token or settings.oidc_issuer:
        lock = f"{len(users)} users may log in" if settings.users is not None else "no accounts"
        further = "a token is set" if token else "no token"
        _log.info("listening on %s: %s, %s, %s", settings.host, lock, further, settings.oidc_issuer or "no provider")
        return
    raise ChorusError(ErrorKind.INVALID_INPUT, "lock-needed", host=settings.host)


def build_gate(
    settings: GatewaySettings, sessions: SessionRows, audit: AuditLog, requests: SharedCounts, logins: SharedCounts
) -> Gate:
    """The rules for who may come in, with counts of what was asked and tried lately."""
    accounts = None if settings.users is None else Accounts(settings.users)
    token, rules = settings.token.get_secret_value(), _provider_rules(settings)
    return Gate(
        accounts=accounts,
        token=token,
        sessions=Sessions(sessions, accounts, token, rules),
        is_local=is_loopback(settings.host),
        hosts=settings.allowed_hosts,
        requests_per_minute=settings.requests_per_minute,
        requests=requests,
        logins=logins,
        record=audit.record,
        sees_all=settings.visibility == "all",
        provider=None if rules is None else _open_provider(rules, settings.oidc_client_secret.get_secret_value()),
    )


def _provider_rules(settings: GatewaySettings) -> ProviderRules | None:
    if not settings.oidc_issuer:
        return None
    return ProviderRules(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        name_claim=settings.oidc_name_claim,
        role_claim=settings.oidc_role_claim,
        roles=[(Role(role), value) for role, _, value in (each.partition("=") for each in settings.oidc_roles)],
    )


def _open_provider(rules: ProviderRules, client_secret: str) -> Provider:
    # Its libraries are an extra, which nobody needs who has no provider.
    try:
        from services.gateway.access.oidc import OidcProvider
    except ImportError as error:
        raise ChorusError(ErrorKind.UNAVAILABLE, "oidc-not-installed", reason=str(error)) from error
    return OidcProvider(rules, client_secret)

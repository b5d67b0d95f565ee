"""Who may come in: hosts, origins, tokens, sessions and rates, as decisions on the headers of a request."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from services.errors import ChorusError, ErrorKind
from services.gateway.access.accounts import Accounts
from services.gateway.access.caller import Caller, is_anonymous
from services.gateway.operations.counts import SharedCounts
from services.threaded import Desk

SESSION_COOKIE: Final = "chorus_session"
OWNER_COOKIE: Final = "chorus_owner"
SESSION_SECONDS: Final = 7 * 24 * 3600
_LOGINS_PER_MINUTE: Final = 10
_MINUTE: Final = 60
_LOGINS_AT_ONCE: Final = 2
_LOGINS_WAITING: Final = 50
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Gate:
    """The rules of one installation; safe to share by threads."""

    def __init__(
        self,
        *,
        accounts: Accounts | None,
        token: str,
        session_key: str,
        is_local: bool,
        hosts: Sequence[str] = (),
        requests_per_minute: int,
        requests: SharedCounts,
        logins: SharedCounts,
    ) -> None:
        """`token` may be empty, as may `accounts` be None: without both everybody who reaches us may come in.

        `is_local`: we listen on loopback, so that no name but localhost can mean us, and `hosts` beside it.
        """
        self._accounts = accounts
        self._token = token
        self._sessions = URLSafeTimedSerializer(session_key, salt="chorus session")
        self._is_local = is_local
        self._hosts = frozenset(hosts)
        self._requests_per_minute = requests_per_minute
        self._requests = requests
        self._logins = logins
        self._desk = Desk("login", _LOGINS_AT_ONCE, _LOGINS_WAITING, _too_many_logins)

    @property
    def is_locked(self) -> bool:
        """True when nobody comes in without a login or the token."""
        return self._accounts is not None or bool(self._token)

    @property
    def has_accounts(self) -> bool:
        """True when a login takes a name; else it takes the token alone."""
        return self._accounts is not None

    def check_host(self, host: str) -> None:
        """FORBIDDEN for a name that cannot be ours: a web page elsewhere that made its own name point to us."""
        name = _host_name(host)
        if name is None:
            raise ChorusError(ErrorKind.FORBIDDEN, "host-unknown", host=host)
        if name in self._hosts or (not self._is_local and not self._hosts):
            return
        if not (name == "localhost" or _is_address(name)):
            raise ChorusError(ErrorKind.FORBIDDEN, "host-unknown", host=name)

    def check_origin(self, method: str, host: str, origin: str | None, fetch_site: str | None) -> None:
        """FORBIDDEN for a request that a page of another origin has made; programs send neither header."""
        if method in _SAFE_METHODS:
            return
        if fetch_site is not None:
            is_ours = fetch_site in ("same-origin", "none")
        else:
            is_ours = origin is None or _origin_host(origin) in {host, *self._hosts}
        if not is_ours:
            raise ChorusError(ErrorKind.FORBIDDEN, "foreign-origin")

    def check_rate(self, client: str) -> None:
        """OVERLOADED when a client asks too often."""
        if not self._requests.hit(f"request {client}", self._requests_per_minute, _MINUTE):
            raise ChorusError(ErrorKind.OVERLOADED, "too-many-requests")

    def caller(self, authorization: str, session: str, owner: str) -> Caller | None:
        """Whoever shows the bearer token, a session, or is a browser of an installation without a lock; else None."""
        kind, _, shown = authorization.partition(" ")
        if kind.lower() == "bearer" and self.accepts_token(shown.strip()):
            return Caller()
        anonymous = owner if is_anonymous(owner) else ""
        name = self._read_session(session)
        if name:
            return Caller(owner=name, name=name)
        return Caller(owner=anonymous) if name == "" or not self.is_locked else None

    def accepts_token(self, shown: str) -> bool:
        """True for the installation's token."""
        return bool(self._token) and hmac.compare_digest(shown.encode(), self._token.encode())

    async def open_session(self, name: str, password: str, client: str) -> str:
        """As log_in, in threads that nothing else waits for: neither a crowd that logs in nor one that does not."""
        return await self._desk.run(self.log_in, name, password, client)

    def log_in(self, name: str, password: str, client: str) -> str:
        """A new session; UNAUTHENTICATED when name or password is wrong, OVERLOADED after too many tries.

        An empty name with the token as password is a login too: where there are no accounts, it is the only one.
        """
        for key in (f"login from {client}", f"login as {name}"):
            if not self._logins.hit(key, _LOGINS_PER_MINUTE, _MINUTE):
                raise _too_many_logins()
        if name == "" and self.accepts_token(password):
            return self._sessions.dumps(["", _digest(self._token)])
        if self._accounts is None or not self._accounts.verify(name, password):
            raise ChorusError(ErrorKind.UNAUTHENTICATED, "login-wrong")
        return self._sessions.dumps([name, self._accounts.fingerprint(name)])

    def _read_session(self, session: str) -> str | None:
        """The name of a valid session, "" for one that the token opened; None for none."""
        if not session:
            return None
        try:
            name, proof = self._sessions.loads(session, max_age=SESSION_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        if name == "":
            return "" if self._token and proof == _digest(self._token) else None
        current = self._accounts.fingerprint(name) if self._accounts is not None else None
        return str(name) if current is not None and proof == current else None


def _too_many_logins() -> ChorusError:
    return ChorusError(ErrorKind.OVERLOADED, "too-many-logins")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _host_name(host: str) -> str | None:
    """The name in a Host header, without its port; None for what is no host at all, as `[`."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return None


def _origin_host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

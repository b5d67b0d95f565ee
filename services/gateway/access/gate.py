"""Who may come in: hosts, origins, tokens, sessions and rates, as decisions on the headers of a request."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from services.acting import Actor, Deed, Record, Role
from services.errors import ChorusError, ErrorKind
from services.gateway.access.accounts import Accounts
from services.gateway.access.caller import Caller, is_anonymous
from services.gateway.access.foreign import Attempt, Provider
from services.gateway.access.sessions import Sessions
from services.gateway.access.throttle import Throttle, too_many_logins
from services.gateway.operations.counts import SharedCounts
from services.jobs.owners import PROGRAM_PREFIX
from services.threaded import Desk

SESSION_COOKIE: Final = "chorus_session"
OWNER_COOKIE: Final = "chorus_owner"
_MINUTE: Final = 60
_LOGINS_AT_ONCE: Final = 2
_LOGINS_WAITING: Final = 50
# A provider that ends the logins of a whole company tells of them one by one.
_LOGOUTS_WAITING: Final = 1000
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Gate:
    """The rules of one installation; safe to share by threads."""

    def __init__(
        self,
        *,
        accounts: Accounts | None,
        token: str,
        sessions: Sessions,
        is_local: bool,
        hosts: Sequence[str] = (),
        requests_per_minute: int,
        requests: SharedCounts,
        logins: SharedCounts,
        record: Record,
        sees_all: bool = True,
        provider: Provider | None = None,
    ) -> None:
        """`token` may be empty, as may `accounts` be None: without both everybody who reaches us may come in.

        `record` is told of each login, and of what is done by those who come in. `sees_all`: not only admins know of
        what others have. `provider`: where people log in who have no password here.
        `is_local`: we listen on loopback, so that no name but localhost can mean us, and `hosts` beside it.
        """
        self._accounts = accounts
        self._token = token
        self.sessions = sessions
        """Who is logged in, and what is open for them"""
        self.record = record
        self.provider = provider
        self._sees_all = sees_all
        self._is_local = is_local
        self._hosts = frozenset(hosts)
        self._requests_per_minute = requests_per_minute
        self._requests = requests
        self._throttle = Throttle(logins, sessions.is_known)
        self._desk = Desk("login", _LOGINS_AT_ONCE, _LOGINS_WAITING, too_many_logins)
        # Of its own: a crowd that logs in keeps nobody's login alive.
        self._logout_desk = Desk("logout", 1, _LOGOUTS_WAITING, _too_many_requests)

    @property
    def is_locked(self) -> bool:
        """True when nobody comes in without a login or the token."""
        return self.has_accounts or self.has_token or self.provider is not None

    @property
    def has_token(self) -> bool:
        """True when programs come in by a token."""
        return bool(self._token)

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
            raise _too_many_requests()

    async def caller(self, authorization: str, session: str, owner: str) -> Caller | None:
        """Whoever shows the bearer token, a session, or is a browser of an installation without a lock; else None.

        The key of a session may be shown as a bearer token too; the named tokens of programs are found as sessions are.
        UNAVAILABLE when nobody can say who that is.
        """
        bearer = _bearer(authorization)
        if self.accepts_token(bearer):
            return Caller()
        anonymous = owner if is_anonymous(owner) else ""
        # Without a lock there are no sessions, and no cookie costs a query.
        found = await self.sessions.find(bearer or session) if self.is_locked else None
        if found is None:
            return None if self.is_locked else Caller(owner=anonymous)
        if found.name == "":
            return Caller(owner=anonymous, session=found.key_hash)
        return Caller(owner=found.name, name=found.name, role=self.sessions.role(found), session=found.key_hash)

    def accepts_token(self, shown: str) -> bool:
        """True for the installation's token."""
        return bool(self._token) and hmac.compare_digest(shown.encode(), self._token.encode())

    def actor(self, caller: Caller, address: str, door: str) -> Actor:
        """For whom a request of this caller is done."""
        return Actor(
            name=caller.title,
            role=None if caller.is_stranger else caller.role,
            owner=caller.owner,
            sees_all=self._sees_all or caller.role is Role.ADMIN,
            address=address,
            door=door,
            record=self.record,
        )

    async def open_session(self, name: str, password: str, client: str, door: str) -> str:
        """A new session; UNAUTHENTICATED when name or password is wrong, OVERLOADED after too many tries.

        An empty name with the token as password is a login too: where there are no accounts, it is the only one.
        It works in threads that nothing else waits for: neither a crowd that logs in nor one that does not.
        """
        await asyncio.sleep(await self._desk.run(self._throttle.admit, name, client))
        return await self._desk.run(self._log_in, name, password, client, door)

    async def open_foreign_session(
        self, provider: Provider, attempt: Attempt, redirect_uri: str, code: str, client: str
    ) -> str:
        """A new session for whoever logged in at the provider; refused as Provider.identify does.

        FORBIDDEN for the name of a user of this installation, who has a password here; OVERLOADED after too many tries.
        """
        await self._desk.run(self._throttle.admit_from_elsewhere, client)
        actor = Actor(name="", role=Role.VIEWER, address=client, door="page")
        try:
            identity = await provider.identify(attempt, redirect_uri, code)
            actor = replace(actor, name=identity.name)
            if self._accounts is not None and self._accounts.role(identity.name) is not None:
                raise ChorusError(ErrorKind.FORBIDDEN, "oidc-name-taken", name=identity.name)
        except ChorusError as error:
            await self._desk.run(self.record, actor, Deed(action="login", detail="elsewhere", outcome=error.code))
            raise
        key = await self._desk.run(self.sessions.open_foreign, identity, client)
        await self._desk.run(self.record, actor, Deed(action="login", detail="elsewhere"))
        return key

    async def close_session(self, session: str, authorization: str, client: str, door: str) -> None:
        """Log out: the session ends at once, with all that is open for it; nothing happens where there is none."""
        caller = await self.caller(authorization, session, "")
        if caller is not None and caller.session and not caller.owner.startswith(PROGRAM_PREFIX):
            await self._desk.run(self.sessions.end, _bearer(authorization) or session)
            actor = self.actor(caller, client, door)
            await self._desk.run(self.record, actor, Deed(action="logout"))

    async def end_foreign_sessions(self, logout_token: str, client: str) -> None:
        """End the sessions of whoever has logged out at the provider, which says so by a token.

        Refused as Provider.ended does; NOT_FOUND without a provider, CONFLICT for a token that has been obeyed before,
        OVERLOADED when too many wait. Looking at a token costs less than counting it would, so that no crowd can use up
        what the provider needs; only one that is believed reaches the database.
        """
        if self.provider is None:
            raise ChorusError(ErrorKind.NOT_FOUND, "oidc-none")
        ended = await self.provider.ended(logout_token)
        for name in await self._logout_desk.run(self.sessions.end_foreign, ended):
            actor = Actor(name=name, role=Role.VIEWER, address=client, door="rest")
            await self._logout_desk.run(self.record, actor, Deed(action="logout", detail="elsewhere"))

    def _log_in(self, name: str, password: str, client: str, door: str) -> str:
        shown = name or Caller().title
        is_right = (name == "" and self.accepts_token(password)) or (
            self._accounts is not None and self._accounts.verify(name, password)
        )
        actor = Actor(name=shown, role=Role.VIEWER, address=client, door=door)
        if not is_right:
            self.record(actor, Deed(action="login", outcome="login-wrong"))
            raise ChorusError(ErrorKind.UNAUTHENTICATED, "login-wrong")
        key = self.sessions.open(name, client)
        self.record(actor, Deed(action="login"))
        return key


def _too_many_requests() -> ChorusError:
    return ChorusError(ErrorKind.OVERLOADED, "too-many-requests")


def _bearer(authorization: str) -> str:
    kind, _, shown = authorization.partition(" ")
    return shown.strip() if kind.lower() == "bearer" else ""


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

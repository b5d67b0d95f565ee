"""Stands before every HTTP and WebSocket request, the page's included: asks the gate, and adds security headers."""

from __future__ import annotations

from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import telemetry
from services.acting import Role, acting_as
from services.errors import ChorusError, ErrorKind
from services.gateway.access.caller import Caller, new_anonymous
from services.gateway.access.foreign import Attempt
from services.gateway.access.gate import OWNER_COOKIE, SESSION_COOKIE, Gate
from services.gateway.access.lasting import serve_while_logged_in
from services.gateway.access.refusal import refuse

_OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
# It names owners: where nobody comes in without a login, Prometheus asks the metrics port, or shows the token.
_METRICS: Final = "/metrics"
_LOGIN_PATHS: Final = frozenset(
    {"/login", "/login/elsewhere", "/login/back", "/v1/session", "/v1/session/backchannel-logout"}
)
_ATTEMPT_COOKIE: Final = "chorus_login"
_ATTEMPT_SECONDS: Final = 600
# Who logs out is answered, though the session ends meanwhile.
_ENDING_PATHS: Final = frozenset({"/logout", "/v1/session"})
# Style sheets and pictures of the page, which the login form shows too.
_STATIC: Final = "/page/"
# The page's socket, which begins as a GET where a proxy lets no WebSocket through, and obeys whoever holds it.
_SOCKET: Final = "/_nicegui_ws/"
_REST: Final = "/v1/"
_OWNER_SECONDS: Final = 400 * 24 * 3600
_SECURITY_HEADERS: Final = {
    # The page's framework compiles its templates in the browser, which takes the two 'unsafe' words.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware; what it lets in finds its Caller at request.state.caller."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        new_owner = None
        try:
            caller = None
            if not self._is_open(scope["path"]):
                caller = await self._admit(connection)
            if caller is not None and caller.owner == "" and self._is_browser(connection):
                new_owner = new_anonymous()
                caller = replace(caller, owner=new_owner)
        except ChorusError as error:
            await self._refuse(connection, error)(scope, receive, _with_headers(scope, send, None))
            return
        if caller is None:
            # Who asks for a probe has shown nothing; /metrics is open only where nobody has to.
            caller = Caller() if scope["path"] == _METRICS else Caller(role=Role.VIEWER, is_stranger=True)
        scope.setdefault("state", {})["caller"] = caller
        cookie = None if new_owner is None else owner_cookie(new_owner, connection)
        guarded = _with_headers(scope, send, cookie)
        with acting_as(self._gate.actor(caller, client_address(connection), door_of(connection))):
            if caller.session and scope["path"] not in _ENDING_PATHS:
                await serve_while_logged_in(self._app, self._gate.sessions, caller.session, scope, receive, guarded)
            else:
                await self._app(scope, receive, guarded)

    def _is_open(self, path: str) -> bool:
        return path in _OPEN_PATHS or (path == _METRICS and not self._gate.is_locked)

    async def _admit(self, connection: HTTPConnection) -> Caller:
        headers = connection.headers
        host = headers.get("host", "")
        self._gate.check_host(host)
        is_socket = connection.scope["type"] == "websocket" or connection.scope["path"].startswith(_SOCKET)
        method = "CONNECT" if is_socket else connection.scope["method"]
        self._gate.check_origin(method, host, headers.get("origin"), headers.get("sec-fetch-site"))
        cookies = _cookies(headers)
        session = cookies.get(SESSION_COOKIE, "")
        caller = await self._gate.caller(headers.get("authorization", ""), session, cookies.get(OWNER_COOKIE, ""))
        self._gate.check_rate(caller.name if caller is not None and caller.name else client_address(connection))
        if caller is None:
            path: str = connection.scope["path"]
            if path not in _LOGIN_PATHS and not path.startswith(_STATIC):
                raise ChorusError(ErrorKind.UNAUTHENTICATED, "login-needed")
            return Caller(role=Role.VIEWER, is_stranger=True)
        return caller

    def _refuse(self, connection: HTTPConnection, error: ChorusError) -> Response | _Denial:
        if connection.scope["type"] == "websocket":
            telemetry.refused("rest", error.kind, error.code)
            return _Denial()
        if error.kind is ErrorKind.UNAUTHENTICATED and self._wants_page(connection):
            path: str = connection.scope["path"]
            return RedirectResponse(f"/login?next={quote(path)}", 303)
        return refuse(error, connection)

    def _is_browser(self, connection: HTTPConnection) -> bool:
        return self._wants_page(connection) and "authorization" not in connection.headers

    def _wants_page(self, connection: HTTPConnection) -> bool:
        scope = connection.scope
        return (
            scope["type"] == "http" and scope["method"] == "GET" and "text/html" in connection.headers.get("accept", "")
        )


class _Denial:
    """Refuses a WebSocket before it is accepted, which the server turns into 403."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": 1008})


def client_address(connection: HTTPConnection) -> str:
    """Where a request comes from."""
    return connection.client.host if connection.client is not None else ""


def door_of(connection: HTTPConnection) -> str:
    """The door that a request came to, as the audit log calls it."""
    path: str = connection.scope["path"]
    return "rest" if path.startswith(_REST) else "page"


def session_key(connection: HTTPConnection) -> str:
    """What a browser shows of its session; empty for none."""
    return _cookies(connection.headers).get(SESSION_COOKIE, "")


def shown_attempt(connection: HTTPConnection) -> Attempt | None:
    """The login at a provider that this browser has begun."""
    return Attempt.from_cookie(_cookies(connection.headers).get(_ATTEMPT_COOKIE, ""))


def attempt_cookie(attempt: Attempt | None, connection: HTTPConnection) -> str:
    """The value of Set-Cookie that keeps such a login for ten minutes, or with None ends it."""
    value, seconds = ("", 0) if attempt is None else (attempt.to_cookie(), _ATTEMPT_SECONDS)
    return _cookie(_ATTEMPT_COOKIE, value, seconds, connection)


def owner_cookie(owner: str, connection: HTTPConnection) -> str:
    """The value of Set-Cookie that makes a browser come back as the same owner."""
    return _cookie(OWNER_COOKIE, owner, _OWNER_SECONDS, connection)


def session_cookie(session: str, seconds: int, connection: HTTPConnection) -> str:
    """The value of Set-Cookie that opens a session, or with 0 seconds ends it."""
    return _cookie(SESSION_COOKIE, session, seconds, connection)


def _cookie(name: str, value: str, seconds: int, connection: HTTPConnection) -> str:
    secure = "; Secure" if connection.url.scheme in ("https", "wss") else ""
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def _with_headers(scope: Scope, send: Send, cookie: str | None) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if scope["path"] in _LOGIN_PATHS:
                # OpenID Connect asks for it, and what says who somebody is lies in no cache.
                headers.setdefault("Cache-Control", "no-store")
            if cookie is not None:
                headers.append("Set-Cookie", cookie)
        await send(message)

    return send_guarded

"""Logging in at another provider: there and back. The form links here where an installation has one."""

from __future__ import annotations

import hmac
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.errors import ChorusError, ErrorKind
from services.gateway.access.foreign import Attempt, Provider
from services.gateway.access.guard import attempt_cookie, client_address, session_cookie, shown_attempt
from services.gateway.web.login import BEGIN, gate_of, login_form, own_address

router = APIRouter(include_in_schema=False)

_BACK: Final = "/login/back"
_LONGEST: Final = 4000


@router.get(BEGIN)
async def begin(request: Request, next: Annotated[str, Query(max_length=1000)] = "/") -> Response:
    """Sends the browser to the provider, and has it remember what it has to come back with."""
    attempt = Attempt(next=own_address(next))
    try:
        address = await _provider(request).address(attempt, _redirect_uri(request))
    except ChorusError as error:
        return login_form(request, next, error)
    return RedirectResponse(address, 303, {"Set-Cookie": attempt_cookie(attempt, request)})


@router.get(_BACK)
async def come_back(
    request: Request,
    state: Annotated[str, Query(max_length=_LONGEST)] = "",
    code: Annotated[str, Query(max_length=_LONGEST)] = "",
) -> Response:
    """Opens a session for whoever the provider says that this is; what went wrong stands in the form."""
    attempt, gate, address = shown_attempt(request), gate_of(request), client_address(request)
    try:
        if attempt is None or not hmac.compare_digest(attempt.state.encode(), state.encode()):
            raise ChorusError(ErrorKind.UNAUTHENTICATED, "oidc-refused", reason="state")
        session = await gate.open_foreign_session(_provider(request), attempt, _redirect_uri(request), code, address)
    except ChorusError as error:
        refused = login_form(request, "/" if attempt is None else attempt.next, error)
        refused.headers.append("Set-Cookie", attempt_cookie(None, request))
        return refused
    answer = RedirectResponse(own_address(attempt.next), 303)
    answer.headers.append("Set-Cookie", session_cookie(session, gate.sessions.seconds, request))
    answer.headers.append("Set-Cookie", attempt_cookie(None, request))
    return answer


def _provider(request: Request) -> Provider:
    provider = gate_of(request).provider
    if provider is None:
        raise ChorusError(ErrorKind.NOT_FOUND, "oidc-none")
    return provider


def _redirect_uri(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', '')}{_BACK}"

"""The REST door: logging in and out, for programs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from services.errors import ChorusError, ErrorKind
from services.gateway.access.gate import Gate
from services.gateway.access.guard import client_address, door_of, session_cookie, session_key
from services.gateway.access.refusal import refuse
from services.gateway.rest import schemas
from services.gateway.rest.parameters import REFUSALS, Who

router = APIRouter(prefix="/v1/session", tags=["session"], responses=REFUSALS)


@router.get("")
async def get_session(request: Request, caller: Who) -> schemas.SessionBody:
    """Who the caller is."""
    return schemas.SessionBody(
        owner=caller.owner,
        name=caller.name,
        role=caller.role,
        login_required=_gate(request).is_locked,
        logged_in=not caller.is_stranger,
    )


@router.post("", status_code=204)
async def open_session(body: schemas.LoginBody, request: Request) -> Response:
    """Log in. The cookie's value is the key of the session, which may also be shown as a bearer token."""
    gate = _gate(request)
    session = await gate.open_session(body.name, body.password, client_address(request), door_of(request))
    return Response(status_code=204, headers={"Set-Cookie": session_cookie(session, gate.sessions.seconds, request)})


@router.delete("", status_code=204)
async def end_session(request: Request) -> Response:
    """Log out: the session ends at once, in every process, with the pages and streams that are open for it."""
    authorization = request.headers.get("authorization", "")
    await _gate(request).close_session(session_key(request), authorization, client_address(request), door_of(request))
    return Response(status_code=204, headers={"Set-Cookie": session_cookie("", 0, request)})


@router.post("/backchannel-logout", response_class=Response)
async def end_foreign_sessions(request: Request, logout_token: Annotated[str, Form()] = "") -> Response:
    """For the OpenID Connect provider alone: ends the sessions of whoever has logged out there.

    OpenID Connect Back-Channel Logout 1.0: 200 when they are ended or there were none, 400 for a token that is not
    believed or when it failed; 404 where nobody logs in elsewhere.
    """
    try:
        await _gate(request).end_foreign_sessions(logout_token, client_address(request))
    except ChorusError as error:
        if error.kind in (ErrorKind.NOT_FOUND, ErrorKind.OVERLOADED):
            raise
        return refuse(error, request, status=400)
    return Response()


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate

"""The REST door: logging in and out, for programs."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.gateway.access.gate import SESSION_SECONDS, Gate
from services.gateway.access.guard import client_address, session_cookie
from services.gateway.rest import schemas
from services.gateway.rest.parameters import REFUSALS, Who

router = APIRouter(prefix="/v1/session", tags=["session"], responses=REFUSALS)


@router.get("")
async def get_session(request: Request, caller: Who) -> schemas.SessionBody:
    """Who the caller is."""
    return schemas.SessionBody(owner=caller.owner, name=caller.name, login_required=_gate(request).is_locked)


@router.post("", status_code=204)
async def open_session(body: schemas.LoginBody, request: Request) -> Response:
    """Log in; the session is a cookie."""
    session = await _gate(request).open_session(body.name, body.password, client_address(request))
    return Response(status_code=204, headers={"Set-Cookie": session_cookie(session, SESSION_SECONDS, request)})


@router.delete("", status_code=204)
async def end_session(request: Request) -> Response:
    """Log out."""
    return Response(status_code=204, headers={"Set-Cookie": session_cookie("", 0, request)})


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate

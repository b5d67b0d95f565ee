"""What the routes of the REST door take from a request, and what they share in its description."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Query, Request

from services.gateway.access.caller import Caller
from services.gateway.access.refusal import ErrorBody
from services.gateway.operations.batches import Operations

PING_SECONDS: Final = 15
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {"4XX": {"model": ErrorBody}}


async def _operations(request: Request) -> Operations:
    operations: Operations = request.app.state.operations
    return operations


async def _caller(request: Request) -> Caller:
    caller: Caller = getattr(request.state, "caller", Caller())
    return caller


Ops = Annotated[Operations, Depends(_operations)]
Who = Annotated[Caller, Depends(_caller)]
Owner = Annotated[Literal["me", "all"], Query(description="me: only what the caller uploaded or asked for")]


def owner_filter(owner: str, caller: Caller) -> str | None:
    """The `owner` of a list: None for everybody's."""
    return caller.owner if owner == "me" else None

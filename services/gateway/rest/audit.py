"""The REST door: who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from services.gateway.operations.audit import AuditFilter
from services.gateway.operations.bounds import ActionName, Limit, Moment, OwnerName, RowId
from services.gateway.rest.parameters import REFUSALS, Ops
from services.gateway.rest.schemas import Body

router = APIRouter(prefix="/v1", tags=["audit"], responses=REFUSALS)


class AuditEntryBody(Body):
    """One thing that somebody did, or tried to."""

    id: int = Field(description="Later deeds have higher ones")
    at: datetime
    name: str = Field(description="A login, anon-... for a browser without one, (program), or a user of the machine")
    address: str
    door: str = Field(description="rest, page, grpc or cli")
    action: str
    thing: str = Field(description="The id of what it was done to")
    detail: str = Field(description="Its name")
    outcome: str = Field(description="done, or the code of the error")


class AuditPageBody(Body):
    """A page of the audit log."""

    items: list[AuditEntryBody]
    before: int | None = Field(description="What to ask for to get the next page; null: there is none")


@router.get("/audit")
def list_audit(
    operations: Ops,
    user: Annotated[OwnerName | None, Query(description="Only deeds of this one")] = None,
    action: Annotated[ActionName | None, Query(description="As batch.create, or batch for all of its kind")] = None,
    since: Annotated[Moment | None, Query(description="At or after")] = None,
    until: Annotated[Moment | None, Query(description="Before")] = None,
    before: Annotated[RowId | None, Query(description="`before` of the page that was read last")] = None,
    limit: Limit = 50,
) -> AuditPageBody:
    """Who did what, newest first; for admins."""
    wanted = AuditFilter(name=user, action=action, since=since, until=until, before=before)
    items = [AuditEntryBody.model_validate(entry) for entry in operations.audit.page(wanted, limit=limit)]
    return AuditPageBody(items=items, before=items[-1].id if len(items) == limit else None)

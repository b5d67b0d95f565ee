"""The REST door: for how long things are kept."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from services.gateway.operations.bounds import Days
from services.gateway.rest.parameters import REFUSALS, Ops
from services.gateway.rest.schemas import Body

router = APIRouter(prefix="/v1/retention", tags=["service"], responses=REFUSALS)


class RetentionBody(Body):
    """For how long finished jobs and unused uploads are kept."""

    days: float = Field(description="0: until somebody deletes them")
    default_days: float = Field(description="What the environment says; it holds until somebody sets another")
    changed_at: datetime | None = Field(description="null when nobody did")
    changed_by: str


class NewRetentionBody(Body):
    """Another number of days."""

    days: Days | None = Field(description="0: until somebody deletes them; null: as the environment says")


class RetentionEffectBody(Body):
    """What a number of days would have deleted by now."""

    jobs: int
    uploads: int


@router.get("")
def get_retention(operations: Ops) -> RetentionBody:
    """For how long things are kept, and who said so; for admins. /v1/limits tells the days to all."""
    return RetentionBody.model_validate(operations.retention.get())


@router.put("")
def change_retention(body: NewRetentionBody, operations: Ops) -> RetentionBody:
    """Keep things for another number of days; for admins. What is older is deleted within the hour, for good."""
    return RetentionBody.model_validate(operations.retention.change(body.days))


@router.get("/effect")
def preview_retention(
    operations: Ops, days: Annotated[Days, Query(description="As if that were set")]
) -> RetentionEffectBody:
    """How many jobs and uploads would be deleted within the hour; for admins."""
    return RetentionEffectBody.model_validate(operations.retention.preview(days))

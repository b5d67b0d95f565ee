"""The body of every refusal over HTTP, whoever refuses."""

from __future__ import annotations

from pydantic import BaseModel, Field

from services.errors import ChorusError


class ErrorDetail(BaseModel):
    """Why something was refused or failed, in words for a person."""

    kind: str
    message: str
    retryable: bool = Field(description="The same request may succeed later")


class ErrorBody(BaseModel):
    """The body of every refusal."""

    error: ErrorDetail


def error_body(error: ChorusError) -> ErrorBody:
    """An error as REST shows it."""
    return ErrorBody(error=ErrorDetail(kind=error.kind, message=error.message, retryable=error.retryable))

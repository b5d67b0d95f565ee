"""Every refusal over HTTP, whoever refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from services import telemetry
from services.errors import ERROR_TABLE, ChorusError, ErrorKind
from services.gateway.access.language import language_of
from services.messages.catalogue import Value


class ErrorDetail(BaseModel):
    """Why something was refused or failed."""

    kind: str
    code: str = Field(description="Of the message; the same in every language")
    message: str = Field(description="For a person, in the language that Accept-Language asks for: en or zh")
    values: dict[str, Value] = Field(description="What the message is filled in with, by name")
    retryable: bool = Field(description="The same request may succeed later")


class ErrorBody(BaseModel):
    """The body of every refusal."""

    error: ErrorDetail


_HEADERS: Final[Mapping[ErrorKind, Mapping[str, str]]] = {
    ErrorKind.UNAUTHENTICATED: {"WWW-Authenticate": "Bearer"},
    ErrorKind.OVERLOADED: {"Retry-After": "60"},
}


class _Answer(JSONResponse):
    """Names what was wrong, also where that is half a letter, which UTF-8 has no bytes for."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def refuse(
    error: ChorusError,
    connection: HTTPConnection,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer to a request: the body in the caller's language, with the status of the error's kind unless given."""
    telemetry.refused("rest", error.kind, error.code)
    language = language_of(connection)
    detail = ErrorDetail(
        kind=error.kind,
        code=error.code,
        message=error.text(language),
        values=dict(error.values),
        retryable=error.retryable,
    )
    language_headers = {"Content-Language": language, "Vary": "Accept-Language, Cookie"}
    return _Answer(
        ErrorBody(error=detail).model_dump(),
        status or ERROR_TABLE[error.kind].http,
        {**_HEADERS.get(error.kind, {}), **(headers or {}), **language_headers},
    )

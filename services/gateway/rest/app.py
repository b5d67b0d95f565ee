"""The FastAPI application: the routes of rest.py, and errors as the one table says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import Final

import anyio
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from services.errors import ChorusError, ErrorKind, unforeseen
from services.gateway.access.gate import Gate
from services.gateway.access.guard import Guard
from services.gateway.access.patience import Patience
from services.gateway.access.refusal import refuse
from services.gateway.operations.batches import Operations
from services.gateway.operations.receiving import Receivers
from services.gateway.rest import audit as rest_audit
from services.gateway.rest import jobs as rest
from services.gateway.rest import media as rest_media
from services.gateway.rest import models as rest_models
from services.gateway.rest import retention as rest_retention
from services.gateway.rest import service as rest_service
from services.gateway.rest import session, tus
from services.gateway.rest.measured import Measured
from services.gateway.rest.route_threads import watch_route_threads
from services.watchdog import Watchdog, WatchedThreads, watch_loop

_THREADS: Final = 64

_log = logging.getLogger(__name__)


def build_app(operations: Operations, gate: Gate, further: Sequence[APIRouter] = ()) -> FastAPI:
    """The REST door to `operations`, behind the gate, with the routers of other doors."""
    # FastAPI's own /docs loads its scripts from another host; this one brings them along.
    app = FastAPIOffline(title="Chorus", version=version("chorus"), redoc_url=None, lifespan=_lifespan)
    app.state.operations = operations
    app.state.gate = gate
    app.state.watchdog = Watchdog()
    app.state.receivers = Receivers(operations.uploads)
    # Added before the guard, so it stands behind it: who may not come in is not waited for.
    app.add_middleware(Patience)
    app.add_middleware(Guard, gate=gate)
    # Added last, so it stands before the guard, and counts what that refuses as well.
    app.add_middleware(Measured)
    # A request is laid to one route after the other: jobs come first, since clients poll them.
    own = (rest, rest_media, tus, session, rest_models, rest_service, rest_retention, rest_audit)
    for router in (rest.v1, *(each.router for each in own), *further):
        app.include_router(router)
    app.add_exception_handler(ChorusError, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_unforeseen)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    watchdog: Watchdog = app.state.watchdog
    # By default there are six on two cores, and each upload that is looked into holds one for seconds.
    with WatchedThreads(_THREADS, "api") as threads:
        watchdog.add("threads", threads.is_stuck)
        asyncio.get_running_loop().set_default_executor(threads)
        async with anyio.create_task_group() as watching:
            watching.start_soon(watch_loop, watchdog)
            watching.start_soon(watch_route_threads, watchdog)
            _log.info("the api is ready")
            yield
            watching.cancel_scope.cancel()


async def _answer_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ChorusError)
    return refuse(error, request)


async def _answer_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return refuse(ChorusError(ErrorKind.INVALID_INPUT, "invalid-request", problems=wrong), request)


async def _answer_http_error(request: Request, error: Exception) -> JSONResponse:
    """What the router itself refuses (404, 405) keeps its status, in our body."""
    assert isinstance(error, HTTPException)
    kind = ErrorKind.NOT_FOUND if error.status_code == HTTPStatus.NOT_FOUND else ErrorKind.INVALID_INPUT
    refusal = ChorusError(
        kind, "request-refused", method=request.method, path=request.scope["path"], reason=str(error.detail)
    )
    return refuse(refusal, request, status=error.status_code, headers=error.headers)


async def _answer_unforeseen(request: Request, error: Exception) -> JSONResponse:
    # The server logs the traceback; the client learns nothing of the inside.
    return refuse(unforeseen(error, "gateway-failed"), request)

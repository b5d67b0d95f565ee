"""The gRPC door: the calls about the installation itself, and what all calls share."""

# ruff: noqa: N802 (the methods are named by the proto)
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Final, ParamSpec, TypeVar

from services.gateway.access.gate import Gate
from services.gateway.operations.batches import Operations
from services.gateway.rpc.access import DOOR, address_of
from services.gateway.rpc.messages import audit_filter, audit_message, family_message, retention_message
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceServicer
from services.grpc_server import Context
from services.jobs.families import family_cards
from services.threaded import call_in_threads

DEFAULT_LIMIT: Final = 50
"""Items of a page when the client names no number"""
# Calls that are at work in the database or the store; watchers hold none of these.
_THREADS: Final = 32
_LOG_LINES: Final = 200

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class InstallationServicer(GatewayServiceServicer):
    """Translates messages to operations and back; operations block, and so run in threads of this door."""

    def __init__(self, operations: Operations, gate: Gate) -> None:
        self._operations = operations
        self._gate = gate
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rpc")

    async def LogIn(self, request: pb.LogInRequest, context: Context) -> pb.Login:
        key = await self._gate.open_session(request.name, request.password, address_of(context.peer()), DOOR)
        return pb.Login(key=key, seconds=self._gate.sessions.seconds)

    async def LogOut(self, request: pb.LogOutRequest, context: Context) -> pb.LogOutResponse:
        shown = str(dict(context.invocation_metadata() or ()).get("authorization", ""))
        await self._gate.close_session("", shown, address_of(context.peer()), DOOR)
        return pb.LogOutResponse()

    async def GetDependencies(self, request: pb.GetDependenciesRequest, context: Context) -> pb.GetDependenciesResponse:
        checks = await self._run(self._operations.readiness.dependencies)
        return pb.GetDependenciesResponse(dependencies=[pb.Dependency(**asdict(check)) for check in checks])

    async def GetLimits(self, request: pb.GetLimitsRequest, context: Context) -> pb.Limits:
        return pb.Limits(**asdict(await self._run(self._operations.limits_now)))

    async def GetRetention(self, request: pb.GetRetentionRequest, context: Context) -> pb.Retention:
        return retention_message(await self._run(self._operations.retention.get))

    async def PreviewRetention(self, request: pb.PreviewRetentionRequest, context: Context) -> pb.RetentionEffect:
        return pb.RetentionEffect(**asdict(await self._run(self._operations.retention.preview, request.days)))

    async def ChangeRetention(self, request: pb.ChangeRetentionRequest, context: Context) -> pb.Retention:
        days = request.days if request.HasField("days") else None
        return retention_message(await self._run(self._operations.retention.change, days))

    async def GetQueue(self, request: pb.GetQueueRequest, context: Context) -> pb.Queue:
        counts = await self._run(self._operations.count_states)
        return pb.Queue(counts={state.value: number for state, number in counts.items()})

    async def GetDiskUse(self, request: pb.GetDiskUseRequest, context: Context) -> pb.DiskUse:
        return pb.DiskUse(**asdict(await self._run(self._operations.disk_use)))

    async def ReadLog(self, request: pb.ReadLogRequest, context: Context) -> AsyncIterator[pb.LogLine]:
        log, job_id = self._operations.log, request.job_id or None
        # Begun first: what is written while the tail is read is in it.
        follow = log.follow(job_id) if request.follow else None
        for line in await self._run(log.tail, request.lines or _LOG_LINES, job_id):
            yield pb.LogLine(**asdict(line))
        if follow is not None:
            async for bundle in follow:
                for line in bundle:
                    yield pb.LogLine(**asdict(line))

    async def ListAudit(self, request: pb.ListAuditRequest, context: Context) -> pb.ListAuditResponse:
        limit = request.limit or DEFAULT_LIMIT
        entries = await self._run(self._operations.audit.page, audit_filter(request), limit=limit)
        return pb.ListAuditResponse(entries=map(audit_message, entries))

    async def ListFamilies(self, request: pb.ListFamiliesRequest, context: Context) -> pb.ListFamiliesResponse:
        return pb.ListFamiliesResponse(families=[family_message(card) for card in family_cards().values()])

    async def _run(
        self, operation: Callable[Parameters, Answer], *arguments: Parameters.args, **named: Parameters.kwargs
    ) -> Answer:
        """What an operation returns, made in a thread."""
        return await call_in_threads(self._threads, operation, *arguments, **named)

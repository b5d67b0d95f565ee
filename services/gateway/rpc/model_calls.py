"""The calls of the gRPC door about the models of the installation, and how each call runs an operation."""

# ruff: noqa: N802 (the methods are named by the proto)
from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from services.acting import current_actor
from services.gateway.operations.batches import Operations
from services.gateway.rpc.messages import import_message, model_message
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceServicer
from services.grpc_server import Context
from services.threaded import call_in_threads

# Calls that are at work in the database or the store; watchers hold none of these.
_THREADS: Final = 32
DEFAULT_LIMIT: Final = 50

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class ModelCalls(GatewayServiceServicer):
    """A part of the servicer; operations block, and so run in threads of this door."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rpc")

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        return pb.ListModelsResponse(models=map(model_message, await self._run(self._operations.models.list)))

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.Model:
        return model_message(await self._run(self._operations.models.get, request.name))

    async def RemoveModel(self, request: pb.RemoveModelRequest, context: Context) -> pb.RemoveModelResponse:
        await self._run(self._operations.models.remove, request.name)
        return pb.RemoveModelResponse()

    async def StartImport(self, request: pb.StartImportRequest, context: Context) -> pb.ModelImport:
        return import_message(
            await self._run(
                self._operations.models.imports.start,
                request.upload_id,
                owner=current_actor().owner,
                name=request.name,
                licence=request.licence,
            )
        )

    async def GetImport(self, request: pb.GetImportRequest, context: Context) -> pb.ModelImport:
        return import_message(await self._run(self._operations.models.imports.get, request.import_id))

    async def ListImports(self, request: pb.ListImportsRequest, context: Context) -> pb.ListImportsResponse:
        imports = await self._run(self._operations.models.imports.list, limit=request.limit or DEFAULT_LIMIT)
        return pb.ListImportsResponse(imports=map(import_message, imports))

    async def WatchImport(self, request: pb.WatchImportRequest, context: Context) -> AsyncIterator[pb.ModelImport]:
        async for found in self._operations.models.imports.watch(request.import_id):
            yield import_message(found)

    async def CancelImport(self, request: pb.CancelImportRequest, context: Context) -> pb.ModelImport:
        return import_message(await self._run(self._operations.models.imports.cancel, request.import_id))

    async def _run(
        self, operation: Callable[Parameters, Answer], *arguments: Parameters.args, **named: Parameters.kwargs
    ) -> Answer:
        """What an operation returns, made in a thread."""
        return await call_in_threads(self._threads, operation, *arguments, **named)

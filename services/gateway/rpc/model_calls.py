"""The gRPC door: the calls about the models of the installation."""

# ruff: noqa: N802 (the methods are named by the proto)
from __future__ import annotations

from collections.abc import AsyncIterator

from services.acting import current_actor
from services.gateway.rpc.installation import DEFAULT_LIMIT, InstallationServicer
from services.gateway.rpc.messages import import_message, model_message
from services.gateway.v1 import gateway_pb2 as pb
from services.grpc_server import Context


class ModelCalls(InstallationServicer):
    """Translates messages to operations and back."""

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

"""A Triton that only pretends: it says which models lie in its folders, and loads what it is told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from tritonclient.grpc import service_pb2 as triton  # the server's side of it
from tritonclient.grpc import service_pb2_grpc


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # generated, without types
    """What of Triton an import needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: set[str] = set()
        self.own = {"mouth_renderer"}
        """Models of its other folder"""
        self.refuses = False
        self.let_load = threading.Event()
        self.let_load.set()
        self.asked_to_load = threading.Event()

    def RepositoryIndex(  # noqa: N802  # named by the proto
        self, request: triton.RepositoryIndexRequest, context: grpc.ServicerContext
    ) -> triton.RepositoryIndexResponse:
        """All names, loaded or not."""
        names = {path.parent.name for path in self.folder.glob("*/config.pbtxt")} | self.own
        models = [triton.RepositoryIndexResponse.ModelIndex(name=name) for name in sorted(names)]
        return triton.RepositoryIndexResponse(models=models)

    def RepositoryModelLoad(  # noqa: N802
        self, request: triton.RepositoryModelLoadRequest, context: grpc.ServicerContext
    ) -> triton.RepositoryModelLoadResponse:
        """Load what is whole, once it is let."""
        self.asked_to_load.set()
        self.let_load.wait(60)
        whole = all((self.folder / request.model_name / part).is_file() for part in ("config.pbtxt", "1/model.onnx"))
        if self.refuses or not whole:
            context.abort(grpc.StatusCode.INTERNAL, f"failed to load '{request.model_name}', no memory")
        self.loaded.add(request.model_name)
        return triton.RepositoryModelLoadResponse()

    def RepositoryModelUnload(  # noqa: N802
        self, request: triton.RepositoryModelUnloadRequest, context: grpc.ServicerContext
    ) -> triton.RepositoryModelUnloadResponse:
        """Drop it."""
        self.loaded.discard(request.model_name)
        return triton.RepositoryModelUnloadResponse()

    def ModelReady(  # noqa: N802
        self, request: triton.ModelReadyRequest, context: grpc.ServicerContext
    ) -> triton.ModelReadyResponse:
        """Whether it was loaded."""
        return triton.ModelReadyResponse(ready=request.name in self.loaded)

    def ServerReady(  # noqa: N802
        self, request: triton.ServerReadyRequest, context: grpc.ServicerContext
    ) -> triton.ServerReadyResponse:
        """Always."""
        return triton.ServerReadyResponse(ready=True)


@contextmanager
def open_fake_triton(folder: Path) -> Iterator[tuple[FakeTriton, str]]:
    """One that serves `folder`, and its host:port."""
    pretender = FakeTriton(folder)
    server = grpc.server(ThreadPoolExecutor(4))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(pretender, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield pretender, f"127.0.0.1:{port}"
    finally:
        server.stop(None)

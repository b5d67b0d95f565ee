"""Calls that are repeated and streams that go on, for asyncio; calls.py is its twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import grpc

from chorus_client import requests
from chorus_client.attempts import FINISH_SECONDS, FORGET_SECONDS, STREAM_SECONDS, Attempts
from chorus_client.connection import EVERYTHING, SERVING, call_metadata
from chorus_client.errors import ChorusError, ErrorKind, read_error
from chorus_client.files import PartialFile, Progress, append_requests
from chorus_client.v1 import gateway_pb2 as pb

if TYPE_CHECKING:
    from chorus_client.v1.gateway_pb2_grpc import GatewayServiceAsyncStub

Request = TypeVar("Request")
Answer = TypeVar("Answer")
ListRequest = TypeVar("ListRequest", bound=requests.ListRequest)
ListAnswer = TypeVar("ListAnswer", bound=requests.ListAnswer)
DownloadRequest = TypeVar("DownloadRequest", bound=requests.DownloadRequest)
DownloadAnswer = TypeVar("DownloadAnswer", bound=requests.DownloadAnswer)


class AsyncCalls:
    """How each kind of call is made; every error that comes out is a ChorusError."""

    def __init__(self, stub: GatewayServiceAsyncStub, token: str, deadline_seconds: float) -> None:
        self._stub = stub
        self._token = token
        self._metadata = call_metadata(token)
        self._deadline_seconds = deadline_seconds

    def show(self, key: str) -> None:
        """Have every further call vouched for by `key`."""
        self._metadata = call_metadata(key)

    async def log_out(self) -> None:
        """End the login whose key is shown, and show the token again."""
        try:
            await self.call(self._stub.LogOut, pb.LogOutRequest())
        except ChorusError as error:
            # Over already, be it by a try before this one whose answer was lost.
            if error.kind is not ErrorKind.UNAUTHENTICATED:
                raise
        self.show(self._token)

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        attempts: Attempts | None = None,
    ) -> Answer:
        """The answer, after as many tries as it takes; only for what can be repeated without harm."""
        attempts = attempts or Attempts(self._deadline_seconds)
        while True:
            try:
                return await method(request, timeout=attempts.seconds_left, metadata=self._metadata)
            except grpc.RpcError as failure:
                delay = attempts.delay_after(read_error(failure))
            await asyncio.sleep(delay)

    async def call_once(self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Answer], request: Request) -> Answer:
        """The answer of the only try, which waits for a connection."""
        try:
            return await method(request, timeout=self._deadline_seconds, metadata=self._metadata, wait_for_ready=True)
        except grpc.RpcError as failure:
            raise read_error(failure) from failure

    async def delete(self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Answer], request: Request) -> None:
        """Delete something; what is gone at a further try, the first has deleted: only its answer was lost."""
        attempts = Attempts(self._deadline_seconds)
        try:
            await self.call(method, request, attempts)
        except ChorusError as error:
            if error.kind is not ErrorKind.NOT_FOUND or not attempts.is_repeat:
                raise

    async def pages(
        self, method: grpc.aio.UnaryUnaryMultiCallable[ListRequest, ListAnswer], request: ListRequest
    ) -> AsyncIterator[ListAnswer]:
        """A list from its beginning to its end."""
        requests.first_page(request)
        while True:
            answer = await self.call(method, request)
            yield answer
            if not requests.next_page(request, answer):
                return

    async def watch(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Answer], request: Request
    ) -> AsyncIterator[Answer]:
        """Each state of something once; a watch that goes on begins with the one that the last ended with."""
        last = None
        async with aclosing(self._stream(method, request)) as answers:
            async for answer in answers:
                if answer != last:
                    yield answer
                last = answer

    async def download(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[DownloadRequest, DownloadAnswer],
        request: DownloadRequest,
        target: Path,
        progress: Progress | None,
    ) -> None:
        """Write what comes to `target`, in as many calls as it takes."""
        total = 0
        with PartialFile(target) as part:
            async with aclosing(self._stream(method, request)) as answers:
                async for answer in answers:
                    await asyncio.to_thread(part.write, answer.content)
                    request.offset, total = part.size, answer.total_bytes
                    if progress is not None:
                        progress(part.size, total)
            part.keep(total)

    async def upload(self, path: Path, name: str | None, progress: Progress | None) -> pb.Media:
        """The media that a file becomes."""

        async def finish(upload_id: str) -> pb.Media:
            request = pb.FinishUploadRequest(upload_id=upload_id)
            return await self.call(self._stub.FinishUpload, request, Attempts(FINISH_SECONDS))

        request = await asyncio.to_thread(requests.create_upload, path, name)
        return await self._upload(path, request, progress, finish)

    async def import_model(self, path: Path, name: str, licence: str, progress: Progress | None) -> pb.ModelImport:
        """The import of a file, just begun."""

        async def start(upload_id: str) -> pb.ModelImport:
            request = pb.StartImportRequest(upload_id=upload_id, name=name, licence=licence)
            return await self.call(self._stub.StartImport, request)

        request = await asyncio.to_thread(requests.create_upload, path, None, requests.MODEL)
        return await self._upload(path, request, progress, start)

    async def _upload(
        self,
        path: Path,
        request: pb.CreateUploadRequest,
        progress: Progress | None,
        finish: Callable[[str], Awaitable[Answer]],
    ) -> Answer:
        """What becomes of a file by `finish`, which is given the upload's id; an upload that fails is forgotten."""
        upload = await self.call(self._stub.CreateUpload, request)
        try:
            await self._append(path, upload, progress)
            return await finish(upload.id)
        except BaseException:
            forget = pb.DeleteUploadRequest(upload_id=upload.id)
            with suppress(grpc.RpcError):
                await self._stub.DeleteUpload(forget, timeout=FORGET_SECONDS, metadata=self._metadata)
            raise

    async def wait_until_serving(self, check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes], seconds: float) -> None:
        """Ask the health protocol until it says so."""
        attempts = Attempts(seconds)
        while True:
            try:
                if await check(EVERYTHING, timeout=attempts.seconds_left) == SERVING:
                    return
                error = ChorusError(ErrorKind.UNAVAILABLE, "not-serving", "The server is stopping")
            except grpc.RpcError as failure:
                error = read_error(failure)
            await asyncio.sleep(attempts.delay_after(error))

    async def _append(self, path: Path, upload: pb.ResumableUpload, progress: Progress | None) -> None:
        """Send the content, after each broken call from where the server says."""
        # CONFLICT: a request that broke off is still keeping what it brought.
        attempts = Attempts(self._deadline_seconds, also=[ErrorKind.CONFLICT])
        attempts.went_on()
        while upload.offset < upload.length:
            try:
                upload = await self._append_once(path, upload, progress)
            except ChorusError as error:
                await asyncio.sleep(attempts.delay_after(error))
                before = upload.offset
                upload = await self.call(self._stub.GetUpload, pb.GetUploadRequest(upload_id=upload.id))
                if upload.offset > before:
                    attempts.went_on()

    async def _append_once(
        self, path: Path, upload: pb.ResumableUpload, progress: Progress | None
    ) -> pb.ResumableUpload:
        sent, reading = upload.offset, append_requests(path, upload)
        call = self._stub.AppendUpload(timeout=STREAM_SECONDS, metadata=self._metadata)
        try:
            while (request := await asyncio.to_thread(next, reading, None)) is not None:
                if not await _write(call, request):
                    break
                sent += len(request.content)
                if progress is not None:
                    progress(sent, upload.length)
            else:
                await call.done_writing()
            return await call
        except grpc.RpcError as failure:
            raise read_error(failure) from failure
        finally:
            call.cancel()

    async def _stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Answer], request: Request
    ) -> AsyncGenerator[Answer]:
        """The answers of as many calls as it takes; each sends `request` as it is by then."""
        attempts = Attempts(self._deadline_seconds)
        while True:
            call = method(request, timeout=STREAM_SECONDS, metadata=self._metadata)
            try:
                async for answer in call:
                    attempts.went_on()
                    yield answer
                return
            except grpc.RpcError as failure:
                delay = attempts.delay_after(read_error(failure))
            finally:
                call.cancel()
            await asyncio.sleep(delay)


async def _write(
    call: grpc.aio.StreamUnaryCall[pb.AppendUploadRequest, pb.ResumableUpload], request: pb.AppendUploadRequest
) -> bool:
    """False when the call has ended already; its answer says why."""
    try:
        await call.write(request)
    except asyncio.InvalidStateError:
        return False
    except grpc.RpcError as failure:
        # gRPC calls it INTERNAL, whatever the call has ended with.
        raise ChorusError(ErrorKind.UNAVAILABLE, "call-failed", "The connection broke during the upload") from failure
    return True

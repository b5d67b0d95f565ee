"""Calls that are repeated and streams that go on, for the blocking client; async_calls.py is its twin."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import grpc

from chorus_client import requests
from chorus_client.attempts import FINISH_SECONDS, FORGET_SECONDS, STREAM_SECONDS, Attempts
from chorus_client.connection import EVERYTHING, SERVING, call_metadata
from chorus_client.errors import ChorusError, ErrorKind, read_error
from chorus_client.files import PartialFile, Progress, ReadAhead
from chorus_client.v1 import gateway_pb2 as pb
from chorus_client.v1.gateway_pb2_grpc import GatewayServiceStub

Request = TypeVar("Request")
Answer = TypeVar("Answer")
ListRequest = TypeVar("ListRequest", bound=requests.ListRequest)
ListAnswer = TypeVar("ListAnswer", bound=requests.ListAnswer)
DownloadRequest = TypeVar("DownloadRequest", bound=requests.DownloadRequest)
DownloadAnswer = TypeVar("DownloadAnswer", bound=requests.DownloadAnswer)


class Calls:
    """How each kind of call is made; every error that comes out is a ChorusError."""

    def __init__(self, stub: GatewayServiceStub, token: str, deadline_seconds: float) -> None:
        self._stub = stub
        self._token = token
        self._metadata = call_metadata(token)
        self._deadline_seconds = deadline_seconds

    def show(self, key: str) -> None:
        """Have every further call vouched for by `key`."""
        self._metadata = call_metadata(key)

    def log_out(self) -> None:
        """End the login whose key is shown, and show the token again."""
        try:
            self.call(self._stub.LogOut, pb.LogOutRequest())
        except ChorusError as error:
            # Over already, be it by a try before this one whose answer was lost.
            if error.kind is not ErrorKind.UNAUTHENTICATED:
                raise
        self.show(self._token)

    def call(
        self, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request, attempts: Attempts | None = None
    ) -> Answer:
        """The answer, after as many tries as it takes; only for what can be repeated without harm."""
        attempts = attempts or Attempts(self._deadline_seconds)
        while True:
            try:
                return method(request, timeout=attempts.seconds_left, metadata=self._metadata)
            except grpc.RpcError as failure:
                delay = attempts.delay_after(read_error(failure))
            time.sleep(delay)

    def call_once(self, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request) -> Answer:
        """The answer of the only try, which waits for a connection."""
        try:
            return method(request, timeout=self._deadline_seconds, metadata=self._metadata, wait_for_ready=True)
        except grpc.RpcError as failure:
            raise read_error(failure) from failure

    def delete(self, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request) -> None:
        """Delete something; what is gone at a further try, the first has deleted: only its answer was lost."""
        attempts = Attempts(self._deadline_seconds)
        try:
            self.call(method, request, attempts)
        except ChorusError as error:
            if error.kind is not ErrorKind.NOT_FOUND or not attempts.is_repeat:
                raise

    def pages(
        self, method: grpc.UnaryUnaryMultiCallable[ListRequest, ListAnswer], request: ListRequest
    ) -> Iterator[ListAnswer]:
        """A list from its beginning to its end."""
        requests.first_page(request)
        while True:
            answer = self.call(method, request)
            yield answer
            if not requests.next_page(request, answer):
                return

    def watch(self, method: grpc.UnaryStreamMultiCallable[Request, Answer], request: Request) -> Iterator[Answer]:
        """Each state of something once; a watch that goes on begins with the one that the last ended with."""
        last = None
        with closing(self._stream(method, request)) as answers:
            for answer in answers:
                if answer != last:
                    yield answer
                last = answer

    def download(
        self,
        method: grpc.UnaryStreamMultiCallable[DownloadRequest, DownloadAnswer],
        request: DownloadRequest,
        target: Path,
        progress: Progress | None,
    ) -> None:
        """Write what comes to `target`, in as many calls as it takes."""
        total = 0
        with PartialFile(target) as part, closing(self._stream(method, request)) as answers:
            for answer in answers:
                part.write(answer.content)
                request.offset, total = part.size, answer.total_bytes
                if progress is not None:
                    progress(part.size, total)
            part.keep(total)

    def upload(self, path: Path, name: str | None, progress: Progress | None) -> pb.Media:
        """The media that a file becomes."""

        def finish(upload_id: str) -> pb.Media:
            request = pb.FinishUploadRequest(upload_id=upload_id)
            return self.call(self._stub.FinishUpload, request, Attempts(FINISH_SECONDS))

        return self._upload(path, requests.create_upload(path, name), progress, finish)

    def import_model(self, path: Path, name: str, licence: str, progress: Progress | None) -> pb.ModelImport:
        """The import of a file, just begun."""

        def start(upload_id: str) -> pb.ModelImport:
            request = pb.StartImportRequest(upload_id=upload_id, name=name, licence=licence)
            return self.call(self._stub.StartImport, request)

        return self._upload(path, requests.create_upload(path, None, requests.MODEL), progress, start)

    def _upload(
        self,
        path: Path,
        request: pb.CreateUploadRequest,
        progress: Progress | None,
        finish: Callable[[str], Answer],
    ) -> Answer:
        """What becomes of a file by `finish`, which is given the upload's id; an upload that fails is forgotten."""
        upload = self.call(self._stub.CreateUpload, request)
        try:
            self._append(path, upload, progress)
            return finish(upload.id)
        except BaseException:
            forget = pb.DeleteUploadRequest(upload_id=upload.id)
            with suppress(grpc.RpcError):
                self._stub.DeleteUpload(forget, timeout=FORGET_SECONDS, metadata=self._metadata)
            raise

    def wait_until_serving(self, check: grpc.UnaryUnaryMultiCallable[bytes, bytes], seconds: float) -> None:
        """Ask the health protocol until it says so."""
        attempts = Attempts(seconds)
        while True:
            try:
                if check(EVERYTHING, timeout=attempts.seconds_left) == SERVING:
                    return
                error = ChorusError(ErrorKind.UNAVAILABLE, "not-serving", "The server is stopping")
            except grpc.RpcError as failure:
                error = read_error(failure)
            time.sleep(attempts.delay_after(error))

    def _append(self, path: Path, upload: pb.ResumableUpload, progress: Progress | None) -> None:
        """Send the content, after each broken call from where the server says."""
        # CONFLICT: a request that broke off is still keeping what it brought.
        attempts = Attempts(self._deadline_seconds, also=[ErrorKind.CONFLICT])
        attempts.went_on()
        while upload.offset < upload.length:
            try:
                upload = self._append_once(path, upload, progress)
            except grpc.RpcError as failure:
                time.sleep(attempts.delay_after(read_error(failure)))
                before = upload.offset
                upload = self.call(self._stub.GetUpload, pb.GetUploadRequest(upload_id=upload.id))
                if upload.offset > before:
                    attempts.went_on()

    def _append_once(self, path: Path, upload: pb.ResumableUpload, progress: Progress | None) -> pb.ResumableUpload:
        reading = ReadAhead(path, upload, progress)
        call = self._stub.AppendUpload.future(iter(reading), timeout=STREAM_SECONDS, metadata=self._metadata)
        try:
            return call.result()
        finally:
            call.cancel()
            # Whatever the call says then, this is why.
            if reading.error is not None:
                raise reading.error

    def _stream(
        self, method: grpc.UnaryStreamMultiCallable[Request, Answer], request: Request
    ) -> Generator[Answer, None, None]:
        """The answers of as many calls as it takes; each sends `request` as it is by then."""
        attempts = Attempts(self._deadline_seconds)
        while True:
            call = method(request, timeout=STREAM_SECONDS, metadata=self._metadata)
            try:
                for answer in call:
                    attempts.went_on()
                    yield answer
                return
            except grpc.RpcError as failure:
                delay = attempts.delay_after(read_error(failure))
            finally:
                call.cancel()
            time.sleep(delay)

"""The gRPC door: the same operations as REST in other clothes; wire messages go no further."""

# ruff: noqa: N802 (the methods are named by the proto)
from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final

from services.acting import current_actor
from services.errors import ChorusError, ErrorKind
from services.gateway.access.gate import Gate
from services.gateway.operations.batch import Batch
from services.gateway.operations.batch_request import BatchRequest
from services.gateway.operations.batches import Operations
from services.gateway.operations.receiving import Receivers
from services.gateway.rpc.access import LOG_IN, AccessInterceptor
from services.gateway.rpc.checking import check_message
from services.gateway.rpc.installation import DEFAULT_LIMIT
from services.gateway.rpc.messages import (
    batch_message,
    batch_priority,
    job_filter,
    job_message,
    media_message,
    preflight_message,
    render_options,
    upload_message,
)
from services.gateway.rpc.model_calls import ModelCalls
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import add_GatewayServiceServicer_to_server
from services.grpc_server import Context, Server, build_server
from services.library.archive import zip_pieces
from services.library.resumable import Purpose, ResumableUpload
from services.library.stored_file import StoredFile
from services.threaded import iterate_in_threads

# A stop lets them end; what has no end of its own it ends at once.
_DOWNLOADS: Final = frozenset({"DownloadMedia", "DownloadOutput", "DownloadArchive"})


async def build_rpc_server(operations: Operations, gate: Gate) -> Server:
    """The gRPC door to `operations` behind the gate, not yet listening; call it on its event loop."""
    name = pb.DESCRIPTOR.services_by_name["GatewayService"].full_name
    server = await build_server(
        [name], [AccessInterceptor(gate)], check=check_message, finishing=_DOWNLOADS, open_to_all={LOG_IN}
    )
    add_GatewayServiceServicer_to_server(GatewayServicer(operations, gate), server.core)
    return server


class GatewayServicer(ModelCalls):
    """The calls about uploads, batches and jobs, beside those about models and the installation."""

    def __init__(self, operations: Operations, gate: Gate) -> None:
        super().__init__(operations, gate)
        self._receivers = Receivers(operations.uploads)

    async def Upload(self, request_iterator: AsyncIterator[pb.UploadRequest], context: Context) -> pb.Media:
        with await self._run(self._operations.intake.receive, "file") as upload:
            async for request in request_iterator:
                if request.WhichOneof("part") == "name":
                    upload.rename(request.name)
                else:
                    await self._run(upload.write, request.content)
            create = self._operations.intake.create
            return media_message(await self._operations.looks.run(create, upload, owner=current_actor().owner))

    async def CreateUpload(self, request: pb.CreateUploadRequest, context: Context) -> pb.ResumableUpload:
        return upload_message(
            await self._run(
                self._operations.uploads.create,
                request.name,
                request.length,
                owner=current_actor().owner,
                purpose=Purpose.named(request.purpose),
            )
        )

    async def GetUpload(self, request: pb.GetUploadRequest, context: Context) -> pb.ResumableUpload:
        return upload_message(await self._own_upload(request.upload_id))

    async def AppendUpload(
        self, request_iterator: AsyncIterator[pb.AppendUploadRequest], context: Context
    ) -> pb.ResumableUpload:
        first = await anext(request_iterator, None)
        if first is None or first.WhichOneof("part") != "place":
            raise ChorusError(ErrorKind.INVALID_INPUT, "upload-place-first")
        upload = await self._own_upload(first.place.upload_id)
        return upload_message(await self._receivers.receive(upload, first.place.offset, _contents(request_iterator)))

    async def FinishUpload(self, request: pb.FinishUploadRequest, context: Context) -> pb.Media:
        upload = await self._own_upload(request.upload_id)
        return media_message(await self._operations.looks.run(self._operations.uploads.finish, upload.id))

    async def DeleteUpload(self, request: pb.DeleteUploadRequest, context: Context) -> pb.DeleteUploadResponse:
        upload = await self._own_upload(request.upload_id)
        await self._run(self._operations.uploads.delete, upload.id)
        return pb.DeleteUploadResponse()

    async def GetMedia(self, request: pb.GetMediaRequest, context: Context) -> pb.Media:
        return media_message(await self._run(self._operations.media.get, request.media_id))

    async def ListMedia(self, request: pb.ListMediaRequest, context: Context) -> pb.ListMediaResponse:
        items, total = await self._run(
            self._operations.media.list,
            kind=request.kind or None,
            owner=request.owner or None,
            first=current_actor().owner,
            limit=request.limit or DEFAULT_LIMIT,
            offset=request.offset,
        )
        return pb.ListMediaResponse(media=map(media_message, items), total=total)

    async def DeleteMedia(self, request: pb.DeleteMediaRequest, context: Context) -> pb.DeleteMediaResponse:
        await self._run(self._operations.media.delete, request.media_id)
        return pb.DeleteMediaResponse()

    async def DownloadMedia(
        self, request: pb.DownloadMediaRequest, context: Context
    ) -> AsyncIterator[pb.DownloadMediaResponse]:
        file = await self._run(self._operations.media.open_content, request.media_id)
        async with aclosing(self._pieces(file, request.offset)) as pieces:
            async for piece in pieces:
                yield pb.DownloadMediaResponse(content=piece, total_bytes=file.bytes)

    async def GetThumbnail(self, request: pb.GetThumbnailRequest, context: Context) -> pb.Picture:
        return await self._picture(self._operations.media.open_thumbnail, request.media_id)

    async def StartPreflight(self, request: pb.StartPreflightRequest, context: Context) -> pb.Preflight:
        return preflight_message(await self._run(self._operations.preflights.start, request.media_id))

    async def GetPreflight(self, request: pb.GetPreflightRequest, context: Context) -> pb.Preflight:
        return preflight_message(await self._run(self._operations.preflights.get, request.media_id))

    async def WatchPreflight(self, request: pb.WatchPreflightRequest, context: Context) -> AsyncIterator[pb.Preflight]:
        async for preflight in self._operations.preflights.watch(request.media_id):
            yield preflight_message(preflight)

    async def CancelPreflight(self, request: pb.CancelPreflightRequest, context: Context) -> pb.CancelPreflightResponse:
        await self._run(self._operations.preflights.cancel, request.media_id)
        return pb.CancelPreflightResponse()

    async def CreateBatch(self, request: pb.CreateBatchRequest, context: Context) -> pb.Batch:
        batch = await self._run(
            self._operations.create_batch,
            BatchRequest(
                audio_id=request.audio_id,
                video_ids=list(request.video_ids),
                options=render_options(request.options),
                idempotency_key=request.idempotency_key or None,
                faces=dict(request.faces),
                priority=batch_priority(request.priority),
                owner=current_actor().owner,
            ),
        )
        return await self._batch_with_jobs(batch)

    async def GetBatch(self, request: pb.GetBatchRequest, context: Context) -> pb.Batch:
        return await self._batch_with_jobs(await self._run(self._operations.get_batch, request.batch_id))

    async def ListBatches(self, request: pb.ListBatchesRequest, context: Context) -> pb.ListBatchesResponse:
        batches, total = await self._run(
            self._operations.list_batches,
            limit=request.limit or DEFAULT_LIMIT,
            offset=request.offset,
            first=current_actor().owner,
        )
        return pb.ListBatchesResponse(batches=map(batch_message, batches), total=total)

    async def CancelBatch(self, request: pb.CancelBatchRequest, context: Context) -> pb.Batch:
        return await self._batch_with_jobs(await self._run(self._operations.cancel_batch, request.batch_id))

    async def WatchBatch(self, request: pb.WatchBatchRequest, context: Context) -> AsyncIterator[pb.WatchBatchResponse]:
        await self._run(self._operations.get_batch, request.batch_id)
        async for jobs in self._operations.watch_batch(request.batch_id):
            yield pb.WatchBatchResponse(jobs=map(job_message, jobs))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        wanted = job_filter(request)
        jobs, total = await self._run(
            self._operations.list_jobs, wanted, limit=request.limit or DEFAULT_LIMIT, offset=request.offset
        )
        return pb.ListJobsResponse(jobs=map(job_message, jobs), total=total)

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.Job:
        return job_message(await self._run(self._operations.get_job, request.job_id))

    async def WatchJob(self, request: pb.WatchJobRequest, context: Context) -> AsyncIterator[pb.Job]:
        async for job in self._operations.watch_job(request.job_id):
            yield job_message(job)

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.Job:
        return job_message(await self._run(self._operations.cancel_job, request.job_id))

    async def RetryJob(self, request: pb.RetryJobRequest, context: Context) -> pb.Job:
        return job_message(await self._run(self._operations.retry_job, request.job_id))

    async def DeleteJob(self, request: pb.DeleteJobRequest, context: Context) -> pb.DeleteJobResponse:
        await self._run(self._operations.outputs.delete_job, request.job_id)
        return pb.DeleteJobResponse()

    async def DeleteJobs(self, request: pb.DeleteJobsRequest, context: Context) -> pb.DeleteJobsResponse:
        done = await self._run(self._operations.outputs.delete_jobs, request.job_ids)
        refused = {job_id: error.message for job_id, error in done.refused.items()}
        return pb.DeleteJobsResponse(deleted=done.deleted, refused=refused)

    async def GetPoster(self, request: pb.GetPosterRequest, context: Context) -> pb.Picture:
        return await self._picture(self._operations.outputs.open_poster, request.job_id)

    async def DownloadArchive(
        self, request: pb.DownloadArchiveRequest, context: Context
    ) -> AsyncIterator[pb.DownloadArchiveResponse]:
        if request.batch_id:
            entries = await self._run(self._operations.open_archive, request.batch_id)
        else:
            entries = await self._run(self._operations.open_jobs_archive, request.job_ids)
        zipped = zip_pieces(entries, self._operations.outputs.read)
        async with aclosing(iterate_in_threads(zipped, self._threads)) as pieces:
            async for piece in pieces:
                yield pb.DownloadArchiveResponse(content=piece)

    async def DownloadOutput(
        self, request: pb.DownloadOutputRequest, context: Context
    ) -> AsyncIterator[pb.DownloadOutputResponse]:
        file = await self._run(self._operations.outputs.open_video, request.job_id)
        async with aclosing(self._pieces(file, request.offset)) as pieces:
            async for piece in pieces:
                yield pb.DownloadOutputResponse(content=piece, total_bytes=file.bytes)

    async def _picture(self, open_picture: Callable[[str], StoredFile], wanted_id: str) -> pb.Picture:
        file = await self._run(open_picture, wanted_id)
        async with aclosing(self._pieces(file)) as pieces:
            return pb.Picture(jpeg=b"".join([piece async for piece in pieces]))

    async def _batch_with_jobs(self, batch: Batch) -> pb.Batch:
        message = batch_message(batch)
        message.jobs.extend(map(job_message, await self._run(self._operations.jobs_of, batch.id)))
        return message

    async def _own_upload(self, upload_id: str) -> ResumableUpload:
        return await self._run(self._operations.uploads.get_own, upload_id, current_actor().owner)

    def _pieces(self, file: StoredFile, offset: int = 0) -> AsyncGenerator[bytes]:
        file.check_offset(offset)
        return iterate_in_threads(self._operations.outputs.read(file, offset), self._threads)


async def _contents(requests: AsyncIterator[pb.AppendUploadRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("part") != "content":
            raise ChorusError(ErrorKind.INVALID_INPUT, "upload-place-first")
        yield request.content

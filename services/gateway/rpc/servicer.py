"""The gRPC door: the same operations as REST in other clothes; wire messages go no further."""

# ruff: noqa: N802 (the methods are named by the proto)
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import grpc

from services.gateway.access.gate import Gate
from services.gateway.operations.batch_request import BatchRequest
from services.gateway.operations.batches import Batch, Operations
from services.gateway.rpc.access import TokenInterceptor
from services.gateway.rpc.messages import (
    batch_message,
    job_filter,
    job_message,
    media_message,
    preflight_message,
    render_options,
)
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from services.grpc_server import build_server
from services.jobs.families import FAMILY_CARDS
from services.library.archive import zip_pieces
from services.library.limits import PAGE_ITEMS
from services.library.stored_file import StoredFile

# Each one who watches a job holds one of these.
_WORKERS: Final = 32
_DEFAULT_LIMIT: Final = 50
_LOG_LINES: Final = 200


def build_rpc_server(operations: Operations, gate: Gate) -> grpc.Server:
    """The gRPC door to `operations` behind the gate, not yet listening."""
    name = pb.DESCRIPTOR.services_by_name["GatewayService"].full_name
    server = build_server(_WORKERS, [name], [TokenInterceptor(gate)])
    add_GatewayServiceServicer_to_server(GatewayServicer(operations), server)
    return server


class GatewayServicer(GatewayServiceServicer):
    """Translates messages to operations and back."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def Upload(self, request_iterator: Iterator[pb.UploadRequest], context: grpc.ServicerContext) -> pb.Media:
        with self._operations.intake.receive("file") as upload:
            for request in request_iterator:
                if request.WhichOneof("part") == "name":
                    upload.rename(request.name)
                else:
                    upload.write(request.content)
            return media_message(self._operations.intake.create(upload))

    def GetMedia(self, request: pb.GetMediaRequest, context: grpc.ServicerContext) -> pb.Media:
        return media_message(self._operations.media.get(request.media_id))

    def ListMedia(self, request: pb.ListMediaRequest, context: grpc.ServicerContext) -> pb.ListMediaResponse:
        items, total = self._operations.media.list(
            kind=request.kind or None,
            owner=request.owner or None,
            limit=_limit(request.limit),
            offset=request.offset,
        )
        return pb.ListMediaResponse(media=map(media_message, items), total=total)

    def DeleteMedia(self, request: pb.DeleteMediaRequest, context: grpc.ServicerContext) -> pb.DeleteMediaResponse:
        self._operations.media.delete(request.media_id)
        return pb.DeleteMediaResponse()

    def DownloadMedia(
        self, request: pb.DownloadMediaRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.DownloadMediaResponse]:
        for piece in self._operations.outputs.read(self._operations.media.open_content(request.media_id)):
            yield pb.DownloadMediaResponse(content=piece)

    def GetThumbnail(self, request: pb.GetThumbnailRequest, context: grpc.ServicerContext) -> pb.Picture:
        return self._picture(self._operations.media.open_thumbnail(request.media_id))

    def StartPreflight(self, request: pb.StartPreflightRequest, context: grpc.ServicerContext) -> pb.Preflight:
        return preflight_message(self._operations.preflights.start(request.media_id))

    def GetPreflight(self, request: pb.GetPreflightRequest, context: grpc.ServicerContext) -> pb.Preflight:
        return preflight_message(self._operations.preflights.get(request.media_id))

    def WatchPreflight(
        self, request: pb.WatchPreflightRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.Preflight]:
        yield from map(preflight_message, self._operations.preflights.watch(request.media_id, context.is_active))

    def CancelPreflight(
        self, request: pb.CancelPreflightRequest, context: grpc.ServicerContext
    ) -> pb.CancelPreflightResponse:
        self._operations.preflights.cancel(request.media_id)
        return pb.CancelPreflightResponse()

    def CreateBatch(self, request: pb.CreateBatchRequest, context: grpc.ServicerContext) -> pb.Batch:
        batch = self._operations.create_batch(
            BatchRequest(
                audio_id=request.audio_id,
                video_ids=list(request.video_ids),
                options=render_options(request.options),
                idempotency_key=request.idempotency_key or None,
                faces=dict(request.faces),
            )
        )
        return self._batch_with_jobs(batch)

    def GetBatch(self, request: pb.GetBatchRequest, context: grpc.ServicerContext) -> pb.Batch:
        return self._batch_with_jobs(self._operations.get_batch(request.batch_id))

    def ListBatches(self, request: pb.ListBatchesRequest, context: grpc.ServicerContext) -> pb.ListBatchesResponse:
        batches, total = self._operations.list_batches(limit=_limit(request.limit), offset=request.offset)
        return pb.ListBatchesResponse(batches=map(batch_message, batches), total=total)

    def CancelBatch(self, request: pb.CancelBatchRequest, context: grpc.ServicerContext) -> pb.Batch:
        return self._batch_with_jobs(self._operations.cancel_batch(request.batch_id))

    def WatchBatch(
        self, request: pb.WatchBatchRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchBatchResponse]:
        self._operations.get_batch(request.batch_id)
        for jobs in self._operations.watch_batch(request.batch_id, context.is_active):
            yield pb.WatchBatchResponse(jobs=map(job_message, jobs))

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:
        wanted = job_filter(request)
        jobs, total = self._operations.list_jobs(wanted, limit=_limit(request.limit), offset=request.offset)
        return pb.ListJobsResponse(jobs=map(job_message, jobs), total=total)

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.Job:
        return job_message(self._operations.get_job(request.job_id))

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.Job]:
        yield from map(job_message, self._operations.watch_job(request.job_id, context.is_active))

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.Job:
        return job_message(self._operations.cancel_job(request.job_id))

    def RetryJob(self, request: pb.RetryJobRequest, context: grpc.ServicerContext) -> pb.Job:
        return job_message(self._operations.retry_job(request.job_id))

    def DeleteJob(self, request: pb.DeleteJobRequest, context: grpc.ServicerContext) -> pb.DeleteJobResponse:
        self._operations.outputs.delete_job(request.job_id)
        return pb.DeleteJobResponse()

    def DeleteJobs(self, request: pb.DeleteJobsRequest, context: grpc.ServicerContext) -> pb.DeleteJobsResponse:
        done = self._operations.outputs.delete_jobs(request.job_ids)
        refused = {job_id: error.message for job_id, error in done.refused.items()}
        return pb.DeleteJobsResponse(deleted=done.deleted, refused=refused)

    def GetPoster(self, request: pb.GetPosterRequest, context: grpc.ServicerContext) -> pb.Picture:
        return self._picture(self._operations.outputs.open_poster(request.job_id))

    def DownloadArchive(
        self, request: pb.DownloadArchiveRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.DownloadArchiveResponse]:
        if request.batch_id:
            entries = self._operations.open_archive(request.batch_id)
        else:
            entries = self._operations.open_jobs_archive(request.job_ids)
        for piece in zip_pieces(entries, self._operations.outputs.read):
            yield pb.DownloadArchiveResponse(content=piece)

    def GetDependencies(
        self, request: pb.GetDependenciesRequest, context: grpc.ServicerContext
    ) -> pb.GetDependenciesResponse:
        checks = self._operations.readiness.dependencies()
        return pb.GetDependenciesResponse(dependencies=[pb.Dependency(**asdict(check)) for check in checks])

    def GetLimits(self, request: pb.GetLimitsRequest, context: grpc.ServicerContext) -> pb.Limits:
        return pb.Limits(**asdict(self._operations.limits))

    def GetQueue(self, request: pb.GetQueueRequest, context: grpc.ServicerContext) -> pb.Queue:
        return pb.Queue(counts={state.value: number for state, number in self._operations.count_states().items()})

    def GetDiskUse(self, request: pb.GetDiskUseRequest, context: grpc.ServicerContext) -> pb.DiskUse:
        return pb.DiskUse(**asdict(self._operations.disk_use()))

    def ReadLog(self, request: pb.ReadLogRequest, context: grpc.ServicerContext) -> Iterator[pb.LogLine]:
        log, job_id = self._operations.log, request.job_id or None
        follow = log.follow(job_id, context.is_active) if request.follow else ()
        for line in log.tail(request.lines or _LOG_LINES, job_id):
            yield pb.LogLine(**asdict(line))
        for bundle in follow:
            for line in bundle:
                yield pb.LogLine(**asdict(line))

    def DownloadOutput(
        self, request: pb.DownloadOutputRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.DownloadOutputResponse]:
        for piece in self._operations.outputs.read(self._operations.outputs.open_video(request.job_id)):
            yield pb.DownloadOutputResponse(content=piece)

    def ListFamilies(self, request: pb.ListFamiliesRequest, context: grpc.ServicerContext) -> pb.ListFamiliesResponse:
        return pb.ListFamiliesResponse(families=[pb.Family(**asdict(card)) for card in FAMILY_CARDS.values()])

    def _picture(self, file: StoredFile) -> pb.Picture:
        return pb.Picture(jpeg=b"".join(self._operations.outputs.read(file)))

    def _batch_with_jobs(self, batch: Batch) -> pb.Batch:
        message = batch_message(batch)
        message.jobs.extend(map(job_message, self._operations.jobs_of(batch.id)))
        return message


def _limit(wanted: int) -> int:
    return min(wanted or _DEFAULT_LIMIT, PAGE_ITEMS)

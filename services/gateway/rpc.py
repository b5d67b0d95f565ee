"""The gRPC door: the same operations as REST in other clothes; wire messages never leave this file."""

# ruff: noqa: N802 (the methods are named by the proto)
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import grpc
from google.protobuf.json_format import MessageToDict
from pydantic import ValidationError

from services.errors import ChorusError, ErrorKind
from services.gateway import schemas
from services.gateway.batch_request import BatchRequest
from services.gateway.families.catalogue import FAMILY_CARDS
from services.gateway.jobs import Job, JobFilter, JobState, RenderOptions
from services.gateway.operations import Batch, Operations
from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from services.grpc_server import build_server

# Each one who watches a job holds one of these.
_WORKERS: Final = 32
_DEFAULT_LIMIT: Final = 50
_LARGEST_LIMIT: Final = 500


def build_rpc_server(operations: Operations) -> grpc.Server:
    """The gRPC door to `operations`, not yet listening."""
    server = build_server(_WORKERS, [pb.DESCRIPTOR.services_by_name["GatewayService"].full_name])
    add_GatewayServiceServicer_to_server(GatewayServicer(operations), server)
    return server


class GatewayServicer(GatewayServiceServicer):
    """Translates messages to operations and back."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def Upload(self, request_iterator: Iterator[pb.UploadRequest], context: grpc.ServicerContext) -> pb.Media:
        with self._operations.media.receive("file") as upload:
            for request in request_iterator:
                if request.WhichOneof("part") == "name":
                    upload.rename(request.name)
                else:
                    upload.write(request.content)
            return pb.Media(**asdict(self._operations.media.create(upload)))

    def CreateBatch(self, request: pb.CreateBatchRequest, context: grpc.ServicerContext) -> pb.Batch:
        batch = self._operations.create_batch(
            BatchRequest(
                audio_id=request.audio_id,
                video_ids=list(request.video_ids),
                options=_options(request.options),
                idempotency_key=request.idempotency_key or None,
            )
        )
        return self._batch_with_jobs(batch)

    def GetBatch(self, request: pb.GetBatchRequest, context: grpc.ServicerContext) -> pb.Batch:
        return self._batch_with_jobs(self._operations.get_batch(request.batch_id))

    def ListBatches(self, request: pb.ListBatchesRequest, context: grpc.ServicerContext) -> pb.ListBatchesResponse:
        batches, total = self._operations.list_batches(limit=_limit(request.limit), offset=request.offset)
        return pb.ListBatchesResponse(batches=map(_batch, batches), total=total)

    def CancelBatch(self, request: pb.CancelBatchRequest, context: grpc.ServicerContext) -> pb.Batch:
        return self._batch_with_jobs(self._operations.cancel_batch(request.batch_id))

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:
        wanted = JobFilter(state=_state(request.state), batch_id=request.batch_id or None, name=request.name or None)
        jobs, total = self._operations.list_jobs(wanted, limit=_limit(request.limit), offset=request.offset)
        return pb.ListJobsResponse(jobs=map(_job, jobs), total=total)

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> pb.Job:
        return _job(self._operations.get_job(request.job_id))

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.Job]:
        yield from map(_job, self._operations.watch_job(request.job_id, context.is_active))

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> pb.Job:
        return _job(self._operations.cancel_job(request.job_id))

    def RetryJob(self, request: pb.RetryJobRequest, context: grpc.ServicerContext) -> pb.Job:
        return _job(self._operations.retry_job(request.job_id))

    def DeleteJob(self, request: pb.DeleteJobRequest, context: grpc.ServicerContext) -> pb.DeleteJobResponse:
        self._operations.delete_job(request.job_id)
        return pb.DeleteJobResponse()

    def DownloadOutput(
        self, request: pb.DownloadOutputRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.DownloadOutputResponse]:
        for piece in self._operations.read(self._operations.open_output(request.job_id)):
            yield pb.DownloadOutputResponse(content=piece)

    def ListFamilies(self, request: pb.ListFamiliesRequest, context: grpc.ServicerContext) -> pb.ListFamiliesResponse:
        return pb.ListFamiliesResponse(families=[pb.Family(**asdict(card)) for card in FAMILY_CARDS.values()])

    def _batch_with_jobs(self, batch: Batch) -> pb.Batch:
        message = _batch(batch)
        message.jobs.extend(map(_job, self._operations.jobs_of(batch.id)))
        return message


def _options(message: pb.RenderOptions) -> RenderOptions:
    try:
        body = schemas.OptionsBody.model_validate(MessageToDict(message, preserving_proto_field_name=True))
    except ValidationError as error:
        wrong = "; ".join(f"options.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ChorusError(ErrorKind.INVALID_INPUT, wrong) from error
    return body.to_options()


def _state(text: str) -> JobState | None:
    try:
        return JobState(text) if text else None
    except ValueError:
        raise ChorusError(
            ErrorKind.INVALID_INPUT, f"There is no state {text}; choose one of {', '.join(JobState)}"
        ) from None


def _limit(wanted: int) -> int:
    return min(wanted or _DEFAULT_LIMIT, _LARGEST_LIMIT)


def _batch(batch: Batch) -> pb.Batch:
    counts = {state.value: number for state, number in batch.counts.items()}
    return pb.Batch(id=batch.id, audio_name=batch.audio_name, created_at_ms=_ms(batch.created_at), counts=counts)


def _job(job: Job) -> pb.Job:
    return pb.Job(
        id=job.id,
        batch_id=job.batch_id,
        index=job.index,
        name=job.name,
        video_name=job.video_name,
        state=job.state,
        progress=pb.Progress(**asdict(job.progress)) if job.progress else None,
        attempt=job.attempt,
        error=pb.JobError(kind=job.error_kind, message=job.error_message or "") if job.error_kind else None,
        created_at_ms=_ms(job.created_at),
        started_at_ms=_ms(job.started_at),
        finished_at_ms=_ms(job.finished_at),
        output_bytes=job.output_bytes,
    )


def _ms(moment: datetime | None) -> Any:
    return None if moment is None else int(moment.timestamp() * 1000)

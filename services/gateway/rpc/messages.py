"""The wire messages of chorus.gateway.v1 from and to plain data; only rpc.py calls it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict

from services.errors import ChorusError, ErrorKind, error_to_json
from services.gateway.operations.audit import AuditEntry, AuditFilter
from services.gateway.operations.batch import Batch
from services.gateway.operations.import_rows import ModelImport
from services.gateway.operations.models import Model
from services.gateway.v1 import gateway_pb2 as pb
from services.jobs.families import FamilyCard
from services.jobs.model import Job, JobFilter, JobState, Priority
from services.jobs.options import RenderOptions, parse_options
from services.library.findings import Preflight
from services.library.media import Media
from services.library.resumable import ResumableUpload
from services.library.retention import Retention


def render_options(message: pb.RenderOptions) -> RenderOptions:
    """What was asked for, checked by the same rules as everywhere."""
    return parse_options(MessageToDict(message, preserving_proto_field_name=True))


def batch_priority(text: str) -> Priority:
    """The priority that was asked for."""
    try:
        return Priority(text) if text else Priority.NORMAL
    except ValueError:
        choices = ", ".join(Priority)
        raise ChorusError(ErrorKind.INVALID_INPUT, "priority-unknown", priority=text, choices=choices) from None


def job_filter(message: pb.ListJobsRequest) -> JobFilter:
    """Which jobs are asked for."""
    return JobFilter(
        state=_state(message.state),
        batch_id=message.batch_id or None,
        name=message.name or None,
        owner=message.owner or None,
        since=_moment(message.since_ms) if message.HasField("since_ms") else None,
        until=_moment(message.until_ms) if message.HasField("until_ms") else None,
    )


def audit_filter(message: pb.ListAuditRequest) -> AuditFilter:
    """Which deeds are asked for."""
    return AuditFilter(
        name=message.user or None,
        action=message.action or None,
        since=_moment(message.since_ms) if message.HasField("since_ms") else None,
        until=_moment(message.until_ms) if message.HasField("until_ms") else None,
        before=message.before if message.HasField("before") else None,
    )


def audit_message(entry: AuditEntry) -> pb.AuditEntry:
    """A deed on the wire."""
    values = asdict(entry)
    at = values.pop("at")
    return pb.AuditEntry(**values, at_ms=_ms(at))


def retention_message(rule: Retention) -> pb.Retention:
    """For how long things are kept, on the wire."""
    values = asdict(rule)
    changed = values.pop("changed_at")
    return pb.Retention(**values, changed_at_ms=_ms(changed))


def media_message(media: Media) -> pb.Media:
    """An upload as it travels."""
    values = asdict(media)
    created = values.pop("created_at")
    return pb.Media(**values, created_at_ms=_ms(created))


def upload_message(upload: ResumableUpload) -> pb.ResumableUpload:
    """A resumable upload as it travels."""
    return pb.ResumableUpload(
        id=upload.id,
        name=upload.name,
        offset=upload.offset,
        length=upload.length,
        expires_at_ms=_ms(upload.expires_at),
        media_id=upload.media_id,
        purpose=upload.purpose,
    )


def preflight_message(preflight: Preflight) -> pb.Preflight:
    """A preflight as it travels."""
    error = preflight.error
    return pb.Preflight(
        **{**asdict(preflight), "error": error.message if error else None},
        failure=_error_message(error) if error else None,
        provisional=preflight.provisional,
    )


def batch_message(batch: Batch) -> pb.Batch:
    """A batch without its jobs as it travels."""
    return pb.Batch(
        id=batch.id,
        audio_name=batch.audio_name,
        audio_id=batch.audio_id,
        owner=batch.owner,
        priority=batch.priority,
        created_at_ms=_ms(batch.created_at),
        counts={state.value: number for state, number in batch.counts.items()},
    )


def job_message(job: Job) -> pb.Job:
    """A job as it travels."""
    return pb.Job(
        id=job.id,
        batch_id=job.batch_id,
        index=job.index,
        name=job.name,
        video_name=job.video_name,
        video_id=job.video_id,
        audio_name=job.audio_name,
        audio_id=job.audio_id,
        owner=job.owner,
        state=job.state,
        progress=pb.Progress(**asdict(job.progress)) if job.progress else None,
        attempt=job.attempt,
        error=_error_message(job.error) if job.error else None,
        created_at_ms=_ms(job.created_at),
        started_at_ms=_ms(job.started_at),
        finished_at_ms=_ms(job.finished_at),
        output_bytes=job.output_bytes,
    )


def family_message(card: FamilyCard) -> pb.Family:
    return pb.Family(name=card.name, licence=card.licence, description=card.description, engine=card.engine)


def model_message(model: Model) -> pb.Model:
    """A model as admins see it."""
    values = asdict(model)
    imported_at = values.pop("imported_at")
    return pb.Model(**values, imported_at_ms=_ms(imported_at))


def import_message(found: ModelImport) -> pb.ModelImport:
    """An import as it travels."""
    return pb.ModelImport(
        id=found.id,
        name=found.name,
        licence=found.licence,
        file_name=found.file_name,
        owner=found.owner,
        state=found.state,
        stage=found.stage,
        error=_error_message(found.error) if found.error else None,
        created_at_ms=_ms(found.created_at),
    )


def _error_message(error: ChorusError) -> pb.JobError:
    return ParseDict(error_to_json(error), pb.JobError())


def _state(text: str) -> JobState | None:
    try:
        return JobState(text) if text else None
    except ValueError:
        raise ChorusError(ErrorKind.INVALID_INPUT, "state-unknown", state=text, choices=", ".join(JobState)) from None


def _ms(moment: datetime | None) -> Any:
    return None if moment is None else int(moment.timestamp() * 1000)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)

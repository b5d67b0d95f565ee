"""Lays the fields of what comes in over gRPC to the bounds that hold for every door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from pydantic import TypeAdapter, ValidationError

from services.errors import ChorusError, ErrorKind
from services.gateway.operations import bounds

# By field, or by message and field where fields of one name differ. Of the others options are checked where they are
# made of the message, and content is bytes.
_BOUNDS: Final[Mapping[str, Any]] = {
    "DownloadMediaRequest.offset": bounds.Bytes,
    "DownloadOutputRequest.offset": bounds.Bytes,
    "ListJobsRequest.name": bounds.NamePart,
    "GetModelRequest.name": bounds.FamilyName,
    "RemoveModelRequest.name": bounds.FamilyName,
    "StartImportRequest.name": bounds.FamilyName,
    "LogInRequest.name": bounds.LoginName,
    "UploadPlace.offset": bounds.Bytes,
    "action": bounds.ActionName,
    "audio_id": bounds.Id,
    "batch_id": bounds.Id,
    "before": bounds.RowId,
    "days": bounds.Days,
    "faces": bounds.Id,
    # Its length has an error of its own.
    "idempotency_key": bounds.Text,
    "import_id": bounds.Id,
    "job_id": bounds.Id,
    "job_ids": bounds.Id,
    "kind": bounds.MediaKind,
    "length": bounds.Bytes,
    "licence": bounds.LicenceText,
    "limit": bounds.Limit,
    "lines": bounds.LogLines,
    "media_id": bounds.Id,
    "name": bounds.FileName,
    "offset": bounds.Offset,
    "owner": bounds.OwnerName,
    "password": bounds.Password,
    # What it may be has an error of its own.
    "priority": bounds.Id,
    # What it may be has an error of its own.
    "purpose": bounds.Id,
    "since_ms": bounds.Milliseconds,
    "state": bounds.Id,
    "until_ms": bounds.Milliseconds,
    "upload_id": bounds.Id,
    "user": bounds.OwnerName,
    "video_ids": bounds.Id,
}
_RULES: Final[Mapping[str, TypeAdapter[Any]]] = {name: TypeAdapter(bound) for name, bound in _BOUNDS.items()}


def check_message(message: Message) -> None:
    """INVALID_INPUT names each field that breaks its bound, as REST does; what was left out is not looked at."""
    problems = list(_problems(message))
    if problems:
        raise ChorusError(ErrorKind.INVALID_INPUT, "invalid-request", problems="; ".join(problems))


def find_rule(field: FieldDescriptor) -> TypeAdapter[Any] | None:
    """The bound of a field; of a map, that of its keys."""
    message = "" if field.containing_type is None else field.containing_type.name
    return _RULES.get(f"{message}.{field.name}") or _RULES.get(field.name)


def _problems(message: Message) -> Iterable[str]:
    for field, value in message.ListFields():
        rule = find_rule(field)
        if rule is not None:
            values = value if field.is_repeated else [value]
            yield from (f"{field.name}: {problem}" for problem in _broken(rule, values))
        elif isinstance(value, Message):
            yield from _problems(value)


def _broken(rule: TypeAdapter[Any], values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        try:
            rule.validate_python(value)
        except ValidationError as error:
            yield error.errors()[0]["msg"]
            return

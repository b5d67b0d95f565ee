"""Requests that are more than their fields; the blocking and the asyncio client make the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from chorus_client.v1 import gateway_pb2 as pb

MODEL: Final = "model"
"""The purpose of an upload that is to be imported"""
_PAGE_ITEMS: Final = 200

ListRequest = pb.ListMediaRequest | pb.ListBatchesRequest | pb.ListJobsRequest
ListAnswer = pb.ListMediaResponse | pb.ListBatchesResponse | pb.ListJobsResponse
DownloadRequest = pb.DownloadMediaRequest | pb.DownloadOutputRequest
DownloadAnswer = pb.DownloadMediaResponse | pb.DownloadOutputResponse


def create_upload(path: Path, name: str | None, purpose: str = "") -> pb.CreateUploadRequest:
    """A file as it is now, under its own name or another."""
    return pb.CreateUploadRequest(name=name or path.name, length=path.stat().st_size, purpose=purpose)


def create_batch(
    audio_id: str,
    video_ids: Iterable[str],
    options: pb.RenderOptions | None,
    faces: Mapping[str, int] | None,
    priority: str,
    idempotency_key: str | None,
) -> pb.CreateBatchRequest:
    """A batch with a key in any case: a call whose answer was lost can be repeated."""
    return pb.CreateBatchRequest(
        audio_id=audio_id,
        video_ids=video_ids,
        options=options,
        faces=faces,
        priority=priority,
        idempotency_key=idempotency_key or uuid4().hex,
    )


def list_jobs(
    state: str, batch_id: str, name: str, owner: str, since: datetime | None, until: datetime | None
) -> pb.ListJobsRequest:
    """The jobs that are meant; the first page of them."""
    return pb.ListJobsRequest(
        state=state, batch_id=batch_id, name=name, owner=owner, since_ms=_ms(since), until_ms=_ms(until)
    )


def list_imports() -> pb.ListImportsRequest:
    """The newest imports, as many as a page has."""
    return pb.ListImportsRequest(limit=_PAGE_ITEMS)


def first_page(request: ListRequest) -> None:
    """Ask for the beginning of a list."""
    request.limit, request.offset = _PAGE_ITEMS, 0


def next_page(request: ListRequest, answer: ListAnswer) -> bool:
    """Ask for what follows `answer`; False when that was the end."""
    request.offset += _PAGE_ITEMS
    return request.offset < answer.total


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)

"""Requests by the role that they need, complete: what the tests of roles send through both doors."""

from __future__ import annotations

import base64
from typing import Any

import httpx

from services.gateway.v1 import gateway_pb2 as pb
from tests.gateway_stack import Gateway

TUS = {"Tus-Resumable": "1.0.0"}
_PIECE = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
NEW = {**TUS, "Upload-Length": "1", "Upload-Metadata": f"filename {base64.b64encode(b'a.mp4').decode()}"}

CHANGES: dict[tuple[str, str], dict[str, Any]] = {
    ("post", "/v1/media"): {"content": b"x", "params": {"name": "a.mp4"}},
    ("delete", "/v1/media/{media_id}"): {},
    ("post", "/v1/media/{media_id}/preflight"): {},
    ("delete", "/v1/media/{media_id}/preflight"): {},
    ("post", "/v1/uploads"): {"headers": NEW},
    ("patch", "/v1/uploads/{upload_id}"): {"headers": _PIECE, "content": b"x"},
    ("delete", "/v1/uploads/{upload_id}"): {"headers": TUS},
    ("post", "/v1/uploads/{upload_id}/media"): {},
    ("post", "/v1/batches"): {"json": {"audio_id": "a", "video_ids": ["b"]}},
    ("post", "/v1/batches/{batch_id}/cancel"): {},
    ("post", "/v1/jobs/delete"): {"json": {"ids": ["a"]}},
    ("post", "/v1/jobs/{job_id}/cancel"): {},
    ("post", "/v1/jobs/{job_id}/retry"): {},
    ("delete", "/v1/jobs/{job_id}"): {},
}
"""Every route by which makers change something, and a request that is refused for nothing but the caller's role"""
OF_ADMINS: dict[tuple[str, str], dict[str, Any]] = {
    ("put", "/v1/retention"): {"json": {"days": 30}},
    ("get", "/v1/audit"): {},
    ("get", "/v1/models"): {},
    ("get", "/v1/models/{name}"): {},
    ("delete", "/v1/models/{name}"): {},
    ("post", "/v1/uploads/{upload_id}/model"): {},
    ("post", "/v1/imports"): {"content": b"x"},
    ("get", "/v1/imports"): {},
    ("get", "/v1/imports/{import_id}"): {},
    ("get", "/v1/imports/{import_id}/events"): {},
    ("post", "/v1/imports/{import_id}/cancel"): {},
}
"""The same of every route that admins alone may ask"""
ANY = dict.fromkeys(("media_id", "upload_id", "batch_id", "job_id", "name", "import_id"), "a")
FOR_ALL = {("post", "/v1/session"), ("delete", "/v1/session"), ("post", "/v1/session/backchannel-logout")}
CHANGING = {"post", "put", "patch", "delete"}

CALLS: dict[str, Any] = {
    "Upload": [pb.UploadRequest(name="a.mp4"), pb.UploadRequest(content=b"a")],
    "CreateUpload": pb.CreateUploadRequest(name="a.mp4", length=1),
    "GetUpload": pb.GetUploadRequest(upload_id="a"),
    "AppendUpload": [pb.AppendUploadRequest(place=pb.UploadPlace(upload_id="a"))],
    "FinishUpload": pb.FinishUploadRequest(upload_id="a"),
    "DeleteUpload": pb.DeleteUploadRequest(upload_id="a"),
    "DeleteMedia": pb.DeleteMediaRequest(media_id="a"),
    "StartPreflight": pb.StartPreflightRequest(media_id="a"),
    "CancelPreflight": pb.CancelPreflightRequest(media_id="a"),
    "CreateBatch": pb.CreateBatchRequest(audio_id="a", video_ids=["b"]),
    "CancelBatch": pb.CancelBatchRequest(batch_id="a"),
    "CancelJob": pb.CancelJobRequest(job_id="a"),
    "RetryJob": pb.RetryJobRequest(job_id="a"),
    "DeleteJob": pb.DeleteJobRequest(job_id="a"),
    "DeleteJobs": pb.DeleteJobsRequest(job_ids=["a"]),
}
CALLS_OF_ADMINS: dict[str, Any] = {
    "ListAudit": pb.ListAuditRequest(),
    "PreviewRetention": pb.PreviewRetentionRequest(days=1),
    "ChangeRetention": pb.ChangeRetentionRequest(days=1),
    "ListModels": pb.ListModelsRequest(),
    "GetModel": pb.GetModelRequest(name="a"),
    "RemoveModel": pb.RemoveModelRequest(name="a"),
    "StartImport": pb.StartImportRequest(upload_id="a"),
    "GetImport": pb.GetImportRequest(import_id="a"),
    "ListImports": pb.ListImportsRequest(),
    "WatchImport": pb.WatchImportRequest(import_id="a"),
    "CancelImport": pb.CancelImportRequest(import_id="a"),
}
CALLS_FOR_ALL = {"LogIn", "LogOut"}
LOOKING = ("Get", "List", "Watch", "Download", "ReadLog")


def change(gateway: Gateway, method: str, path: str, named: dict[str, str], key: dict[str, str]) -> httpx.Response:
    """The answer to one of CHANGES or OF_ADMINS, on the things of those ids."""
    sent = {**CHANGES, **OF_ADMINS}[method, path]
    headers = {**key, **sent.get("headers", {})}
    return gateway.http.request(method, path.format(**named), **{**sent, "headers": headers})

"""What a finished batch gives over REST: outputs by ranges, archives, and what the service tells of itself."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import obstore
import pytest
from obstore.exceptions import BaseError

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import Gateway, running_worker
from tests.integration.test_gateway_doors import gateway

# Fixtures, which pytest finds by their names here.
__all__ = ["gateway"]


@pytest.fixture(scope="module")
def finished(gateway: Gateway) -> dict[str, Any]:
    """A batch of three with two outputs, one of them with a name in Chinese."""
    with running_worker(gateway.settings):
        batch = gateway.start_batch("陈老师.mov", "陈老师.mp4", "fail.mp4")
        for job in batch["jobs"]:
            gateway.wait_for(job["id"], "succeeded", "failed")
    return dict(gateway.http.get(f"/v1/batches/{batch['id']}").json())


@pytest.mark.parametrize(
    ("header", "status", "first", "last"),
    [
        (None, 200, 0, 12999),
        ("bytes=0-0", 206, 0, 0),
        ("bytes=10-99", 206, 10, 99),
        ("bytes=12000-", 206, 12000, 12999),
        ("bytes=-5", 206, 12995, 12999),
        ("bytes=12990-99999", 206, 12990, 12999),
        ("bytes=0-1,5-6", 200, 0, 12999),
        ("bytes=9-2", 200, 0, 12999),
        ("lines=1-2", 200, 0, 12999),
    ],
)
def test_ranges_of_an_output(
    gateway: Gateway, finished: dict[str, Any], header: str | None, status: int, first: int, last: int
) -> None:
    whole = "陈老师.mov".encode() * 1000
    address = f"/v1/jobs/{finished['jobs'][0]['id']}/output"
    answer = gateway.http.get(address, headers={"Range": header} if header else {})
    assert (answer.status_code, answer.content) == (status, whole[first : last + 1])
    assert answer.headers["content-length"] == str(last + 1 - first)
    assert answer.headers.get("content-range") == (f"bytes {first}-{last}/13000" if status == 206 else None)
    assert answer.headers["content-type"] == "video/mp4"


def test_an_output_that_the_store_does_not_give_is_an_error_and_no_half_answer(
    gateway: Gateway, finished: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BaseError("the bucket was killed")

    monkeypatch.setattr(obstore, "get_range", fail)
    refused = gateway.http.get(f"/v1/jobs/{finished['jobs'][0]['id']}/output")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store-failed")


def test_headers_of_an_output(gateway: Gateway, finished: dict[str, Any]) -> None:
    address = f"/v1/jobs/{finished['jobs'][0]['id']}/output"
    head = gateway.http.head(address)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "13000")
    assert "filename*=UTF-8''%E9%99%88%E8%80%81%E5%B8%88%20-%20speech.mp4" in head.headers["content-disposition"]
    etag = head.headers["etag"]
    assert gateway.http.get(address, headers={"If-None-Match": etag}).status_code == 304
    for range_header in ("bytes=13000-", "bytes=-0"):
        beyond = gateway.http.get(address, headers={"Range": range_header})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */13000")
    assert gateway.http.get(address, headers={"Range": "bytes=0-1", "If-Range": etag}).status_code == 206
    assert gateway.http.get(address, headers={"Range": "bytes=0-1", "If-Range": '"old"'}).status_code == 200


def test_an_archive_holds_the_outputs_under_readable_names(gateway: Gateway, finished: dict[str, Any]) -> None:
    answer = gateway.http.get(f"/v1/batches/{finished['id']}/archive")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["陈老师 - speech.mp4", "陈老师 - speech (2).mp4"]
        assert archive.read("陈老师 - speech.mp4") == "陈老师.mov".encode() * 1000
    waiting = gateway.start_batch("clip.mp4")
    refused = gateway.http.get(f"/v1/batches/{waiting['id']}/archive")
    assert (refused.status_code, refused.json()["error"]["kind"]) == (409, "conflict")
    gateway.http.post(f"/v1/batches/{waiting['id']}/cancel")


def test_service_routes(gateway: Gateway, finished: dict[str, Any]) -> None:
    assert gateway.http.get("/healthz").status_code == 200
    ready = gateway.http.get("/readyz")
    assert ready.status_code == 200
    assert [check["name"] for check in ready.json()["checks"]] == ["database", "store"]
    needed = {check["name"]: check["ready"] for check in gateway.http.get("/v1/dependencies").json()}
    assert needed == {"database": True, "store": True, "preprocess": False, "triton": False, "workers": True}
    answer = GatewayServiceStub(gateway.channel).GetDependencies(pb.GetDependenciesRequest())
    assert {each.name: each.ready for each in answer.dependencies} == needed
    assert list(gateway.storage.keys("health")) == []
    shown = gateway.http.get("/metrics").text
    assert 'chorus_jobs{state="succeeded"}' in shown
    assert "chorus_database_up 1.0" in shown
    assert 'chorus_jobs_created_total{family="default",owner="(program)"}' in shown
    assert 'chorus_http_requests_total{code="200",method="GET",route="/readyz"}' in shown
    assert 'chorus_grpc_requests_total{code="OK",method="/chorus.gateway.v1.GatewayService/GetDependencies"}' in shown
    family = gateway.http.get("/v1/families").json()[0]
    assert (family["name"], family["engine"]) == ("default", "")  # no Triton here to say what it is
    paths = gateway.http.get("/openapi.json").json()["paths"]
    assert {"get", "delete"} <= paths["/v1/jobs/{job_id}"].keys()

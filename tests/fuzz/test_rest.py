"""Every operation of the OpenAPI with what its schema allows and forbids, by Schemathesis, which lives in build/."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway_stack import Gateway, make_settings, open_gateway, running_worker

_TOOL = Path(__file__).parents[2] / "build" / "schemathesis" / "bin" / "schemathesis"
# What is told may not differ from what is written either.
_CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"
_SECONDS_AN_INPUT = 0.02
pytestmark = pytest.mark.skipif(not _TOOL.exists(), reason="make fuzz installs Schemathesis")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("rest")
    log = folder / "chorus.log"
    log.touch()
    settings = make_settings(folder, requests_per_minute=10_000_000, log_file=log)
    with open_gateway(settings) as doors, running_worker(settings):
        doors.start_batch("slow-0.mp4", "fail.mp4")
        yield doors


@pytest.mark.timeout(3600)
def test_no_request_is_answered_otherwise_than_the_openapi_says(
    gateway: Gateway, inputs: int, seed: int, tmp_path: Path
) -> None:
    seconds = max(20, int(inputs * _SECONDS_AN_INPUT))
    command = [
        *(str(_TOOL), "run", f"{gateway.http.base_url}/openapi.json", "--seed", str(seed), "--checks", _CHECKS),
        *("--phases", "coverage,fuzzing", "--max-examples", str(max(10, inputs // 40)), "--max-time", str(seconds)),
        # A stream of news has no end.
        *("--exclude-path-regex", "(events|follow)$", "--request-timeout", "20", "--warnings", "off", "--no-color"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 300, cwd=tmp_path, check=False)
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-2000:]
    assert gateway.http.get("/readyz").status_code == 200

"""All images of a machine without a GPU at once, as docker-compose.yaml starts them: one job from upload to output."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import sqlalchemy as sa

from scripts.images.compose import CONTAINERS, read_compose, read_example
from scripts.images.containers import Container, start
from scripts.images.dockerfile import ROOT, dockerfiles
from scripts.images.roots import PLACE, image_of
from services.media.clip import open_clip
from services.media.probe import probe
from tests.real_servers import running_postgres

_ORDER: Final = ("triton-cpu", "preprocess", "api", "worker")
_NAMES: Final = dict.fromkeys(("postgres", "s3", "triton", "preprocess", "api"), "127.0.0.1")
# The worker has the one of the images, which its health check asks.
_METRICS_PORTS: Final = {"api": 9465, "preprocess": 9466}
_HEALTHY_SECONDS: Final = 300.0
_BUCKET_SECONDS: Final = 60.0
_JOB_SECONDS: Final = 300.0
_SPEECH: Final = "announcement_en.wav"
_PAGE: Final = ("/login", "/", "/docs", "/page/theme.css", "/page/uploads.js", "/page/logo.svg")


def run_stack() -> None:
    """SystemExit says what did not work."""
    example = read_example()
    variables = example | {name: secrets.token_hex(24) for name, value in example.items() if not value}
    services = read_compose(variables)["services"]
    with ExitStack() as stack:
        postgres = stack.enter_context(_postgres())
        stack.enter_context(_s3(services["s3"]))
        _make_bucket(services["bucket"])
        running: list[Container] = []
        for name in _ORDER:
            running.append(_start(name, services[name]["environment"] if name != "triton-cpu" else {}, postgres))
            _report(f"{name}: healthy after {running[-1].wait_until_healthy(_HEALTHY_SECONDS):.0f} s")
            if open_places := running[-1].can_write():
                raise SystemExit(f"{name} can write to {open_places}")
        headers = {"Authorization": f"Bearer {variables['CHORUS_TOKEN']}"}
        with httpx.Client(base_url="http://127.0.0.1:7860", headers=headers, trust_env=False, timeout=30) as api:
            _look_at_the_page(api)
            _render(api)
        for container in running:
            _report(f"{container.image.name}: {container.memory() >> 20} MiB of memory")
        for container in reversed(running):
            began = time.monotonic()
            if (code := container.stop()) != 0:
                raise SystemExit(f"{container.image.name}: exit code {code}")
            _report(f"{container.image.name}: stopped {time.monotonic() - began:.1f} s after SIGTERM")


def _start(name: str, given: dict[str, str], postgres_port: int) -> Container:
    """Of what the compose file says only two things change, because all are on one host here."""
    image = image_of(CONTAINERS[name], dockerfiles()[CONTAINERS[name]])
    assert image is not None
    changes = {"CHORUS_METRICS_PORT": str(_METRICS_PORTS[name])} if name in _METRICS_PORTS else {}
    if url := given.get("CHORUS_DATABASE_URL"):
        changes["CHORUS_DATABASE_URL"] = url.replace("@postgres:5432", f"@postgres:{postgres_port}")
    return start(image, given | changes, _NAMES, PLACE / f"{name}.log")


@contextmanager
def _postgres() -> Iterator[int]:
    """The port of a server with the database that the compose file's image would make."""
    with running_postgres() as server:
        with server.administer() as connection:
            connection.execute(sa.text("CREATE ROLE chorus SUPERUSER LOGIN"))
            connection.execute(sa.text("CREATE DATABASE chorus OWNER chorus"))
        yield server.port


@contextmanager
def _s3(service: dict[str, Any]) -> Iterator[None]:
    """The compose file's bucket, by the same program from a wheel, on an empty disk."""
    data = PLACE / "s3"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    program = [str(Path(sys.prefix, "bin", "weed")), *service["entrypoint"][1:]]
    command = [word.replace("-dir=/data", f"-dir={data}") for word in [*program, *service["command"]]]
    with (PLACE / "s3.log").open("wb") as log:
        server = subprocess.Popen(command, env=service["environment"], cwd=data, stdout=log, stderr=log)
    try:
        _wait_for_s3()
        yield
    finally:
        server.kill()
        server.wait(20)


def _wait_for_s3() -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if httpx.get("http://127.0.0.1:8333/status", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise SystemExit(f"the bucket does not answer\n{(PLACE / 's3.log').read_text()[-2000:]}")


def _make_bucket(service: dict[str, Any]) -> None:
    image = image_of("gateway", dockerfiles()["gateway"])
    assert image is not None
    image = replace(image, command=[*service["entrypoint"], *service["command"]])
    container = start(image, service["environment"], _NAMES, PLACE / "bucket.log")
    if container.starter.wait(_BUCKET_SECONDS) != 0:
        raise SystemExit(f"the bucket cannot be made\n{container.log.read_text()[-2000:]}")
    _report("bucket: made")


def _look_at_the_page(api: httpx.Client) -> None:
    for path in _PAGE:
        api.get(path, headers={"Accept": "text/html"}).raise_for_status()
    _report(f"the page: {len(_PAGE)} of its files are there")


def _render(api: httpx.Client) -> None:
    """One job; its output is looked at frame by frame."""
    began = time.monotonic()
    audio, video = (_upload(api, ROOT / "samples" / name) for name in (_SPEECH, "astronaut.mp4"))
    answer = api.post("/v1/batches", json={"audio_id": audio, "video_ids": [video]})
    job = answer.raise_for_status().json()["jobs"][0]
    while job["state"] in ("queued", "running"):
        if time.monotonic() > began + _JOB_SECONDS:
            raise SystemExit(f"the job does not end: {job}")
        time.sleep(1)
        job = api.get(f"/v1/jobs/{job['id']}").raise_for_status().json()
    if job["state"] != "succeeded":
        raise SystemExit(f"the job {job}")
    output = PLACE / "astronaut.mp4"
    output.write_bytes(api.get(f"/v1/jobs/{job['id']}/output").raise_for_status().content)
    clip, speech = open_clip(output, name=output.name), probe(ROOT / "samples" / _SPEECH, name=_SPEECH)
    if abs(clip.seconds - speech.seconds) > 1 / clip.frame_rate:
        raise SystemExit(f"{output} has {clip.seconds} s instead of {speech.seconds}")
    _report(f"a job: {clip.frames} frames in {output}, {time.monotonic() - began:.0f} s after its first upload")


def _upload(api: httpx.Client, path: Path) -> str:
    with path.open("rb") as file:
        answer = api.post("/v1/media", files={"file": (path.name, file)})
    return str(answer.raise_for_status().json()["id"])


def _report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()

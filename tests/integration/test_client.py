"""chorus_client at the gRPC door, over a wire that breaks: it goes on, doubles nothing, and says what is wrong."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chorus_client import AsyncChorus, Batch, Chorus, ChorusError, ErrorKind, RenderOptions
from chorus_client.connection import CHANNEL_OPTIONS
from services.acting import SYSTEM, acting_as
from services.jobs import tables
from tests.blocking import open_async
from tests.gateway_stack import ROOT, Gateway, make_settings, open_gateway, running_worker, wait_until
from tests.wire import Wire, open_wire

TOKEN = "a token of this test"
OpenClient = Callable[..., Chorus]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = make_settings(tmp_path_factory.mktemp("client"), token=TOKEN, max_upload_bytes=1 << 30, max_minutes=1e9)
    with open_gateway(settings) as doors:
        yield doors


@pytest.fixture(scope="module")
def worker(gateway: Gateway) -> Iterator[None]:
    with running_worker(gateway.settings):
        yield


@pytest.fixture
def wire(gateway: Gateway) -> Iterator[Wire]:
    with open_wire(gateway.rpc_address) as wire:
        yield wire


@pytest.fixture(params=[Chorus, open_async], ids=["blocking", "asyncio"])
def open_client(request: pytest.FixtureRequest) -> OpenClient:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def chorus(open_client: OpenClient, wire: Wire) -> Iterator[Chorus]:
    with open_client(wire.address, token=TOKEN, deadline_seconds=20) as client:
        yield client


def write(folder: Path, name: str, size: int | None = None) -> Path:
    """A file whose content is its name, or random."""
    path = folder / name
    path.write_bytes(name.encode() if size is None else os.urandom(size))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def upload_pair(chorus: Chorus, folder: Path, video: str) -> tuple[str, str]:
    """The ids of a recording and a video."""
    return chorus.upload(write(folder, "speech.wav")).id, chorus.upload(write(folder, video)).id


@pytest.mark.usefixtures("worker")
def test_from_a_file_to_an_output(chorus: Chorus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chorus_client.requests._PAGE_ITEMS", 2)
    chorus.wait_until_ready(10)
    assert chorus.limits().max_upload_bytes == 1 << 30
    seen: list[tuple[int, int]] = []
    audio = chorus.upload(write(tmp_path, "speech.wav"), progress=lambda *state: seen.append(state))
    assert (audio.kind, audio.bytes, seen[-1]) == ("audio", 10, (10, 10))
    video = chorus.upload(write(tmp_path, "clip.mp4"), name="两.mp4")
    assert chorus.get_media(video.id) == video
    assert chorus.preflight(video.id).findings.verdict == "face"
    failing = chorus.upload(write(tmp_path, "fail.mp4"))

    def create() -> Batch:
        videos, options = [video.id, failing.id], RenderOptions(crf=0)
        return chorus.create_batch(audio.id, videos, options=options, faces={video.id: 0}, idempotency_key=audio.id)

    batch = create()
    assert create().id == batch.id
    *_, jobs = chorus.watch_batch(batch.id)
    assert [job.state for job in jobs] == ["succeeded", "failed"]
    *_, failed = chorus.watch_job(batch.jobs[1].id)
    assert (failed.error.code, failed.error.values["name"]) == ("no-face", "fail.mp4")
    output = tmp_path / "out.mp4"
    chorus.download_output(batch.jobs[0].id, output)
    assert output.read_bytes() == "两.mp4".encode() * 1000
    assert chorus.retry_job(failed.id).state in ("queued", "running", "failed")
    list(chorus.watch_batch(batch.id))
    assert {job.id for job in chorus.list_jobs(batch_id=batch.id)} == {job.id for job in batch.jobs}
    for job in batch.jobs:
        chorus.delete_job(job.id)
    assert batch.id not in [each.id for each in chorus.list_batches()]
    uploads = list(chorus.list_media())
    assert {each.id for each in uploads} == {audio.id, video.id, failing.id}
    for media in uploads:
        chorus.delete_media(media.id)
    assert list(chorus.list_media()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "fail.mp4", "out.mp4", "speech.wav"]


def test_an_upload_goes_on_from_where_the_server_says(chorus: Chorus, wire: Wire, tmp_path: Path) -> None:
    path = write(tmp_path, "large.mp4", 24_000_000)
    wire.break_after(up=11_000_000)
    sent: list[int] = []
    media = chorus.upload(path, progress=lambda done, _: sent.append(done))
    assert (wire.breaks, media.bytes, media.sha256) == (1, 24_000_000, sha256(path))
    (went_on,) = [now for before, now in pairwise(sent) if now <= before]
    assert went_on > 1_000_000
    assert chorus.get_media(media.id).sha256 == media.sha256
    chorus.delete_media(media.id)


def test_a_download_goes_on_from_what_is_there(chorus: Chorus, wire: Wire, tmp_path: Path) -> None:
    path, target = write(tmp_path, "large.mp4", 24_000_000), tmp_path / "again.mp4"
    media = chorus.upload(path)
    wire.break_after(down=11_000_000)
    seen: list[int] = []
    chorus.download_media(media.id, target, progress=lambda done, _: seen.append(done))
    assert (wire.breaks, sha256(target)) == (1, media.sha256)
    assert seen == sorted(set(seen))
    chorus.delete_media(media.id)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["again.mp4", "large.mp4"]


def test_a_transfer_ends_when_its_progress_raises_and_leaves_nothing(
    chorus: Chorus, gateway: Gateway, tmp_path: Path
) -> None:
    media = chorus.upload(write(tmp_path, "large.mp4", 3_000_000))

    def stop(*_state: int) -> None:
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        chorus.download_media(media.id, tmp_path / "never.mp4", progress=stop)
    with pytest.raises(InterruptedError, match="enough"):
        chorus.upload(tmp_path / "large.mp4", progress=stop)
    assert [each.name for each in tmp_path.iterdir()] == ["large.mp4"]
    assert list(gateway.storage.keys("parts")) == []
    chorus.delete_media(media.id)


def test_an_upload_that_is_cancelled_leaves_nothing(gateway: Gateway, tmp_path: Path) -> None:
    path = write(tmp_path, "large.mp4", 24_000_000)

    async def cancel_upload() -> None:
        async with AsyncChorus(gateway.rpc_address, token=TOKEN) as chorus:
            begun = asyncio.Event()

            def report(done: int, _total: int) -> None:
                if done > 0:
                    begun.set()

            upload = asyncio.create_task(chorus.upload(path, progress=report))
            await asyncio.wait_for(begun.wait(), 10)
            upload.cancel()
            with pytest.raises(asyncio.CancelledError):
                await upload

    asyncio.run(cancel_upload())
    wait_until(lambda: not list(gateway.storage.keys("parts")))
    with tables.transaction(gateway.database) as connection:
        assert connection.execute(sa.select(tables.uploads).where(tables.uploads.c.media_id.is_(None))).all() == []


def test_a_batch_whose_answer_was_lost_is_made_once(
    chorus: Chorus, gateway: Gateway, wire: Wire, tmp_path: Path
) -> None:
    audio, video = upload_pair(chorus, tmp_path, "slow-0.mp4")

    def count() -> int:
        # Asked in a thread of the wire.
        with acting_as(SYSTEM):
            return gateway.operations.list_batches(limit=1, offset=0)[1]

    before = count()
    with wire.answers_lost(until=lambda: count() > before):
        batch = chorus.create_batch(audio, [video])
    assert count() == before + 1
    assert [each.id for each in chorus.list_jobs(batch_id=batch.id)] == [batch.jobs[0].id]
    assert chorus.cancel_batch(batch.id).counts["queued"] == 0


def test_a_delete_whose_answer_was_lost_is_done(chorus: Chorus, gateway: Gateway, wire: Wire, tmp_path: Path) -> None:
    media = chorus.upload(write(tmp_path, "clip.mp4"))
    with wire.answers_lost(until=lambda: not list(gateway.storage.keys(f"media/{media.sha256}"))):
        chorus.delete_media(media.id)
    with pytest.raises(ChorusError) as refusal:
        chorus.delete_media(media.id)
    assert refusal.value.kind is ErrorKind.NOT_FOUND


def test_a_watch_goes_on_after_a_break_and_after_silence(
    open_client: OpenClient, gateway: Gateway, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dict(CHANNEL_OPTIONS) | {"grpc.keepalive_time_ms": 500, "grpc.http2.ping_timeout_ms": 500}
    for module in ("client", "async_client"):
        monkeypatch.setattr(f"chorus_client.{module}.CHANNEL_OPTIONS", tuple(options.items()))
    with open_client(wire.address, token=TOKEN, deadline_seconds=20) as chorus:
        audio, video = upload_pair(chorus, tmp_path, "slow-60.mp4")
        batch = chorus.create_batch(audio, [video])
        watch = chorus.watch_job(batch.jobs[0].id)
        seen = [next(watch)]

        def disturb() -> None:
            wire.break_off()
            wait_until(lambda: wire.connections >= 2)
            time.sleep(0.3)
            wire.freeze()
            with acting_as(SYSTEM):
                gateway.operations.cancel_batch(batch.id)

        disturber = threading.Thread(target=disturb)
        disturber.start()
        seen += watch
        disturber.join()
        assert wire.connections >= 3
    assert seen[-1].state == "cancelled"
    assert all(before != after for before, after in pairwise(seen))


def test_errors_say_what_they_are(chorus: Chorus, open_client: OpenClient, wire: Wire, tmp_path: Path) -> None:
    def refusal(call: Callable[[], Any]) -> ChorusError:
        with pytest.raises(ChorusError) as caught:
            call()
        return caught.value

    unknown = refusal(lambda: chorus.get_job("none"))
    assert (unknown.kind, unknown.code, unknown.values) == (ErrorKind.NOT_FOUND, "job-unknown", {"job": "none"})
    assert (str(unknown), unknown.retryable) == (unknown.message, False)
    assert str(pickle.loads(pickle.dumps(unknown))) == unknown.message
    unusable = refusal(lambda: chorus.upload(write(tmp_path, "notes.pdf")))
    assert (unusable.kind, unusable.code, unusable.values["name"]) == (
        ErrorKind.INVALID_INPUT,
        "kind-unusable",
        "notes.pdf",
    )
    with open_client(wire.address, token="wrong") as stranger:
        stranger.wait_until_ready(10)
        assert refusal(stranger.limits).code == "token-needed"
        assert refusal(stranger.limits).kind is ErrorKind.UNAUTHENTICATED
    with open_client("127.0.0.1:1", deadline_seconds=1) as nobody:
        assert refusal(nobody.limits).kind is ErrorKind.UNAVAILABLE
        assert refusal(lambda: nobody.cancel_job("none")).kind is ErrorKind.DEADLINE


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_example_of_the_readme(
    readme: str, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / readme).read_text()
    (block,) = re.findall(r"^    from chorus_client.*?(?=^\S)", text, re.MULTILINE | re.DOTALL)
    code = textwrap.dedent(block).replace('"127.0.0.1:7861"', f'"{gateway.rpc_address}", token="{TOKEN}"')
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    (output,) = tmp_path.glob("*.mp4")
    assert output.read_bytes() == b"astronaut.mp4" * 1000


@pytest.mark.usefixtures("worker")
def test_a_client_made_from_the_proto_alone(gateway: Gateway, tmp_path: Path) -> None:
    proto = ROOT / "services" / "gateway" / "v1" / "gateway.proto"
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    make = ["-m", "grpc_tools.protoc", f"-I{proto.parent}", f"--python_out={stubs}", f"--grpc_python_out={stubs}"]
    subprocess.run([sys.executable, *make, proto.name], check=True, timeout=60)
    speech, video, output = write(tmp_path, "speech.wav"), write(tmp_path, "clip.mp4", 3_000_000), tmp_path / "out.mp4"
    script = ROOT / "examples" / "grpc" / "client.py"
    done = subprocess.run(
        [sys.executable, script, gateway.rpc_address, speech, video, output, "--token", TOKEN],
        env={"PYTHONPATH": str(stubs)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("succeeded")
    assert output.read_bytes() == b"clip.mp4" * 1000

"""Looking into files: the children that do it, and the call to preprocess in which it comes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from services.errors import ChorusError, ErrorKind
from services.gateway.__main__ import build_operations
from services.preprocess import look as look_module
from services.preprocess import probing
from services.preprocess.look import LookClient
from services.preprocess.probing import ProbePool
from tests import media_samples
from tests.fake_look import look_on_full_disk
from tests.gateway_stack import make_settings, wait_until

# What a test asks of operations itself, it asks as the system.
pytestmark = pytest.mark.usefixtures("as_system")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbePool]:
    probes = ProbePool(tmp_path_factory.mktemp("probes"))
    yield probes
    probes.close()


def test_a_video_gives_a_thumbnail_and_sound_gives_none(pool: ProbePool, tmp_path: Path) -> None:
    video, sound = tmp_path / "clip.mp4", tmp_path / "tone.m4a"
    media_samples.make_clip(video, media_samples.ClipRecipe(size=(1280, 720)))
    media_samples.make_sound(sound)
    facts, thumbnail = pool.probe(video, "clip.mp4")
    assert (facts.kind, facts.width, facts.height) == ("video", 1280, 720)
    shown = cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (270, 480, 3)
    facts, thumbnail = pool.probe(sound, "tone.m4a")
    assert (facts.kind, thumbnail) == ("audio", b"")
    sound.write_bytes(b"no recording at all")
    with pytest.raises(ChorusError, match=r"tone\.m4a") as refusal:
        pool.probe(sound, "tone.m4a")
    assert refusal.value.values["name"] == "tone.m4a"


@pytest.fixture(scope="module")
def slow_picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo that takes a second to decode."""
    path = tmp_path_factory.mktemp("slow") / "slow.png"
    noise = np.random.default_rng(0).integers(0, 255, (4000, 4000, 3), np.uint8)
    cv2.imwrite(str(path), noise)
    return path


def _who_reads(path: Path) -> psutil.Process | None:
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if str(path) in [each.path for each in child.open_files()]:
                return child
    return None


def _children() -> list[psutil.Process]:
    """Those of all pools that live."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # a zombie has no command line
            if "multiprocessing.spawn" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_child_that_dies_refuses_its_own_file_only(pool: ProbePool, slow_picture: Path, tmp_path: Path) -> None:
    good = tmp_path / "tone.m4a"
    media_samples.make_sound(good)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(pool.probe, slow_picture, "odd.png")
        wait_until(lambda: _who_reads(slow_picture)).send_signal(signal.SIGSEGV)
        assert pool.probe(good, "tone.m4a")[0].kind == "audio"
        with pytest.raises(ChorusError, match=r"odd\.png cannot be read") as refusal:
            waiting.result(30)
    assert refusal.value.kind is ErrorKind.INVALID_INPUT
    assert pool.probe(slow_picture, "slow.png")[0].kind == "still"


def test_who_kills_a_child_costs_nothing_and_twice_the_file(pool: ProbePool, slow_picture: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(pool.probe, slow_picture, "slow.png")
        wait_until(lambda: _who_reads(slow_picture)).kill()
        assert waiting.result(30)[0].kind == "still"
        waiting = thread.submit(pool.probe, slow_picture, "twice.png")
        for _ in range(2):
            child = wait_until(lambda: _who_reads(slow_picture))
            child.kill()
            wait_until(lambda: _who_reads(slow_picture) != child)  # noqa: B023  # called at once
        with pytest.raises(ChorusError, match=r"twice\.png cannot be read"):
            waiting.result(30)


def test_a_child_that_hangs_is_ended(pool: ProbePool, slow_picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_SECONDS", 2.0)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(pool.probe, slow_picture, "hung.png")
        child = wait_until(lambda: _who_reads(slow_picture))
        child.suspend()
        with pytest.raises(ChorusError, match=r"hung\.png cannot be read"):
            waiting.result(30)
    wait_until(lambda: not child.is_running())


def test_a_full_disk_is_no_fault_of_the_file(
    pool: ProbePool, slow_picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "look_into", look_on_full_disk)
    with pytest.raises(ChorusError, match="No space is left") as refusal:
        pool.probe(slow_picture, "slow.png")
    assert refusal.value.kind is ErrorKind.STORAGE_FULL


def test_a_pool_whose_idle_children_die_is_made_anew(pool: ProbePool, tmp_path: Path) -> None:
    good = tmp_path / "tone.m4a"
    media_samples.make_sound(good)
    assert pool.probe(good, "tone.m4a")[0].kind == "audio"
    for child in _children():
        child.kill()
    assert pool.probe(good, "tone.m4a")[0].kind == "audio"


def test_a_pool_that_is_made_anew_leaves_no_child_of_the_old_one(tmp_path: Path) -> None:
    good, others = tmp_path / "tone.m4a", set(_children())
    media_samples.make_sound(good)
    pool = ProbePool(tmp_path)
    try:
        pool.probe(good, "tone.m4a")
        first = pool._pool

        def is_broken() -> bool:
            """Only a child that waits for a file breaks its pool; another is replaced."""
            for child in list(set(_children()) - others)[:1]:
                child.kill()
            return not first.active

        wait_until(is_broken, seconds=30)
        old = set(_children()) - others
        assert pool.probe(good, "tone.m4a")[0].kind == "audio"
        assert pool._pool is not first
        wait_until(lambda: not old & set(_children()), seconds=30)
    finally:
        pool.close()


def test_without_preprocess_an_upload_fails_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_module, "_PATIENCE_SECONDS", 0.5)
    look = LookClient("127.0.0.1:1")
    database, storage, operations = build_operations(make_settings(tmp_path), look)
    try:
        with operations.intake.receive("clip.mp4") as incoming:
            incoming.write(b"clip")
            with pytest.raises(ChorusError, match=r"preprocess at 127\.0\.0\.1:1 does not answer") as refusal:
                operations.intake.create(incoming)
        assert refusal.value.retryable
        assert list(storage.keys("")) == []
    finally:
        operations.preflights.close()
        look.close()
        database.dispose()


def test_a_child_has_only_so_much_memory(pool: ProbePool) -> None:
    with pytest.raises(MemoryError):
        pool._pool.schedule(bytearray, args=(5 << 30,)).result()
    assert len(pool._pool.schedule(bytearray, args=(5 << 20,)).result()) == 5 << 20


def test_a_codec_that_nobody_knows_is_refused_in_words(pool: ProbePool, tmp_path: Path) -> None:
    video = tmp_path / "strange.mp4"
    media_samples.make_clip(video, media_samples.ClipRecipe(size=(320, 180)))
    video.write_bytes(video.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(ChorusError) as refusal:
        pool.probe(video, "strange.mp4")
    assert (refusal.value.kind, refusal.value.values["name"]) == (ErrorKind.INVALID_INPUT, "strange.mp4")

"""How much room uploads and batches leave on the disks."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.errors import ChorusError
from services.jobs import watching
from services.library.incoming import IncomingFile
from services.library.room import Room
from services.storage import Storage

MIB = 1 << 20


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """What is free where, in MiB."""
    found: dict[str, int | None] = {"store": 100, "scratch": 100}

    def usage(_: Any) -> Any:
        return SimpleNamespace(free=(found["scratch"] or 0) * MIB)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(Storage, "free", lambda _: None if found["store"] is None else found["store"] * MIB)
    return found


def open_room(folder: Path, least: int) -> Room:
    return Room(Storage((folder / "store").as_uri(), folder / "scratch"), folder / "scratch", least * MIB)


@pytest.mark.parametrize(
    ("store", "scratch", "announced", "code"),
    [
        (100, 100, {}, None),
        (9, 100, {}, "disk-low"),
        (100, 9, {}, "disk-low"),
        (None, 100, {"store": 500, "scratch": 90}, None),
        (None, 9, {}, "disk-low"),
        (100, 100, {"scratch": 90, "store": 90}, None),
        (100, 100, {"scratch": 91}, "disk-too-small"),
        (100, 100, {"store": 91}, "disk-too-small"),
        (100, 100, {"store": 101}, "storage-full"),
    ],
)
def test_what_would_leave_too_little_is_refused(
    tmp_path: Path,
    free: dict[str, int | None],
    store: int | None,
    scratch: int,
    announced: dict[str, int],
    code: str | None,
) -> None:
    free.update(store=store, scratch=scratch)
    room = open_room(tmp_path, 10)
    sizes = {place: size * MIB for place, size in announced.items()}
    if code is None:
        room.check("a.mp4", **sizes)
    else:
        with pytest.raises(ChorusError) as refusal:
            room.check("a.mp4", **sizes)
        assert refusal.value.code == code
    assert room.is_low() == (code == "disk-low")


def test_without_a_mark_only_what_cannot_fit_is_refused(tmp_path: Path, free: dict[str, int | None]) -> None:
    free.update(store=0, scratch=5)
    room = open_room(tmp_path, 0)
    room.check("a.mp4", scratch=5 * MIB)
    assert not room.is_low()
    with pytest.raises(ChorusError, match=r"No space is left to store a\.mp4"):
        room.check("a.mp4", scratch=6 * MIB)


def test_a_file_that_is_received_is_refused_when_it_is_announced_and_while_it_comes(
    tmp_path: Path, free: dict[str, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    room = open_room(tmp_path, 10)
    with IncomingFile(tmp_path, "a.mp4", 1 << 40, room) as upload:
        with pytest.raises(ChorusError, match="91 MiB, and of the 100 MiB that are left on the disk 10 MiB stay free"):
            upload.announce(91 * MIB)
        upload.announce(90 * MIB)
        upload.write(b"x")
        monkeypatch.setattr(room._free, "look", lambda _: {"scratch": 9 * MIB})
        with pytest.raises(ChorusError, match="The disk is nearly full: 9 MiB are left"):
            upload.write(b"x")


def test_what_is_free_is_looked_up_once_a_second(
    tmp_path: Path, free: dict[str, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: now))
    room = open_room(tmp_path, 10)
    room.check()
    free["store"] = 0
    now = 100.9
    room.check()
    now = 101.1
    with pytest.raises(ChorusError, match="The disk is nearly full"):
        room.check()


def test_a_file_needs_room_in_the_store_only_where_that_is_another_disk(
    tmp_path: Path, free: dict[str, int | None]
) -> None:
    open_room(tmp_path, 10).check_copy("a.mp4", 95 * MIB)
    other = next((each for each in ("/dev/shm", "/run") if _is_another_disk(each, tmp_path)), None)
    if other is None:
        pytest.skip("this machine has one disk only")
    storage = Storage((tmp_path / "store").as_uri(), tmp_path / "scratch")
    with pytest.raises(ChorusError, match="95 MiB"):
        Room(storage, Path(other), 10 * MIB).check_copy("a.mp4", 95 * MIB)


def _is_another_disk(folder: str, than: Path) -> bool:
    return Path(folder).is_dir() and Path(folder).stat().st_dev != than.stat().st_dev

"""The artifact store on a real folder."""

from __future__ import annotations

import errno
import io
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from services.errors import ChorusError, ErrorKind
from services.storage import Storage, storage_error
from tests.states import NewState, Servers


@pytest.fixture
def store(new_state: NewState, tmp_path: Path) -> Storage:
    return Storage(new_state().get("store_url", (tmp_path / "a folder").as_uri()), tmp_path / "scratch")


@pytest.fixture
def folder_store(tmp_path: Path) -> Storage:
    return Storage((tmp_path / "a folder").as_uri(), tmp_path / "scratch")


def test_a_file_comes_back_whole_and_in_ranges(store: Storage, tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    source = tmp_path / "x"
    source.write_bytes(content)
    assert store.put_file("media/x", source)
    assert store.size("media/x") == len(content)
    assert b"".join(store.read("media/x")) == content
    assert b"".join(store.read("media/x", 1000, 2_000_003)) == content[1000:2_000_003]
    with store.local_copy("media/x") as path:
        assert path.read_bytes() == content


def test_create_only_keeps_the_first(store: Storage) -> None:
    assert store.put_file("outputs/1.mp4", io.BytesIO(b"first"), create_only=True)
    assert not store.put_file("outputs/1.mp4", io.BytesIO(b"second"), create_only=True)
    assert b"".join(store.read("outputs/1.mp4")) == b"first"


def test_of_many_who_create_one_key_exactly_one_wins_and_no_half_file_is_seen(store: Storage, tmp_path: Path) -> None:
    writers = 8
    for number in range(writers):
        (tmp_path / str(number)).write_bytes(bytes([number]) * 100_000)
    with ThreadPoolExecutor(writers) as pool:
        for turn in range(10):
            key = f"outputs/{turn}.mp4"
            create = partial(store.put_file, key, create_only=True)
            won = list(pool.map(create, [tmp_path / str(number) for number in range(writers)]))
            assert won.count(True) == 1
            assert b"".join(store.read(key)) == bytes([won.index(True)]) * 100_000
    assert list(store.keys("staging")) == []


def test_an_empty_file_can_be_created(store: Storage, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert store.put_file("media/empty", tmp_path / "empty", create_only=True)
    assert store.size("media/empty") == 0


def test_what_is_missing_is_not_found(store: Storage) -> None:
    assert store.size("nothing") is None
    store.delete("nothing")
    with pytest.raises(ChorusError) as caught:
        next(store.read("nothing"))
    assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/../../outside"])
def test_a_key_never_leaves_the_folder(folder_store: Storage, tmp_path: Path, key: str) -> None:
    with pytest.raises((ChorusError, ValueError)):
        folder_store.put_bytes(key, b"x")
    assert not list(tmp_path.rglob("outside"))


def test_keys_lists_what_lies_below(store: Storage) -> None:
    for key in ("a/1", "a/b/2", "c/3"):
        store.put_bytes(key, b"x")
    assert sorted(store.keys("a")) == ["a/1", "a/b/2"]


def test_what_a_killed_writer_left_is_swept_after_a_day(folder_store: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    (folder / "staging").mkdir()
    old, fresh, kept = folder / "staging" / "old", folder / "outputs.mp4#1", folder / "a#b"
    for path in (old, fresh, kept):
        path.write_bytes(b"x")
    for path in (old, kept):
        os.utime(path, (0, 0))
    folder_store.sweep()
    assert [path.exists() for path in (old, fresh, kept)] == [False, True, True]


def test_a_full_disk_has_its_own_kind() -> None:
    assert storage_error(OSError(errno.ENOSPC, "No space left on device"), "k").kind is ErrorKind.STORAGE_FULL
    assert storage_error(OSError(errno.EIO, "Input/output error"), "k").kind is ErrorKind.UNAVAILABLE


def test_a_bucket_over_tls_needs_its_authority(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ca.crt").write_bytes(servers.bucket.authority)
    monkeypatch.setenv("AWS_ENDPOINT", servers.bucket.https_endpoint)
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    trusting = Storage(f"{servers.bucket.url}/over-tls", tmp_path / "scratch")
    trusting.put_bytes("a", b"sent in secret")
    assert trusting.put_file("b", io.BytesIO(b"first"), create_only=True)
    assert b"".join(trusting.read("a")) == b"sent in secret"
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ChorusError, match="UnknownIssuer"):
        Storage(f"{servers.bucket.url}/over-tls", tmp_path / "scratch").put_bytes("a", b"")

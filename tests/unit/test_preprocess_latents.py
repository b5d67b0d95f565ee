"""What a family's own net sees in faces is asked for once, and only what is whole is believed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.preprocess.crops import net_box, resting_face
from services.preprocess.faces import CropBox, CropSpec, SourceNet
from services.preprocess.latents import PIECE_ROWS, SeenFaces, latents_folder
from services.storage import Storage

VIDEO = "media/ab12"
SPEC, SIDE = CropSpec(-1.0, -1.0, 2.0, (8,)), 8
NET = SourceNet("mine-latents", "these weights", side=4, most_rows=8, outline=(0,), middle=(0,), below=0)
BOX = CropBox(0, 0, 8, 8)


class Net:
    """In Triton's place: keeps which faces it saw, by their level."""

    def __init__(self) -> None:
        self.saw: list[int] = []
        self.requests: list[int] = []

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        assert (model, list(outputs)) == (NET.model, ["latents"])
        crops = inputs["crop"]
        assert crops.shape[1:] == (NET.side, NET.side, 3)
        levels = crops[:, 0, 0, 0].astype(int) + 256 * crops[:, 0, 0, 1].astype(int)
        self.saw += levels.tolist()
        self.requests.append(len(levels))
        return {"latents": np.broadcast_to(levels[:, None, None], (len(levels), 2, 3)).astype(np.float32)}


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage((tmp_path / "store").as_uri(), tmp_path)
    storage.put_bytes(VIDEO, b"a video")
    return storage


def crop(row: int) -> NDArray[np.uint8]:
    return np.full((SIDE, SIDE, 3), [row % 256, row // 256, 0], np.uint8)


def stream(
    storage: Storage,
    net: Net,
    rows: Sequence[int],
    *,
    track: int = 0,
    whole: bool = True,
    wanted: SourceNet = NET,
    box: CropBox = BOX,
) -> SeenFaces:
    """One that shows these rows in batches of eight, and breaks off when it is not `whole`."""
    seen = SeenFaces(storage, VIDEO, wanted, net)
    for start in range(0, len(rows), 8):
        part = rows[start : start + 8]
        seen.look_at(track, SPEC, SIDE, box)
        latents = seen.latents(part, [crop(row) for row in part])
        assert latents.dtype == np.float16
        assert latents[:, 1, 2].tolist() == list(part)
    if whole:
        seen.keep()
    return seen


def stored(storage: Storage) -> list[str]:
    return sorted(key.rsplit("/", 1)[1] for key in storage.keys(latents_folder(VIDEO)))


def test_a_clip_that_goes_back_and_forth_is_seen_once(storage: Storage, net: Net) -> None:
    there = list(range(300))
    seen = stream(storage, net, [*there, *reversed(there), *there])
    assert net.saw == there
    assert (seen.asked, seen.reused) == (300, 600)
    assert stored(storage) == ["0-128", "128-256", "256-300"]


def test_a_second_stream_asks_nothing(storage: Storage, net: Net) -> None:
    stream(storage, net, range(300))
    net.saw.clear()
    stream(storage, net, range(300))
    assert (net.saw, stored(storage)) == ([], ["0-128", "128-256", "256-300"])


def test_a_longer_stream_goes_on_where_a_shorter_one_ended(storage: Storage, net: Net) -> None:
    stream(storage, net, range(100))
    stream(storage, net, range(200))
    assert net.saw == list(range(200))
    assert stored(storage) == ["0-100", "100-128", "128-200"]
    stream(storage, net, [*range(200), *reversed(range(200))])
    assert net.saw == list(range(200))


def test_of_a_stream_that_breaks_off_only_whole_pieces_stay(storage: Storage, net: Net) -> None:
    stream(storage, net, range(200), whole=False)
    assert stored(storage) == ["0-128"]
    net.saw.clear()
    stream(storage, net, range(200))
    assert net.saw == list(range(128, 200))


def test_what_another_stream_publishes_meanwhile_is_found(storage: Storage, net: Net) -> None:
    first = SeenFaces(storage, VIDEO, NET, net)
    first.look_at(0, SPEC, SIDE, BOX)
    first.latents(range(8), [crop(row) for row in range(8)])
    stream(storage, net, range(256))
    net.saw.clear()
    for start in range(8, 256, 8):
        first.latents(range(start, start + 8), [crop(row) for row in range(start, start + 8)])
    assert net.saw == list(range(8, 128))
    assert stored(storage) == ["0-128", "128-256"]


def test_the_face_of_a_photo_is_seen_once(storage: Storage, net: Net) -> None:
    stream(storage, net, [0] * 40)
    stream(storage, net, [0] * 40)
    assert (net.saw, stored(storage)) == ([0], ["0-1"])


def test_rows_that_a_video_leaves_out_are_no_part_of_a_piece(storage: Storage, net: Net) -> None:
    rows = [0, 1, 2, 7, 8, 9]
    stream(storage, net, rows)
    assert stored(storage) == ["0-3", "7-10"]
    net.saw.clear()
    stream(storage, net, range(10))
    assert net.saw == [3, 4, 5, 6]


@pytest.mark.parametrize(
    "change",
    [
        {"wanted": SourceNet("mine-latents", "others", 4, 8, (0,), (0,), 0)},
        {"box": CropBox(0, 0, 8, 6)},
        {"track": 1},
    ],
)
def test_another_net_another_box_and_another_person_are_seen_anew(
    storage: Storage, net: Net, change: dict[str, object]
) -> None:
    stream(storage, net, range(8))
    stream(storage, net, range(8), **change)  # type: ignore[arg-type]
    assert net.saw == [*range(8)] * 2


def test_the_name_of_the_net_alone_changes_nothing(storage: Storage, net: Net) -> None:
    stream(storage, net, range(8))
    other = SourceNet("mine-latents", NET.identity, 4, 2, (0,), (0,), 0)
    stream(storage, net, range(16), wanted=other)
    assert net.saw == list(range(16))
    # No request is larger than the net allows.
    assert net.requests == [8, 2, 2, 2, 2]


def test_a_video_that_was_deleted_meanwhile_leaves_nothing_behind(storage: Storage, net: Net) -> None:
    seen = stream(storage, net, range(20), whole=False)
    storage.delete(VIDEO)
    seen.keep()
    assert stored(storage) == []


def test_a_store_that_fails_stops_no_job(
    storage: Storage, net: Net, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_arguments: object, **_named: object) -> None:
        raise ChorusError(ErrorKind.STORAGE_FULL, "storage-full", name="latents")

    monkeypatch.setattr(Storage, "put_file", full)
    stream(storage, net, range(200))
    assert net.saw == list(range(200))
    assert "latents of 128 faces are not kept" in caplog.text


def test_a_net_that_answers_for_other_faces_is_refused(storage: Storage) -> None:
    class Short(Net):
        def infer(self, *arguments: object) -> dict[str, NDArray[np.generic]]:
            return {"latents": np.zeros((1, 2), np.float32)}

    with pytest.raises(ChorusError, match="mine-latents gave"):
        stream(storage, Short(), range(8))


def test_the_box_goes_from_cheek_to_cheek_and_as_far_above_the_nose_as_to_the_chin() -> None:
    face = np.zeros((478, 2))
    face[10], face[11], face[12], face[13] = (-0.5, 0), (0.75, 0), (0, 0.5), (0, -0.25)
    wanted = SourceNet("n", "i", 256, 8, outline=(10, 11, 12), middle=(13,), below=0.1)
    spec = CropSpec(-1.0, -1.5, 2.5, (160, 320))
    unit = 320 / 2.5
    # The chin is .75 below the nose; a tenth of twice that is added under it.
    exact = np.array([0.5, 0.5, 1.75, 2.15]) * unit
    assert np.abs(np.array(net_box(wanted, face, spec, 320)) - exact).max() <= 2
    small = net_box(wanted, face, spec, 160)
    assert np.array_equal(np.array(small) * 2, net_box(wanted, face, spec, 320))
    assert all(edge % 2 == 0 for edge in small)


def test_a_box_stays_inside_the_crop_and_is_never_empty() -> None:
    face = np.full((478, 2), 9.0)
    face[1] = -9
    wide = net_box(SourceNet("n", "i", 256, 8, (0, 1), (1,), 0.1), face, SPEC, 80)
    assert wide == (0, 0, 80, 80)
    left, top, right, bottom = net_box(SourceNet("n", "i", 256, 8, (0,), (0,), 0), face, SPEC, 80)
    assert (left, top, right, bottom) == (79, 79, 80, 80)


def test_a_nose_is_where_the_crops_of_a_bent_head_show_it() -> None:
    neutral = np.zeros((478, 3))
    neutral[5] = (0, -0.5, -0.4)
    bent = np.radians(20)
    turn = np.array([[1, 0, 0], [0, np.cos(bent), -np.sin(bent)], [0, np.sin(bent), np.cos(bent)]])
    pose = np.concatenate([150 * turn, np.array([[400], [300], [0]])], axis=1)
    shown = resting_face(neutral, np.stack([pose] * 3))
    source = pose[:, :3] @ neutral[5] + pose[:, 3]
    plane = pose[:2, [0, 1, 3]]
    assert plane[:, :2] @ shown[5] + plane[:, 2] == pytest.approx(source[:2])
    assert shown[5, 1] > neutral[5, 1] + 0.1


def test_memory_does_not_grow_with_the_video(storage: Storage) -> None:
    class Large(Net):
        def infer(self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]) -> Any:
            return {"latents": np.zeros((len(inputs["crop"]), 8, 32, 32), np.float32)}

    def shown(rows: int) -> int:
        """Most bytes held while so many faces of 16 kB go by."""
        tracemalloc.start()
        seen, shown = SeenFaces(storage, VIDEO, NET, Large()), crop(0)
        for start in range(0, rows, 8):
            seen.look_at(rows, SPEC, SIDE, BOX)
            seen.latents(range(start, start + 8), [shown] * 8)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    few, many = shown(4 * PIECE_ROWS), shown(16 * PIECE_ROWS)
    assert many < 1.2 * few
    assert many < 16 * PIECE_ROWS * 16_384 / 3

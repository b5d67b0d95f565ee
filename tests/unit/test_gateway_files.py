"""Names and keys of files: nothing that a user types becomes a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import ChorusError, ErrorKind
from services.gateway.rest.downloads import content_disposition, parse_range
from services.library.incoming import IncomingFile
from services.library.keys import media_key, output_key, poster_key
from services.library.names import display_name, output_names
from services.library.room import Room
from services.storage import Storage


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\videos\\clip.mov", "clip.mov"),
        ("多人 会议.mp4", "多人 会议.mp4"),
        ("e\u0301te\u0301.mp4", "\u00e9t\u00e9.mp4"),
        ('a<b>:"|?*.mp4', "a_b______.mp4"),
        ("line\nbreak\x00\u202egpj.mp4", "linebreakgpj.mp4"),
        ("  .hidden. ", "hidden"),
        ("", "file"),
        ("..", "file"),
        ("a/", "file"),
    ],
)
def test_a_name_is_shown_without_folders_and_tricks(given: str, shown: str) -> None:
    assert display_name(given) == shown


def test_a_long_name_keeps_its_ending_and_whole_letters() -> None:
    name = display_name("老" * 300 + ".mp4")
    assert name.endswith("老.mp4")
    assert len(name.encode()) <= 200


def test_output_names_are_readable_and_different() -> None:
    videos = ["Anna.mov", "anna.mp4", "ANNA.avi", "ben.mp4"]
    assert output_names(videos, "welcome.wav") == [
        "Anna - welcome.mp4",
        "anna - welcome (2).mp4",
        "ANNA - welcome (3).mp4",
        "ben - welcome.mp4",
    ]
    (long,) = output_names(["长" * 300], "音" * 300)
    assert len(long.encode()) <= 255


def test_keys_follow_from_content_and_job() -> None:
    assert media_key("abc") == "media/abc"
    assert (output_key("b.1"), poster_key("b.1")) == ("outputs/b.1.mp4", "posters/b.1.jpg")


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", None),
        ("bytes=0-9", (0, 10)),
        ("bytes = 5-", (5, 100)),
        ("bytes=-7", (93, 100)),
        ("bytes=-700", (0, 100)),
        ("bytes=90-200", (90, 100)),
        ("bytes=100-", (100, 100)),
        ("bytes=100-200", (100, 100)),
        ("bytes=-0", (100, 100)),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("bytes=5-4", None),
        ("bytes=\u0661-", None),
        ("items=0-9", None),
    ],
)
def test_ranges(header: str, wanted: tuple[int, int] | None) -> None:
    assert parse_range(header, 100) == wanted


def test_a_download_is_named_in_ascii_and_in_full() -> None:
    header = content_disposition("attachment", 'é "1" 老.mp4')
    assert header == "attachment; filename=\"_ _1_ _.mp4\"; filename*=UTF-8''%C3%A9%20%221%22%20%E8%80%81.mp4"


def test_a_full_disk_hides_no_other_error_of_a_file_that_is_received(tmp_path: Path) -> None:
    room = Room(Storage(tmp_path.as_uri(), tmp_path), tmp_path, 0)
    incoming = IncomingFile(tmp_path, "speech.wav", 1 << 20, room)
    incoming._file.close()
    incoming._file = Path("/dev/full").open("wb")  # noqa: SIM115  # closed by the block
    refused = ChorusError(ErrorKind.UNAVAILABLE, "database-silent")
    with pytest.raises(ChorusError) as refusal, incoming:
        _write_and_raise(incoming, refused)
    assert refusal.value is refused
    assert not list(tmp_path.iterdir())


def _write_and_raise(incoming: IncomingFile, error: ChorusError) -> None:
    """So little that it lies in a buffer when the error comes."""
    incoming.write(b"a few bytes")
    raise error

"""Names that others chose cannot break a line or command a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from services.cli.display import Lines
from services.cli.run import RunRequest, plan_outputs, sound_notes
from services.errors import ChorusError, ErrorKind
from services.printable import printable

WICKED = "a\n2026-01-01 ERROR\x1b[2J\r\u202egpj.mp4"
SHOWN = r"a\n2026-01-01 ERROR\x1b[2J\r\u202egpj.mp4"


def test_what_cannot_be_seen_is_escaped_and_the_rest_is_not() -> None:
    assert printable(WICKED) == SHOWN
    assert printable("上午好 – Ærø 😀.mp4") == "上午好 – Ærø 😀.mp4"
    assert printable(b"\xff.mp4".decode(errors="surrogateescape")) == r"\udcff.mp4"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_errors_name_files_on_one_line(language: str) -> None:
    error = ChorusError(ErrorKind.INVALID_INPUT, "file-empty", name=WICKED)
    assert SHOWN in error.text(language)


def test_the_lines_of_a_run_are_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (item,) = plan_outputs(
        RunRequest(audio=Path("a.wav"), videos=(tmp_path / WICKED,), output_dir=tmp_path, options={})
    )
    lines = Lines(Console())
    lines.succeed(item.label, item.output)
    lines.fail(item.label, "no face")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert all(SHOWN in line and "\x1b" not in line for line in said)


def test_a_run_says_what_its_recording_lacks() -> None:
    assert sound_notes({"sound_notes": [], "sound_track": None}) == []
    said = sound_notes({"sound_notes": ["no_speech", "of a later release"], "sound_track": 2})
    assert said[0].startswith("no speech was found")
    assert said[1:] == ["track 2 of its sound is heard"]

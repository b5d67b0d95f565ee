"""`make gpu` on the processor alone: it runs through, so that on a GPU only the engines are new."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.gpu.__main__ import main


@pytest.mark.timeout(900)
def test_a_dry_run_measures_everything_and_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dry", "--seconds", "0.2", "--folder", str(tmp_path)]) == 0
    print(capsys.readouterr().out)
    table = (tmp_path / "table.md").read_text()
    assert table.startswith("DRY RUN: the processor alone")
    cells = dict(line.strip("|").split("|") for line in table.splitlines() if line.startswith("|"))
    measured = {label.strip(): cell.strip() for label, cell in cells.items()}
    assert "CPU, float32" in measured["what computes wav2lip96"]
    assert all(float(measured[f"wav2lip96, rows a second at {rows}"]) > 0 for rows in (1, 8, 16, 32))
    assert all(float(measured[f"job of {family}, 9.4 s of 720p, s"]) > 0 for family in ("default", "wav2lip96"))
    assert float(measured["mouth_renderer in jobs, ms a request"]) > 0

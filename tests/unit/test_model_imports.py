"""Imports as rows that all api processes share, and where a model repository may be changed from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind
from services.folders import lock_file
from services.gateway.operations.errands import ModelRepository
from services.gateway.operations.import_rows import ImportRows, ImportStage, ImportState
from services.jobs import moments, tables
from services.jobs.imported import LOCK, drafts_of
from services.jobs.upgrade import create_tables


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[ImportRows, ImportRows]]:
    """What two processes see of one database."""
    database = tables.open_database(f"sqlite:///{tmp_path / 'chorus.db'}")
    create_tables(database)
    yield ImportRows(database), ImportRows(database)
    database.dispose()


def insert(rows: ImportRows, upload_id: str, name: str = "") -> tuple[str, bool]:
    return rows.insert(upload_id=upload_id, name=name, licence="MIT", file_name="net.onnx", owner="anna")


def test_of_two_imports_of_one_name_or_one_upload_there_is_one(two: tuple[ImportRows, ImportRows]) -> None:
    one, other = two
    import_id, is_new = insert(one, "a", "mine")
    assert is_new
    assert insert(other, "a", "mine") == (import_id, False)
    with pytest.raises(ChorusError) as refusal:
        insert(other, "b", "mine")
    assert (refusal.value.kind, refusal.value.code) == (ErrorKind.CONFLICT, "import-name-taken")
    # Nameless ones are called after their nets, when those are known.
    assert insert(other, "c")[1]
    assert insert(other, "d")[1]
    assert [each.id for each in other.page(limit=10)].count(import_id) == 1


def test_whoever_ends_an_import_is_heard_by_who_does_it(two: tuple[ImportRows, ImportRows]) -> None:
    one, other = two
    import_id, _ = insert(one, "a", "mine")
    assert one.write(import_id, state=ImportState.RUNNING, stage=ImportStage.READING)
    assert other.find(import_id).stage is ImportStage.READING
    assert other.write(import_id, state=ImportState.CANCELLED)
    assert not one.write(import_id, state=ImportState.DONE)
    assert one.find(import_id).state is ImportState.CANCELLED
    assert insert(one, "a", "mine")[1], "the name and the upload are free again"


def test_what_a_process_leaves_has_failed_and_nothing_else(two: tuple[ImportRows, ImportRows]) -> None:
    one, other = two
    (left, _), (kept, _) = insert(one, "a"), insert(other, "b")
    one.leave()
    found = other.find(left)
    assert (found.state, found.error and found.error.code) == (ImportState.FAILED, "import-abandoned")
    assert other.unfinished() == {kept}


@pytest.mark.parametrize("seconds", [60, -3600])
def test_what_a_process_that_died_was_importing_has_failed(two: tuple[ImportRows, ImportRows], seconds: int) -> None:
    """Also when its clock was an hour ahead."""
    one, other = two
    import_id, _ = insert(one, "a")
    one.touch()
    assert other.find(import_id).state is ImportState.WAITING
    with tables.transaction(one._database) as connection:
        connection.execute(sa.update(tables.model_imports).values(touched_ms=moments.now_ms() - seconds * 1000))
    assert other.find(import_id).state is ImportState.FAILED


def repository(folder: Path | None, *, allowed: bool = True) -> ModelRepository:
    return ModelRepository(folder, triton="127.0.0.1:1", tls=None, allowed=allowed)


def test_where_nothing_can_be_imported_is_said_in_words(tmp_path: Path) -> None:
    a_file = tmp_path / "a file"
    a_file.touch()
    for folder, allowed, code in (
        (tmp_path / "families", False, "import-switched-off"),
        (None, True, "import-no-folder"),
        (a_file / "families", True, "import-folder-closed"),
    ):
        with pytest.raises(ChorusError) as refusal:
            repository(folder, allowed=allowed).check()
        assert refusal.value.code == code
        assert "chorus models" in refusal.value.message
    assert repository(tmp_path / "families").check() == tmp_path / "families"


def test_a_folder_is_busy_while_its_lock_is_held(tmp_path: Path) -> None:
    folder = tmp_path / "families"
    assert not repository(folder).is_busy()
    lock = drafts_of(folder) / LOCK
    with lock_file(lock, ChorusError(ErrorKind.CONFLICT, "import-busy", folder=str(folder))):
        assert repository(folder).is_busy()
    assert not repository(folder).is_busy()


def test_a_triton_that_is_away_is_told_by_the_child_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "families"
    stages = list[str]()

    def keep_on(stage: str) -> bool:
        stages.append(stage)
        return True

    with pytest.raises(ChorusError) as refusal:
        repository(folder).run("import", keep_on, path="x", called="x", licence="")
    assert (refusal.value.kind, refusal.value.code) == (ErrorKind.UNAVAILABLE, "model-not-served")
    assert stages[-1] == "reading"
    assert not folder.exists()

"""The first step of a release on a cluster, as the process that it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from services.storage import Storage


def migrate(folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """The process, on a state in `folder`."""
    state = {
        "CHORUS_DATABASE_URL": f"sqlite:///{folder / 'chorus.db'}",
        "CHORUS_STORE_URL": (folder / "store").as_uri(),
        "CHORUS_SCRATCH": str(folder / "scratch"),
    }
    command = [sys.executable, "-m", "services.gateway.migrate"]
    return subprocess.run(
        command, env={**os.environ, **state, **changes}, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_makes_tables_and_a_first_file_and_may_be_repeated(tmp_path: Path) -> None:
    assert [migrate(tmp_path).returncode for _ in range(2)] == [0, 0]
    database = sa.create_engine(f"sqlite:///{tmp_path / 'chorus.db'}")
    assert {"batches", "jobs", "media", "workflow_status"} <= set(sa.inspect(database).get_table_names())
    assert Storage((tmp_path / "store").as_uri(), tmp_path / "scratch").size("health/migrate") == 0
    database.dispose()


def test_a_database_or_a_bucket_that_is_away_is_an_error_in_words(tmp_path: Path) -> None:
    database = migrate(tmp_path, CHORUS_DATABASE_URL="postgresql://chorus:x@127.0.0.1:1/chorus")
    assert (database.returncode, database.stderr.strip()) == (1, "The database does not answer: try again in a moment")
    away = {"AWS_ENDPOINT": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    bucket = migrate(tmp_path, CHORUS_STORE_URL="s3://chorus", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", **away)
    assert bucket.returncode == 1
    assert "The artifact store failed at health/migrate" in bucket.stderr
    assert "Traceback" not in bucket.stderr

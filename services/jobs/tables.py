"""Our own tables in the database that DBOS uses too: SQLite in WAL mode or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.errors import ChorusError, ErrorKind
from services.jobs.database_errors import database_error
from services.jobs.model import Priority

# Of a session that says nothing within a transaction, PostgreSQL only: its locks keep everyone else waiting, and its
# process may hang or be on a machine that vanished.
IDLE_IN_TRANSACTION_SECONDS: Final = 10

metadata = sa.MetaData()

media = sa.Table(
    "media",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False, index=True),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("has_audio", sa.Boolean, nullable=False),
    sa.Column("width", sa.Integer),
    sa.Column("height", sa.Integer),
    sa.Column("frame_rate", sa.Text),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("has_thumbnail", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("sound_notes", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("sound_track", sa.Integer),
    # By which rules it was looked into; empty where that is not known, or a part could not be found out.
    sa.Column("facts_version", sa.Text, nullable=False, server_default=""),
)

# Resumable uploads: a row from their creation until they expire; the bytes lie in the scratch folder.
uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("length", sa.BigInteger, nullable=False),
    sa.Column("expires_ms", sa.BigInteger, nullable=False),
    sa.Column("media_id", sa.Text),
    # Who makes a media of it right now, and when they were last alive.
    sa.Column("claim", sa.Text),
    sa.Column("claim_ms", sa.BigInteger),
    # media, or model for what is to be imported.
    sa.Column("purpose", sa.Text, nullable=False, server_default="media"),
)

# The bytes of uploads under way; a part counts once it has a row.
upload_parts = sa.Table(
    "upload_parts",
    metadata,
    sa.Column("upload_id", sa.Text, sa.ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
)

# What was found out about the faces of a content, so that it is looked for once.
preflights = sa.Table(
    "preflights",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("findings", sa.JSON, nullable=False),
)

# Who looks for the faces of a content right now, and how far; the row goes when they were found.
preflight_runs = sa.Table(
    "preflight_runs",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, nullable=False, unique=True),
    sa.Column("runner", sa.Text, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("frames_done", sa.Integer, nullable=False),
    sa.Column("frames_total", sa.Integer, nullable=False),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("touched_ms", sa.BigInteger, nullable=False),
    # Of a first look, until all frames were looked at.
    sa.Column("findings", sa.JSON(none_as_null=True)),
)

# Uploads that become families, and what came of it; see gateway/operations/import_rows.py.
model_imports = sa.Table(
    "model_imports",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("upload_id", "name", "licence", "file_name", "owner")),
    # Which process does it; it says that it lives by touched_ms, which is also when it ended.
    *(sa.Column(name, sa.Text, nullable=False) for name in ("runner", "state", "stage")),
    sa.Column("error", sa.JSON(none_as_null=True)),
    sa.Column("created_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("touched_ms", sa.BigInteger, nullable=False),
)

# How often somebody did something in a window of time; see gateway/operations/counts.py.
rate_counts = sa.Table(
    "rate_counts",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("since", sa.BigInteger, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)

# What visitors of the page have put together and not started yet.
drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("chosen", sa.JSON, nullable=False),
    sa.Column("changed_ms", sa.BigInteger, nullable=False, index=True),
)

# Who is logged in, by a hash of what their cookie says; see gateway/operations/session_rows.py.
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("key_hash", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, index=True),
    sa.Column("proof", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("seen_ms", sa.BigInteger, nullable=False),
    # Hashes of what a provider calls the person and this login of theirs; NULL where it has said nothing.
    sa.Column("subject_hash", sa.Text, index=True),
    sa.Column("sid_hash", sa.Text, index=True),
)

# Logout tokens that have been obeyed, as long as they would be believed once more; see session_rows.py.
logout_tokens = sa.Table(
    "logout_tokens",
    metadata,
    sa.Column("id_hash", sa.Text, primary_key=True),
    sa.Column("until_ms", sa.BigInteger, nullable=False),
)

# Tokens of programs, by a hash of their keys; see gateway/operations/token_rows.py.
tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("key_hash", sa.Text, nullable=False, unique=True),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("ends_ms", sa.BigInteger),
)

# Who did what; see gateway/operations/audit.py.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False, index=True),
    *(sa.Column(name, sa.Text, nullable=False) for name in ("address", "door", "action", "thing", "detail", "outcome")),
    # Ids that are never given anew, also not after the sweep has removed the newest row.
    sqlite_autoincrement=True,
)

# What admins have set for the whole installation, by name; without a row the environment's setting holds.
settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
    sa.Column("changed_ms", sa.BigInteger, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
)

# Workers that do their work, each until when if it says no more; see engine/beats.py. By the database's clock.
workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("takes_jobs", sa.Boolean, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("beats", sa.BigInteger, nullable=False),
    sa.Column("until_ms", sa.BigInteger, nullable=False),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("audio_name", sa.Text, nullable=False),
    sa.Column("idempotency_key", sa.Text, unique=True),
    sa.Column("request_digest", sa.Text, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("audio_id", sa.Text, nullable=False, server_default=""),
    sa.Column("priority", sa.Text, nullable=False, server_default=Priority.NORMAL.value),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("batch_id", sa.Text, sa.ForeignKey("batches.id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("video_id", sa.Text, nullable=False, index=True),
    sa.Column("video_name", sa.Text, nullable=False),
    sa.Column("audio_id", sa.Text, nullable=False, index=True),
    sa.Column("audio_name", sa.Text, nullable=False),
    # What a worker needs, see spec.py; the columns beside it are what lists show, sort by and search.
    sa.Column("spec", sa.JSON, nullable=False),
    # Tries that were begun and not handed back, over all workers; the one column that changes.
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_ms", sa.BigInteger, nullable=False, index=True),
    # The span in which the job was asked for, as W3C's traceparent; every try of every worker goes on with it.
    sa.Column("traceparent", sa.Text),
)


def open_database(url: str) -> sa.Engine:
    """A pool of connections to sqlite:///path or postgresql://...; nothing is read or created yet."""
    if url.startswith("sqlite"):
        return _open_sqlite(url)
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=10,
        pool_pre_ping=True,
        # A database machine that vanished is noticed within about 10 s.
        connect_args={
            "connect_timeout": 10,
            "keepalives": 1,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        },
    )

    @sa.event.listens_for(engine, "connect")
    def bound_transactions(connection: Any, _record: object) -> None:
        connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_SECONDS}s'")
        connection.commit()  # or the pool's rollback would undo it

    return engine


def _open_sqlite(url: str) -> sa.Engine:
    engine = sa.create_engine(url, pool_size=10)

    @sa.event.listens_for(engine, "connect")
    def prepare_connection(connection: Any, _record: object) -> None:
        # As DBOS does on its own connections: writers queue up for the lock instead of failing half-way.
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def sqlite_path(engine: sa.Engine) -> Path | None:
    """The database's file, or None for PostgreSQL."""
    if engine.dialect.name != "sqlite" or engine.url.database is None:
        return None
    return Path(engine.url.database).resolve()


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction, committed at the block's end; UNAVAILABLE when the database does not answer.

    STORAGE_FULL when its disk is full, INVALID_INPUT for a value that it cannot hold.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.OperationalError as error:
        raise database_error(error) from error
    except (sa.exc.DataError, OverflowError) as error:
        # A NUL in a text, which PostgreSQL cannot keep, or a number beyond 64 bits.
        raise ChorusError(ErrorKind.INVALID_INPUT, "value-unusable") from error


def insert_or_update(engine: sa.Engine, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT with the dialect's on_conflict_do_update, which both databases spell alike."""
    return sqlite.insert(table) if engine.dialect.name == "sqlite" else postgresql.insert(table)

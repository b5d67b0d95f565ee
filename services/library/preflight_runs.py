"""The running preflights of all api processes, as rows of one table: who looks into what, and how far it is."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any, Final

import sqlalchemy as sa

from services.errors import ChorusError, ErrorKind, error_from_json, error_to_json
from services.jobs import moments, tables
from services.library.findings import FINDINGS_VERSION, Findings, Preflight, PreflightState

WAITING_LIMIT: Final = 1000
# A process touches its rows more often than this; a row that is older belongs to nobody any more.
_ALIVE_MS: Final = 15_000
_UNFINISHED: Final = (PreflightState.WAITING, PreflightState.RUNNING)


class PreflightRuns:
    """What one process writes and reads of that table; safe to share by threads."""

    def __init__(self, database: sa.Engine, runner: str) -> None:
        """`runner` is this process's own name."""
        self._database = database
        self._runner = runner

    def find(self, sha256: str, media_id: str) -> Preflight | None:
        """The look into a content, asked for by one of its uploads; None when there is none under way or failed."""
        row = self._row(sha256)
        return None if row is None else _preflight(row, media_id)

    def claim(self, sha256: str, *, anew: bool) -> str | None:
        """Begin to look into a content that is orphaned or, `anew`, that nobody looks into; the id of this run.

        Of several processes that try at once exactly one gets it. OVERLOADED when too many wait.
        """
        run = uuid.uuid4().hex
        return run if self._take(run, sha256, anew=anew) else None

    def _take(self, run: str, sha256: str, *, anew: bool) -> bool:
        row = self._row(sha256)
        values = {
            "state": PreflightState.WAITING,
            "run": run,
            "runner": self._runner,
            "touched_ms": moments.database_now_ms(self._database),
            "frames_done": 0,
            "frames_total": 0,
            "error": None,
            "findings": None,
        }
        if row is None:
            return anew and self._insert(sha256, values)
        is_orphan = row.state in _UNFINISHED and row.is_silent
        if not (is_orphan or (anew and row.state not in _UNFINISHED)):
            return False
        table = tables.preflight_runs
        unchanged = (table.c.run == row.run, table.c.touched_ms == row.touched_ms, table.c.state == row.state)
        with tables.transaction(self._database) as connection:
            return connection.execute(sa.update(table).where(*unchanged).values(values)).rowcount == 1

    def write(self, run: str, **values: Any) -> bool:
        """Store how far a run is; False when it was cancelled or deleted, or another run has taken its place."""
        statement = _current(sa.update(tables.preflight_runs), run)
        values["touched_ms"] = moments.database_now_ms(self._database)
        with tables.transaction(self._database) as connection:
            return connection.execute(statement.values(values)).rowcount == 1

    def write_first_look(self, run: str, findings: Findings) -> bool:
        """Store what a few frames say until all were looked at; as write does."""
        return self.write(run, findings=asdict(findings))

    def fail(self, run: str, error: ChorusError) -> None:
        """The run has failed; whoever asks anew begins another."""
        self.write(run, state=PreflightState.FAILED, error=error_to_json(error), findings=None)

    def finish(self, run: str, sha256: str, findings: Findings) -> None:
        """Store what was found for all, and forget the run, unless it was cancelled or its content deleted."""
        row = {"sha256": sha256, "version": FINDINGS_VERSION, "findings": asdict(findings)}
        with tables.transaction(self._database) as connection:
            if connection.execute(_current(sa.delete(tables.preflight_runs), run)).rowcount:
                connection.execute(sa.delete(tables.preflights).where(tables.preflights.c.sha256 == sha256))
                connection.execute(sa.insert(tables.preflights).values(row))

    def cancel(self, sha256: str) -> None:
        """Whoever looks into a content stops at its next word; nothing happens when nobody does."""
        table = tables.preflight_runs
        statement = sa.update(table).where(table.c.sha256 == sha256, table.c.state.in_(_UNFINISHED))
        with tables.transaction(self._database) as connection:
            connection.execute(statement.values(state=PreflightState.CANCELLED, findings=None))

    def touch(self) -> None:
        """Show that this process is alive."""
        self._touch(moments.database_now_ms(self._database))

    def hand_back(self) -> None:
        """Leave what this process has begun to whoever asks next."""
        self._touch(0)

    def _touch(self, moment_ms: int | sa.ColumnElement[int]) -> None:
        table = tables.preflight_runs
        statement = sa.update(table).where(table.c.runner == self._runner, table.c.state.in_(_UNFINISHED))
        with tables.transaction(self._database) as connection:
            connection.execute(statement.values(touched_ms=moment_ms))

    def _insert(self, sha256: str, values: dict[str, Any]) -> bool:
        table = tables.preflight_runs
        count = sa.select(sa.func.count()).where(table.c.state.in_(_UNFINISHED))
        try:
            with tables.transaction(self._database) as connection:
                waiting = connection.execute(count).scalar_one()
                if waiting >= WAITING_LIMIT:
                    raise ChorusError(ErrorKind.OVERLOADED, "preflights-waiting", number=int(waiting))
                connection.execute(sa.insert(table).values(sha256=sha256, **values))
        except sa.exc.IntegrityError:  # another process was quicker
            return False
        return True

    def _row(self, sha256: str) -> sa.Row[Any] | None:
        table = tables.preflight_runs
        is_silent = moments.is_silent(self._database, table.c.touched_ms, _ALIVE_MS).label("is_silent")
        wanted = sa.select(table, is_silent).where(table.c.sha256 == sha256)
        with tables.transaction(self._database) as connection:
            return connection.execute(wanted).one_or_none()


def _current(statement: Any, run: str) -> Any:
    table = tables.preflight_runs
    return statement.where(table.c.run == run, table.c.state.in_(_UNFINISHED))


def _preflight(row: sa.Row[Any], media_id: str) -> Preflight:
    return Preflight(
        media_id=media_id,
        state=PreflightState(row.state),
        frames_done=row.frames_done,
        frames_total=row.frames_total,
        findings=None if row.findings is None else Findings.from_json(row.findings),
        error=None if row.error is None else error_from_json(row.error),
    )

"""The audit log by itself: what is kept of odd names, for how long, and how the command line shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner

from services.acting import SYSTEM, Actor, Deed, Role, acting_as
from services.cli.audit import audit
from services.cli.own_database import keep_deed, own_database
from services.errors import ChorusError
from services.gateway.operations.audit import AuditFilter, AuditLog
from services.jobs import tables
from services.local.settings import LocalSettings

ACTOR = Actor(name="anna", role=Role.MAKER, address="10.0.0.7", door="rest")


@pytest.mark.usefixtures("as_system")
def test_deeds_are_kept_for_some_days_and_ids_never_come_again(tmp_path: Path) -> None:
    with own_database(LocalSettings(home=tmp_path)) as database:
        log = AuditLog(database, days=2)
        for action in ("login", "logout"):
            log.record(ACTOR, Deed(action=action))
        (newest, oldest) = log.page(AuditFilter(), limit=10)
        with tables.transaction(database) as connection:
            connection.execute(sa.update(tables.audit).values(at_ms=tables.audit.c.at_ms - 3 * 24 * 3600 * 1000))
        AuditLog(database).sweep()
        assert len(log.page(AuditFilter(), limit=10)) == 2
        log.sweep()
        assert log.page(AuditFilter(), limit=10) == []
        log.record(ACTOR, Deed(action="login"))
        assert log.page(AuditFilter(), limit=10)[0].id > newest.id > oldest.id


@pytest.mark.usefixtures("as_system")
def test_odd_names_neither_break_a_line_nor_fill_the_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with own_database(LocalSettings(home=tmp_path)) as database:
        log = AuditLog(database)
        with caplog.at_level("INFO", "services.gateway.operations.audit"):
            log.record(Actor(name="a\nERROR \x00\ud800", role=Role.VIEWER), Deed(action="login", detail="x" * 5000))
        (entry,) = log.page(AuditFilter(), limit=1)
    assert entry.name == "a\\nERROR \\x00\\ud800"
    assert len(entry.detail) == 200
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("a\\nERROR")
    assert "\n" not in line


def test_a_silent_database_costs_the_row_and_not_the_deed(caplog: pytest.LogCaptureFixture) -> None:
    away = sa.create_engine("sqlite:////nowhere/to/be/found.db")
    with caplog.at_level("INFO", "services.gateway.operations.audit"):
        AuditLog(away).record(ACTOR, Deed(action="media.delete", thing="7"))
    assert "anna from 10.0.0.7 over rest: media.delete 7: done" in caplog.text
    assert "in this log only" in caplog.text


def test_only_admins_read_it(tmp_path: Path) -> None:
    with own_database(LocalSettings(home=tmp_path)) as database:
        with acting_as(ACTOR), pytest.raises(ChorusError, match="takes the role admin"):
            AuditLog(database).page(AuditFilter(), limit=1)
        with acting_as(SYSTEM):
            assert AuditLog(database).page(AuditFilter(), limit=1) == []


def test_the_command_line_shows_it_page_by_page(tmp_path: Path) -> None:
    settings = LocalSettings(home=tmp_path)
    for name in ("anna", "ben", "carla"):
        keep_deed(settings, Deed(action="user.add", thing=name))
    app = typer.Typer()
    app.command()(audit)

    def run(*arguments: str) -> list[str]:
        done = CliRunner().invoke(app, arguments, obj=settings)
        assert done.exit_code == 0, done.output
        return done.output.splitlines()

    head, first, second, more = run("--limit", "2", "--action", "user")
    assert head.split()[:2] == ["time", "who"]
    assert ("user.add carla" in first, "user.add ben" in second) == (True, True)
    assert more.startswith("Older ones: --before ")
    assert "user.add anna" in run("--limit", "2", "--before", more.rpartition(" ")[2])[1]
    assert len(run("--user", "nobody")) == 1

"""`chorus audit`: who did what, from the database of this machine's stack, whether it runs or not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import typer

from services.acting import acting_as
from services.cli.own_database import machine_user, own_database
from services.errors import ChorusError
from services.gateway.operations.audit import AuditEntry, AuditFilter, AuditLog
from services.library.limits import PAGE_ITEMS
from services.local.settings import LocalSettings

_HEAD: Final = ("time", "who", "from", "over", "what", "came of it")


def audit(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(help="Only what this one did")] = None,
    action: Annotated[str | None, typer.Option(help="As batch.create, or batch for all of its kind")] = None,
    since: Annotated[datetime | None, typer.Option(help="At or after")] = None,
    until: Annotated[datetime | None, typer.Option(help="Before")] = None,
    before: Annotated[int | None, typer.Option(min=0, help="Go on below this number, as the last page says")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_ITEMS, help="How many")] = 50,
) -> None:
    """Say who did what, newest first."""
    settings: LocalSettings = context.obj
    wanted = AuditFilter(name=user, action=action, since=since, until=until, before=before)
    try:
        with own_database(settings) as database, acting_as(machine_user()):
            entries = AuditLog(database).page(wanted, limit=limit)
    except ChorusError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from error
    rows = [_HEAD, *map(_row, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if len(entries) == limit:
        typer.echo(f"Older ones: --before {entries[-1].id}")


def _row(entry: AuditEntry) -> tuple[str, ...]:
    done = " ".join(filter(None, (entry.action, entry.thing, entry.detail)))
    moment = entry.at.astimezone().isoformat(" ", "seconds")
    return moment, entry.name, entry.address or "-", entry.door, done, entry.outcome

"""`chorus token add | list | remove`: keys for programs, each with a name and what it may do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from services.acting import Deed, Role
from services.cli.own_database import keep_if_possible, own_database
from services.errors import ChorusError
from services.gateway.operations.token_rows import Token, TokenRows
from services.local.settings import LocalSettings


def build_token_app() -> typer.Typer:
    """The commands, on the database of this machine's stack, or the one that CHORUS_DATABASE_URL names."""
    app = typer.Typer(
        help="Keys for programs where a login is needed: named, with a role, and removed at once everywhere.",
        no_args_is_help=True,
    )
    commands: dict[str, Callable[..., None]] = {"add": add, "list": list_tokens, "remove": remove}
    for name, command in commands.items():
        app.command(name=name)(command)
    return app


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Letters, digits and . - _")],
    role: Annotated[Role, typer.Option(help="viewer: sees and downloads; maker: also makes; admin: everything")],
    days: Annotated[float | None, typer.Option(help="It ends after so many; without: when it is removed")] = None,
) -> None:
    """Make a token, and print its key: this once, and nothing else, to stdout."""
    with _telling(), own_database(context.obj) as database:
        key = TokenRows(database).add(name, role, days)
    keep_if_possible(context.obj, Deed(action="token.add", thing=name, detail=role))
    typer.echo(key)
    typer.echo(f"{name} may come in as {role} with this key, as `Authorization: Bearer ...`; it is not kept", err=True)


def list_tokens(context: typer.Context) -> None:
    """List all tokens, what they may do, and until when."""
    with _telling(), own_database(context.obj) as database:
        for token in TokenRows(database).list():
            typer.echo(f"{token.name:<24} {token.role:<8} {_end(token)}")


def remove(context: typer.Context, name: str) -> None:
    """Take a token back: it opens nothing any more, and what is open for it ends within seconds."""
    settings: LocalSettings = context.obj
    with _telling(), own_database(settings) as database:
        TokenRows(database).remove(name)
    keep_if_possible(settings, Deed(action="token.remove", thing=name))


@contextmanager
def _telling() -> Iterator[None]:
    """What went wrong is told on stderr, with the exit code 1."""
    try:
        yield
    except ChorusError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from error


def _end(token: Token) -> str:
    return "" if token.ends_at is None else f"until {token.ends_at.astimezone().isoformat(' ', 'minutes')}"

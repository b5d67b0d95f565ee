"""`chorus user add | remove | list`: who may log in to the page."""

from __future__ import annotations

from typing import Annotated

import typer

from services.errors import ChorusError
from services.gateway.access.accounts import Accounts
from services.local.settings import LocalSettings


def build_user_app() -> typer.Typer:
    """The commands, on the file that CHORUS_USERS names or else the one that `chorus up` looks for."""
    app = typer.Typer(help="Who may log in; with the first user the page demands a login.", no_args_is_help=True)
    for command in (add, remove, list_users):
        app.command(name=command.__name__.removesuffix("_users"))(command)
    return app


def add(context: typer.Context, name: Annotated[str, typer.Argument(help="Letters, digits and . @ + - _")]) -> None:
    """Add a user, or give one another password; it is asked for."""
    accounts = _accounts(context)
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        accounts.put(name, password)
    except ChorusError as error:
        _fail(error)
    typer.echo(f"{name} may log in; a stack that runs without a login has to be started again")


def remove(context: typer.Context, name: str) -> None:
    """Take a user out; their sessions end at once."""
    try:
        _accounts(context).remove(name)
    except ChorusError as error:
        _fail(error)


def list_users(context: typer.Context) -> None:
    """List everybody who may log in."""
    for name in _accounts(context).names():
        typer.echo(name)


def _accounts(context: typer.Context) -> Accounts:
    settings: LocalSettings = context.obj
    return Accounts(settings.users_file)


def _fail(error: ChorusError) -> None:
    typer.echo(error.message, err=True)
    raise typer.Exit(1) from error

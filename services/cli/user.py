"""`chorus user add | role | logout | remove | list`: who may log in to the page, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

import typer

from services.acting import Deed, Role
from services.cli.own_database import end_sessions, keep_deed, keep_if_possible
from services.errors import ChorusError
from services.gateway.access.accounts import Accounts
from services.local.settings import LocalSettings

_ROLES = "viewer: sees and downloads; maker: also makes; admin: also reads who did what"


def build_user_app() -> typer.Typer:
    """The commands, on the file that CHORUS_USERS names or else the one that `chorus up` looks for."""
    app = typer.Typer(help="Who may log in; with the first user the page demands a login.", no_args_is_help=True)
    commands: dict[str, Callable[..., None]] = {
        "add": add,
        "role": change_role,
        "logout": log_out,
        "remove": remove,
        "list": list_users,
    }
    for name, command in commands.items():
        app.command(name=name)(command)
    return app


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Letters, digits and . @ + - _")],
    role: Annotated[Role | None, typer.Option(help=f"{_ROLES}. The first user is an admin, others makers")] = None,
) -> None:
    """Add a user, or give one another password; it is asked for. Their sessions end at once."""
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    accounts = _accounts(context)
    action = "user.change" if name in accounts.names() else "user.add"
    given: list[Role] = []
    _change(context, action, name, lambda: given.append(accounts.put(name, password, role)))
    typer.echo(f"{name} may log in as {given[0]}; a stack that runs without a login has to be started again")


def change_role(context: typer.Context, name: str, role: Annotated[Role, typer.Argument(help=_ROLES)]) -> None:
    """Let a user do more or less; their sessions end at once."""
    _change(context, "user.role", name, lambda: _accounts(context).give_role(name, role))


def remove(context: typer.Context, name: str) -> None:
    """Take a user out; their sessions end at once, with the pages and streams that are open for them."""
    _change(context, "user.remove", name, lambda: _accounts(context).remove(name))


def log_out(context: typer.Context, name: str) -> None:
    """End the sessions of a user, or of somebody who comes from a provider; they may log in again."""
    settings: LocalSettings = context.obj
    try:
        ended = end_sessions(settings, name)
        keep_deed(settings, Deed(action="user.logout", thing=name))
    except ChorusError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{ended} sessions of {name} are over")


def list_users(context: typer.Context) -> None:
    """List everybody who may log in, and as what."""
    for name, role in _accounts(context).roles().items():
        typer.echo(f"{name:<24} {role}")


def _change(context: typer.Context, action: str, name: str, change: Callable[[], object]) -> None:
    """Do it, end the user's sessions, and keep who did it."""
    settings: LocalSettings = context.obj
    try:
        change()
    except ChorusError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from error
    # What counts is done: each api process sees in its file that the user's logins are over.
    with suppress(ChorusError):
        end_sessions(settings, name)
    keep_if_possible(settings, Deed(action=action, thing=name))


def _accounts(context: typer.Context) -> Accounts:
    settings: LocalSettings = context.obj
    return Accounts(settings.users_file)

"""`chorus user`: who may log in."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from services.cli.user import build_user_app
from services.gateway.access.accounts import Accounts
from services.local.settings import LocalSettings


def test_users_are_added_listed_and_removed(tmp_path: Path) -> None:
    settings = LocalSettings(home=tmp_path)
    runner, app = CliRunner(), build_user_app()

    def run(*arguments: str, typed: str = "") -> tuple[int, str]:
        done = runner.invoke(app, arguments, input=typed, obj=settings)
        return done.exit_code, done.output

    assert run("add", "anna", typed="long enough\nlong enough\n")[0] == 0
    assert run("list")[1].split() == ["anna", "admin"]
    # Before the first `chorus up`, and whatever the umask is.
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "users").stat().st_mode & 0o777 == 0o600
    accounts = Accounts(tmp_path / "data" / "users")
    assert accounts.verify("anna", "long enough")
    code, said = run("add", "ben", typed="short\nshort\n")
    assert (code, "8 characters or more" in said) == (1, True)
    assert run("remove", "ben")[0] == 1
    assert run("remove", "anna")[0] == 0
    assert accounts.names() == []


def test_a_silent_database_keeps_nobody_in(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "users")
    accounts.put("anna", "long enough")
    away = "postgresql://chorus:x@127.0.0.1:1/chorus"
    settings = LocalSettings(home=tmp_path, users=tmp_path / "users", database_url=away)
    done = CliRunner().invoke(build_user_app(), ["remove", "anna"], obj=settings)
    assert (done.exit_code, accounts.names()) == (0, [])
    assert "not in the audit log" in done.output

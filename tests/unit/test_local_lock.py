"""A stack with users lets the programs of its own user in."""

from __future__ import annotations

import os
from pathlib import Path

from services.gateway.access.accounts import Accounts
from services.local.run_file import RunningStack, find_running, hold_lock, publish
from services.local.settings import LocalSettings


def test_the_token_of_a_running_stack_is_for_its_user_alone(tmp_path: Path) -> None:
    folders = LocalSettings(home=tmp_path).folders
    folders.make()
    with hold_lock(folders), publish(folders, RunningStack(os.getpid(), "http://127.0.0.1:1234", "a token")):
        running = find_running(folders)
        assert running is not None
        assert running.token == "a token"
        assert (folders.run / "stack.json").stat().st_mode & 0o077 == 0


def test_a_file_without_users_demands_no_login(tmp_path: Path) -> None:
    settings = LocalSettings(home=tmp_path)
    assert not settings.has_users
    accounts = Accounts(settings.users_file)
    accounts.put("anna", "long enough")
    assert settings.has_users
    accounts.remove("anna")
    assert not settings.has_users
    assert LocalSettings(home=tmp_path, users=tmp_path / "elsewhere").has_users

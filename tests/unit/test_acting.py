"""Who acts: what they may do, and who is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from services.acting import Actor, Deed, Role, acting_as, current_actor, deed, needs
from services.errors import ChorusError, ErrorKind
from services.jobs import tables
from services.jobs.visibility import seen


@dataclass(frozen=True)
class Thing:
    id: str
    name: str


class Operations:
    @deed("thing.make")
    def make(self, name: str) -> Thing:
        if name == "bad":
            raise ChorusError(ErrorKind.INVALID_INPUT, "file-empty", name=name)
        if name == "broken":
            raise RuntimeError(name)
        return Thing("1", name)

    @deed("thing.delete")
    def delete(self, thing_id: str) -> None:
        del thing_id

    @needs(Role.ADMIN)
    def read(self) -> str:
        return current_actor().name


@pytest.mark.parametrize(("role", "makes", "reads"), [("viewer", 0, 0), ("maker", 1, 0), ("admin", 1, 1)])
def test_each_role_may_do_what_the_one_before_may(role: str, makes: bool, reads: bool) -> None:
    told: list[Deed] = []
    actor = Actor(name="anna", role=Role(role), record=lambda _, done: told.append(done))
    with acting_as(actor):
        for call, allowed in ((lambda: Operations().make("clip"), makes), (Operations().read, reads)):
            if allowed:
                call()
            else:
                with pytest.raises(ChorusError) as refusal:
                    call()
                assert (refusal.value.kind, refusal.value.code) == (ErrorKind.FORBIDDEN, "role-needed")
    outcome = Deed(action="thing.make", thing="1", detail="clip") if makes else None
    assert told == [outcome or Deed(action="thing.make", thing="clip", outcome="role-needed")]


def test_where_nobody_has_said_who_acts_nothing_is_done() -> None:
    for call in (
        current_actor,
        Operations().read,
        lambda: Operations().make("clip"),
        lambda: seen(tables.media),
    ):
        with pytest.raises(RuntimeError, match="nobody is acting"):
            call()


def test_who_still_has_to_log_in_may_nothing_and_sees_nothing() -> None:
    stranger = Actor(name="(program)", role=None)
    assert not stranger.sees("")
    assert not stranger.may(Role.VIEWER)
    with acting_as(stranger):
        assert str(seen(tables.media)) == str(sa.false())
        for call in (Operations().read, lambda: Operations().make("clip"), stranger.require_all):
            with pytest.raises(ChorusError) as refusal:
                call()
            assert refusal.value.kind is ErrorKind.UNAUTHENTICATED


def test_what_goes_wrong_is_told_as_well() -> None:
    told: list[Deed] = []
    with acting_as(Actor(name="anna", role=Role.MAKER, record=lambda _, done: told.append(done))):
        with pytest.raises(ChorusError):
            Operations().make("bad")
        with pytest.raises(RuntimeError):
            Operations().make("broken")
        Operations().delete("7")
    assert [(each.action, each.thing, each.outcome) for each in told] == [
        ("thing.make", "bad", "file-empty"),
        ("thing.make", "broken", "service-failed"),
        ("thing.delete", "7", "done"),
    ]


def test_threads_and_tasks_work_for_whoever_started_them() -> None:
    async def ask() -> tuple[str, str]:
        with acting_as(Actor(name="anna", role=Role.ADMIN)):
            task = asyncio.create_task(asyncio.to_thread(Operations().read))
        with acting_as(Actor(name="ben", role=Role.ADMIN)):
            return await task, await asyncio.to_thread(Operations().read)

    assert asyncio.run(ask()) == ("anna", "ben")

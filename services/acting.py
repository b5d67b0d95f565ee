"""Who acts, what they may do, and who is told what they did: asked where the thing happens, so that every door obeys.

A door says for whom it works (`acting_as`); what it calls finds that in its context, in threads as well. What no door
has asked for, such as the hourly upkeep, says that the system itself acts, which may do everything and is not recorded.
Where nobody has said anything, nothing may be done: a door that forgets it is shut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from services.errors import ChorusError, ErrorKind

DONE: Final = "done"
"""The outcome of a deed that went well; of others it is the code of the error"""
_FAILED: Final = "service-failed"

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class Role(StrEnum):
    """What somebody may do; each may do what the one before may."""

    VIEWER = "viewer"
    """See everything and download it"""
    MAKER = "maker"
    """Upload, make batches, cancel and delete"""
    ADMIN = "admin"
    """Read the audit log, end the sessions of others"""


_RANKS: Final = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody did, or tried to."""

    action: str
    """What kind of thing, as `batch.create`"""
    thing: str = ""
    """The id of what it was done to"""
    detail: str = ""
    """Its name"""
    outcome: str = DONE


Record = Callable[["Actor", Deed], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """For whom something is done."""

    name: str
    """A login, anon-... for a browser without one, or (program)"""
    role: Role | None
    """None for whoever may nothing and sees nothing: who still has to log in"""
    owner: str = ""
    """Whom uploads and batches belong to; empty for a program"""
    sees_all: bool = True
    """False for whoever shall know of nobody's things but their own"""
    address: str = ""
    door: str = ""
    """rest, page, grpc or cli"""
    record: Record = lambda _actor, _deed: None
    """Is told of each deed"""

    def require(self, role: Role) -> None:
        """FORBIDDEN for whoever has a lesser role, UNAUTHENTICATED for who has none."""
        if self.role is None:
            raise ChorusError(ErrorKind.UNAUTHENTICATED, "login-needed")
        if not self.may(role):
            raise ChorusError(ErrorKind.FORBIDDEN, "role-needed", role=role.value, own=self.role.value)

    def require_all(self) -> None:
        """FORBIDDEN for whoever shall see only what is theirs, where things of all lie mixed."""
        self.require(Role.VIEWER)
        if not self.sees_all:
            own = "" if self.role is None else self.role.value
            raise ChorusError(ErrorKind.FORBIDDEN, "role-needed", role=Role.ADMIN.value, own=own)

    def sees(self, owner: str) -> bool:
        """True for an owner whose things this one may see."""
        return self.role is not None and (self.sees_all or owner == self.owner)

    def may(self, role: Role) -> bool:
        """True for whoever has that role or a higher one."""
        return self.role is not None and _RANKS[self.role] >= _RANKS[role]


SYSTEM: Final = Actor(name="(chorus)", role=Role.ADMIN)
"""For the work of processes that nobody has asked for; said at the place where that work begins, never by a door"""
_current: Final[ContextVar[Actor]] = ContextVar("actor")


def current_actor() -> Actor:
    """For whom the caller of this works; RuntimeError where nobody has said so."""
    actor = _current.get(None)
    if actor is None:
        raise RuntimeError("nobody is acting here: say who with acting_as")
    return actor


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """What happens in the block happens for `actor`."""
    before = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(before)


def act_as(actor: Actor) -> None:
    """The same for the rest of the task that calls this."""
    _current.set(actor)


def needs(role: Role) -> Callable[[Callable[Parameters, Answer]], Callable[Parameters, Answer]]:
    """A method that only those with `role` or a higher one may call."""

    def decorate(method: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
        @wraps(method)
        def call(*arguments: Parameters.args, **named: Parameters.kwargs) -> Answer:
            current_actor().require(role)
            return method(*arguments, **named)

        return call

    return decorate


def deed(
    action: str, role: Role = Role.MAKER
) -> Callable[[Callable[Parameters, Answer]], Callable[Parameters, Answer]]:
    """As needs(role), and each call is told to the actor's record, with what came of it.

    What it was done to is what the method returns, or else its first argument: an id, or something with one, or a
    number, which is a detail.
    """

    def decorate(method: Callable[Parameters, Answer]) -> Callable[Parameters, Answer]:
        @wraps(method)
        def call(*arguments: Parameters.args, **named: Parameters.kwargs) -> Answer:
            actor = current_actor()

            def tell(outcome: str, answer: object = None) -> None:
                thing, detail = _described(answer, *arguments[1:2])
                actor.record(actor, Deed(action=action, thing=thing, detail=detail, outcome=outcome))

            try:
                actor.require(role)
                answer = method(*arguments, **named)
            except ChorusError as error:
                tell(error.code)
                raise
            except Exception:
                tell(_FAILED)
                raise
            tell(DONE, answer)
            return answer

        return call

    return decorate


def _described(*things: Any) -> tuple[str, str]:
    """The id and the name of the first of some things that has either."""
    for thing in things:
        if isinstance(thing, str):
            return thing, ""
        if isinstance(thing, int | float):
            return "", f"{thing:g}"
        found = str(getattr(thing, "id", "") or ""), str(getattr(thing, "name", "") or "")
        if any(found):
            return found
    return "", ""

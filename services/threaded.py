"""Work in threads: generators read on an event loop, desks for what is slow, calls that are not waited for for ever.

What is at work where a call is made is so in its thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar

from services.errors import ChorusError

Item = TypeVar("Item")
Parameters = ParamSpec("Parameters")
_END: Final = object()


async def call_in_threads(
    pool: ThreadPoolExecutor,
    call: Callable[Parameters, Item],
    *arguments: Parameters.args,
    **named: Parameters.kwargs,
) -> Item:
    """What `call` returns, made in a thread of `pool`."""
    context = copy_context()
    return await asyncio.wrap_future(pool.submit(context.run, partial(call, *arguments, **named)))


async def iterate_in_threads(items: Iterable[Item], pool: ThreadPoolExecutor) -> AsyncGenerator[Item]:
    """The items, each made in a thread of `pool`, and none before the last one was taken.

    Between two items no thread is held. When the reader goes away, a generator is closed as soon as it is at rest.
    """
    made, context = _generated(items), copy_context()
    work: Future[object] | None = None
    try:
        while True:
            work = pool.submit(context.run, partial(next, made, _END))
            item = await asyncio.wrap_future(work)
            if item is _END:
                return
            yield item  # type: ignore[misc]  # what is not the end is an item
    finally:
        if work is None or work.done():
            pool.submit(context.run, made.close)
        else:
            # Closed while it works it would complain.
            work.add_done_callback(lambda _: context.run(made.close))


def within(seconds: float, call: Callable[[], Item]) -> Item:
    """What `call` returns or raises; TimeoutError when it takes longer: its thread goes on, and nobody waits for it."""
    result: Future[Item] = Future()
    context = copy_context()

    def work() -> None:
        try:
            result.set_result(context.run(call))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=work, name="within", daemon=True).start()
    return result.result(seconds)


def _generated(items: Iterable[Item]) -> Generator[Item]:
    """A generator, whatever the items come from: closing it closes also the generator behind it."""
    yield from items


class Desk:
    """A few threads for one kind of slow work, so that it keeps nothing else waiting; for one event loop."""

    def __init__(self, name: str, threads: int, most_waiting: int, full: Callable[[], ChorusError]) -> None:
        """`full` makes the refusal when more than `most_waiting` would wait."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + most_waiting
        self._full = full
        self._here = 0

    async def run(
        self, work: Callable[Parameters, Item], *arguments: Parameters.args, **named: Parameters.kwargs
    ) -> Item:
        """What `work` returns; refused at once when too many are waiting."""
        if self._here >= self._room:
            raise self._full()
        self._here += 1
        under_way = self._threads.submit(copy_context().run, partial(work, *arguments, **named))
        # Counted until it ends, not until its client leaves: the thread is taken as long.
        loop = asyncio.get_running_loop()
        under_way.add_done_callback(lambda _: self._leave_from(loop))
        return await asyncio.wrap_future(under_way)

    def _leave_from(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop has ended before the work
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._here -= 1

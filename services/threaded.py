"""Generators that work in threads, read on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
_END: Final = object()


async def iterate_in_threads(items: Iterable[Item], pool: ThreadPoolExecutor) -> AsyncGenerator[Item]:
    """The items, each made in a thread of `pool`, and none before the last one was taken.

    Between two items no thread is held. When the reader goes away, a generator is closed as soon as it is at rest.
    """
    made = _generated(items)
    work: Future[object] | None = None
    try:
        while True:
            work = pool.submit(next, made, _END)
            item = await asyncio.wrap_future(work)
            if item is _END:
                return
            yield item  # type: ignore[misc]  # what is not the end is an item
    finally:
        if work is None or work.done():
            pool.submit(made.close)
        else:
            # Closed while it works it would complain.
            work.add_done_callback(lambda _: made.close())


def _generated(items: Iterable[Item]) -> Generator[Item]:
    """A generator, whatever the items come from: closing it closes also the generator behind it."""
    yield from items

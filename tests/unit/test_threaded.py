"""Generators that work in threads, read on an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

from services.threaded import iterate_in_threads


class Numbers:
    """A generator of numbers that tells how far it is, and whether it was closed."""

    def __init__(self, *, last: int = 1000) -> None:
        self.made = 0
        self.closed = threading.Event()
        self.may_work = threading.Event()
        self.may_work.set()
        self._last = last

    def items(self) -> Generator[int]:
        """0, 1, 2, ..., while it may."""
        try:
            while self.made < self._last:
                assert self.may_work.wait(10)
                self.made += 1
                yield self.made - 1
        finally:
            self.closed.set()


def test_items_come_in_order_and_none_before_the_last_one_was_taken() -> None:
    numbers = Numbers(last=5)

    async def read() -> list[int]:
        seen = []
        with ThreadPoolExecutor(1) as pool:
            async with aclosing(iterate_in_threads(numbers.items(), pool)) as items:
                async for item in items:
                    await asyncio.sleep(0.02)
                    assert numbers.made == item + 1
                    seen.append(item)
        return seen

    assert asyncio.run(read()) == [0, 1, 2, 3, 4]
    assert numbers.closed.is_set()


def test_between_two_items_no_thread_is_held() -> None:
    async def read() -> None:
        with ThreadPoolExecutor(1) as pool:
            streams = [iterate_in_threads(Numbers().items(), pool) for _ in range(20)]
            for _ in range(3):
                await asyncio.wait_for(asyncio.gather(*(anext(each) for each in streams)), 10)
            for each in streams:
                await each.aclose()

    asyncio.run(read())


def test_a_reader_that_goes_away_closes_the_generator_also_in_the_middle_of_its_work() -> None:
    resting, working = Numbers(), Numbers()

    async def read() -> None:
        with ThreadPoolExecutor(2) as pool:
            for numbers in (resting, working):
                stream = iterate_in_threads(numbers.items(), pool)
                await anext(stream)
                if numbers is working:
                    numbers.may_work.clear()
                    waiting = asyncio.ensure_future(anext(stream))
                    await asyncio.sleep(0.05)
                    waiting.cancel()
                    await asyncio.wait({waiting})
                    assert not numbers.closed.is_set()
                    numbers.may_work.set()
                await stream.aclose()

    asyncio.run(read())
    assert resting.closed.wait(10)
    assert working.closed.wait(10)
    assert working.made == 2


def test_an_error_of_the_generator_reaches_the_reader() -> None:
    def items() -> Generator[int]:
        yield 1
        raise ValueError("odd")

    async def read() -> None:
        with ThreadPoolExecutor(1) as pool:
            async with aclosing(iterate_in_threads(items(), pool)) as stream:
                assert await anext(stream) == 1
                await anext(stream)

    with pytest.raises(ValueError, match="odd"):
        asyncio.run(read())

"""The asyncio client behind the names of the blocking one, so that one test holds for both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from chorus_client import AsyncChorus, Chorus


class _Blocking:
    """Runs what AsyncChorus returns on a loop of its own."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = self._runner.run(_make(*arguments, **named))

    def __enter__(self) -> _Blocking:
        return self

    def __exit__(self, *_error: object) -> None:
        self._runner.run(self._client.close())
        self._runner.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*arguments: Any, **named: Any) -> Any:
            made = method(*arguments, **named)
            return self._runner.run(made) if inspect.iscoroutine(made) else self._iterate(made)

        return call

    def _iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        end = object()

        async def read() -> Any:
            return await anext(items, end)

        while (item := self._runner.run(read())) is not end:
            yield item


def open_async(*arguments: Any, **named: Any) -> Chorus:
    """An AsyncChorus that blocks."""
    return cast("Chorus", _Blocking(*arguments, **named))


async def _make(*arguments: Any, **named: Any) -> AsyncChorus:
    return AsyncChorus(*arguments, **named)

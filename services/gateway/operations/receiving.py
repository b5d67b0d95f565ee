"""Receiving the bytes of a resumable upload: what has arrived is kept, whatever becomes of the connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.library.resumable import ResumableUpload, ResumableUploads

_PART_BYTES: Final = 8 << 20
_PAUSE_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 60.0


class Receivers:
    """Which request of a door is writing each upload: a newer one ends an older one, which may hang half-dead.

    A courtesy to the older one: that bytes are not mixed up, also with those of other doors and processes, the parts
    see to. All requests run on one event loop.
    """

    def __init__(self, uploads: ResumableUploads) -> None:
        self._uploads = uploads
        self._running: dict[str, asyncio.Task[None]] = {}

    async def receive(self, upload: ResumableUpload, offset: int, body: AsyncIterator[bytes]) -> ResumableUpload:
        """Keep the bytes of `body`, which begin at `offset`, and return the upload as it is then.

        CONFLICT when the upload goes on elsewhere, or when a newer request takes over; TOO_LARGE for more bytes than
        were announced; DEADLINE when the body is silent for too long.
        """
        if offset != upload.offset:
            raise ChorusError(
                ErrorKind.CONFLICT, "upload-elsewhere", name=upload.name, offset=upload.offset, given=offset
            )
        try:
            await self._run(upload, body)
        finally:
            await asyncio.to_thread(self._uploads.keep_alive, upload.id)
        return await asyncio.to_thread(self._uploads.get, upload.id)

    async def _run(self, upload: ResumableUpload, body: AsyncIterator[bytes]) -> None:
        if (older := self._running.get(upload.id)) is not None:
            older.cancel()
            await asyncio.wait([older])
        task = self._running[upload.id] = asyncio.create_task(_receive(self._uploads, upload, body))
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                # The connection broke: whoever asks next shall find all that has come.
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                raise
            raise ChorusError(ErrorKind.CONFLICT, "upload-busy", name=upload.name) from None
        finally:
            if self._running.get(upload.id) is task:
                del self._running[upload.id]


async def _receive(uploads: ResumableUploads, upload: ResumableUpload, body: AsyncIterator[bytes]) -> None:
    """Keep what comes until the body ends or breaks off; what has arrived until then is kept."""
    waiting: list[bytes] = []
    offset, arrived = upload.offset, upload.offset
    try:
        async with aclosing(_spoken(body, upload.name)) as pieces:
            async for piece in pieces:
                arrived += len(piece)
                if arrived > upload.length:
                    raise ChorusError(ErrorKind.TOO_LARGE, "upload-too-long", name=upload.name, length=upload.length)
                if piece:
                    waiting.append(piece)
                # An empty piece: nothing came for a moment, and what is here may be all for long.
                if waiting and (not piece or arrived - offset >= _PART_BYTES):
                    content, waiting = b"".join(waiting), []
                    offset = await _uninterrupted(uploads, upload.id, offset, content)
    finally:
        if waiting:
            await _uninterrupted(uploads, upload.id, offset, b"".join(waiting))


async def _spoken(body: AsyncIterator[bytes], name: str) -> AsyncGenerator[bytes]:
    """The pieces of a body, and an empty one when none came for a moment; DEADLINE when it is silent for too long."""
    heard = time.monotonic()
    coming = asyncio.ensure_future(anext(body, None))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=_PAUSE_SECONDS)
            if done:
                piece = coming.result()
                if piece is None:
                    return
                heard = time.monotonic()
                coming = asyncio.ensure_future(anext(body, None))
                if piece:
                    yield piece
            elif time.monotonic() - heard > _SILENCE_SECONDS:
                raise ChorusError(ErrorKind.DEADLINE, "upload-silent", name=name, seconds=_SILENCE_SECONDS)
            else:
                yield b""
    finally:
        coming.cancel()


async def _uninterrupted(uploads: ResumableUploads, upload_id: str, offset: int, content: bytes) -> int:
    """Append in a thread, and be back only when that is done: whoever goes on with the upload asks for its length."""
    writing = asyncio.ensure_future(asyncio.to_thread(uploads.append, upload_id, offset, content))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise

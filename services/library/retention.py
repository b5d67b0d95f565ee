"""Deleting what is old."""

from __future__ import annotations

import logging
from typing import Final

from services.jobs import tables
from services.jobs.engine.queue import JobQueue
from services.library.media import MediaLibrary
from services.library.outputs import Outputs

_log = logging.getLogger(__name__)

_PAGE: Final = 500


def apply_retention(queue: JobQueue, outputs: Outputs, media: MediaLibrary, days: float) -> None:
    """Delete jobs that finished more than `days` ago, and uploads as old that no job uses; 0 deletes nothing."""
    if days <= 0:
        return
    before = tables.now_ms() - int(days * 24 * 3600 * 1000)
    deleted = 0
    while old := queue.finished_before(before, _PAGE):
        for job in old:
            outputs.delete_job(job.id)
        deleted += len(old)
    uploads = media.delete_unused(before)
    if deleted or uploads:
        _log.info("retention: deleted %d jobs and %d uploads older than %g days", deleted, uploads, days)

"""The keys that everything in the store lies under."""

from __future__ import annotations

import uuid
from typing import Final

INCOMING: Final = "incoming"
OUTPUTS: Final = "outputs"
POSTERS: Final = "posters"
ANALYSES: Final = ("tracks", "speech", "states", "latents")
"""Folders of what is computed once of an upload; below them a folder by its content"""


def media_key(sha256: str) -> str:
    """Where an upload lies: by its content, so the same file is stored once."""
    return f"media/{sha256}"


def new_incoming_key() -> str:
    """Where a file lies while it is looked into; what stays there for a day belongs to nobody any more."""
    return f"{INCOMING}/{uuid.uuid4().hex}"


def thumbnail_key(sha256: str) -> str:
    """Where the small picture of an upload lies."""
    return f"thumbnails/{sha256}.jpg"


def output_key(job_id: str) -> str:
    """Where a job's video lies: by the job, so that every attempt publishes the same file."""
    return f"{OUTPUTS}/{job_id}.mp4"


def poster_key(job_id: str) -> str:
    """Where a job's poster lies."""
    return f"{POSTERS}/{job_id}.jpg"

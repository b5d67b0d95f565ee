"""Source and output of a job beside each other, played as one."""

from __future__ import annotations

from nicegui.element import Element

from services.gateway.web.catalogue import Words
from services.gateway.web.job_facts import output_address
from services.gateway.web.media_facts import content_address, thumbnail_address
from services.jobs.model import Job


class Comparison(Element, component="comparison.js"):
    """Two players, one set of controls."""

    def __init__(self, words: Words, job: Job, *, is_still: bool, plays: bool = False) -> None:
        """`plays`: at once, where somebody has waited for it."""
        super().__init__()
        self._props.update(
            {
                "source": content_address(job.video_id),
                "output": output_address(job.id, inline=True),
                "still": is_still,
                "autoplay": plays,
                "source-poster": thumbnail_address(job.video_id),
                "output-poster": f"/v1/jobs/{job.id}/poster",
                "words": words.group("player"),
            }
        )

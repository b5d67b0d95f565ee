"""The time line lies in services/timeline.py, where it can be had without FFmpeg and numpy."""

from services.timeline import Extend, frame_count, source_index

__all__ = ["Extend", "frame_count", "source_index"]

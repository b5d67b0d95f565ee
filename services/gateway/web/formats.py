"""Numbers, sizes, lengths and dates as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_SIZES: Final = ("B", "KB", "MB", "GB", "TB")
_STEP: Final = 1000


def size_text(count: float) -> str:
    """Bytes with at most one digit after the point, as in 1.7 MB."""
    step = 0
    while count >= _STEP and step < len(_SIZES) - 1:
        count /= _STEP
        step += 1
    return f"{count:.1f} {_SIZES[step]}" if step and count < 10 else f"{count:.0f} {_SIZES[step]}"


def length_text(seconds: float) -> str:
    """A recording's length, as in 0:07 or 1:02:30."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def moment_text(moment: datetime, minutes_ahead: int) -> str:
    """Date and time where the visitor is; `minutes_ahead` of UTC is what the browser says."""
    return f"{moment.astimezone(UTC) + timedelta(minutes=minutes_ahead):%Y-%m-%d %H:%M}"


def day_start(day: str, minutes_ahead: int, *, next_day: bool = False) -> datetime | None:
    """The moment at which a day such as 2026-11-22 begins (or ends) where the visitor is; None for no day."""
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return start + timedelta(days=int(next_day), minutes=-minutes_ahead)

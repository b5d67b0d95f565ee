"""What the history shows: the filter as it stands in the address, so that a link or a reload shows the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Final, Self
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from services.gateway.web.formats import day_start
from services.jobs.model import JobFilter, JobState

PAGE_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Plain texts, as the fields hold them."""

    name: str = ""
    state: str = ""
    whose: str = ""
    """mine, or everybody's"""
    since: str = ""
    until: str = ""
    page: int = 1

    @classmethod
    def from_query(cls, query: QueryParams) -> Self:
        """What the address says; nonsense is left out."""
        page = query.get("page", "1")
        return cls(
            name=query.get("name", "")[:200],
            state=query.get("state", "") if query.get("state") in set(JobState) else "",
            whose="mine" if query.get("whose") == "mine" else "",
            since=query.get("since", ""),
            until=query.get("until", ""),
            page=int(page) if page.isascii() and page.isdigit() and 0 < int(page) < 10**6 else 1,
        )

    def changed(self, **values: object) -> HistoryFilter:
        """Another filter; unless it is the page that changes, the first page of it."""
        return replace(self, **{"page": 1, **values})  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        """The view's address with this filter."""
        said = {key: value for key, value in asdict(self).items() if value and (key, value) != ("page", 1)}
        return f"/history?{urlencode(said)}" if said else "/history"

    def job_filter(self, owner: str, minutes_ahead: int) -> JobFilter:
        """As operations take it; the visitor's own come first."""
        return JobFilter(
            state=JobState(self.state) if self.state else None,
            name=self.name or None,
            owner=owner if self.whose == "mine" else None,
            since=day_start(self.since, minutes_ahead),
            until=day_start(self.until, minutes_ahead, next_day=True),
            first=owner,
        )

    @property
    def is_narrow(self) -> bool:
        """True when it leaves something out."""
        return replace(self, page=1) != HistoryFilter()

"""Who did what, newest first, page by page; for administrators. What is shown stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Self
from urllib.parse import urlencode

from nicegui import PageArguments, ui
from starlette.datastructures import QueryParams

from services.gateway.operations.audit import AuditEntry, AuditFilter
from services.gateway.web.catalogue import Words
from services.gateway.web.formats import moment_text
from services.gateway.web.markup import Text, attribute, block, empty, head, link_button
from services.gateway.web.open_page import OpenPage, attempt
from services.jobs.owners import owner_shown

_ROWS: Final = 50
_KINDS: Final = ("login", "logout", "media", "batch", "job", "user", "token", "model", "retention")
"""What comes before the point of an action"""
_MOST_LETTERS: Final = 100
_MOST_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class AuditAddress:
    """Which page of which deeds, as the address says it."""

    user: str = ""
    action: str = ""
    before: str = ""
    """The last id of the page before"""

    @classmethod
    def from_query(cls, query: QueryParams) -> Self:
        """What the address says; nonsense is left out."""
        action, before = query.get("action", ""), query.get("before", "")
        is_id = before.isascii() and before.isdigit() and len(before) <= _MOST_DIGITS
        return cls(
            user=query.get("user", "")[:_MOST_LETTERS],
            action=action if action in _KINDS else "",
            before=before if is_id else "",
        )

    def __str__(self) -> str:
        said = {key: value for key, value in asdict(self).items() if value}
        return f"/audit?{urlencode(said)}" if said else "/audit"

    @property
    def filter(self) -> AuditFilter:
        """As operations take it."""
        before = int(self.before) if self.before else None
        return AuditFilter(name=self.user or None, action=self.action or None, before=before)


async def show_audit(page: OpenPage, arguments: PageArguments) -> None:
    """Build the view; nothing is looked up for who may not read it."""
    words, here = page.words, AuditAddress.from_query(QueryParams(arguments.query_parameters))
    ui.page_title(f"{words('audit.title')} · Chorus")
    with block("div", "view view-wide"):
        head(words("audit.title"), words("audit.lead"))
        if not page.visitor.is_admin:
            with block("section", "card"):
                empty("lock", words("log.of_all"), words("log.of_all_hint"))
            return
        _fields(words, here)
        place = block("section", "card")
    entries = await attempt(page, _page_of, page, here)
    with place:
        _show(page, here, entries or [])


def _page_of(page: OpenPage, here: AuditAddress) -> Sequence[AuditEntry]:
    return page.operations.audit.page(here.filter, limit=_ROWS)


def _fields(words: Words, here: AuditAddress) -> None:
    with block("div", "filters").props("role=search"):
        user = ui.input(words("audit.user"), value=here.user).props("outlined clearable").classes("filter-search")

        def go() -> None:
            name = (user.value or "").strip()[:_MOST_LETTERS]
            if name != here.user:
                ui.navigate.to(str(replace(here, user=name, before="")))

        for event in ("keydown.enter", "blur", "clear"):
            user.on(event, go)
        labels = {"": words("audit.any_action"), **{kind: words(f"audit.kind_{kind}") for kind in _KINDS}}
        action = ui.select(
            labels,
            label=words("audit.action"),
            value=here.action,
            on_change=lambda event: ui.navigate.to(str(replace(here, action=event.value, before=""))),
        )
        action.props("outlined options-dense").classes("filter-field")


def _show(page: OpenPage, here: AuditAddress, entries: Sequence[AuditEntry]) -> None:
    words = page.words
    if entries:
        _table(page, entries)
    else:
        empty("manage_search", words("audit.none"), words("audit.none_hint"))
    with block("nav", "view-actions") as pages:
        if here.before:
            link_button(words("audit.newest"), str(replace(here, before="")), symbol="first_page")
        if len(entries) == _ROWS:
            link_button(words("audit.older"), str(replace(here, before=str(entries[-1].id))), symbol="chevron_right")
    attribute(pages, "aria-label", words("history.pages"))


def _table(page: OpenPage, entries: Sequence[AuditEntry]) -> None:
    words = page.words
    with block("div", "audit").props("tabindex=0"), block("table"):
        with block("thead"), block("tr"):
            for column in ("when", "who", "did", "outcome", "origin"):
                Text("th", words(f"audit.{column}")).props("scope=col")
        with block("tbody"):
            for entry in entries:
                _row(page, entry)


def _row(page: OpenPage, entry: AuditEntry) -> None:
    is_good = entry.outcome == "done"
    with block("tr"):
        Text("td", moment_text(entry.at, page.visitor.minutes_ahead), "numbers")
        Text("td", entry.name or owner_shown(entry.name))
        with block("td"):
            Text("span", entry.action)
            Text("span", " ".join(filter(None, (entry.detail, entry.thing))), "muted")
        Text("td", page.words("audit.done") if is_good else entry.outcome, "" if is_good else "bad")
        Text("td", " · ".join(filter(None, (entry.door, entry.address))), "muted numbers")

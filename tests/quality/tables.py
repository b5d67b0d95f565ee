"""Figures as tables for the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.table import Table


def shown(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: Collection[str]) -> Table:
    """A table of `rows`; the columns under the headings in `left` hold words, the others numbers."""
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right")
    for cells in rows:
        table.add_row(*cells)
    return table

"""docs/metrics.md lists just the metrics that the code has, with their types and labels."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from services.telemetry import QueueDepth, metrics
from services.telemetry.queue import QueueCollector

ROW = re.compile(r"^\| `(chorus_\w+)` \| (\w+) \| (.*?) \| ", re.MULTILINE)
DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"

Described = dict[str, tuple[str, frozenset[str]]]


def documented() -> Described:
    """Type and labels of each metric in the table."""
    rows = ROW.findall(DOCUMENT.read_text())
    assert len({name for name, _, _ in rows}) == len(rows)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def counted() -> Described:
    """Those that something counts as it happens."""
    found: Described = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (described,) = metric.describe()
            name = described.name + ("_total" if described.type == "counter" else "")
            found[name] = (described.type, frozenset(metric._labelnames))
    return found


def looked_up() -> Described:
    """Those that a scrape asks the database for."""
    families = QueueCollector(lambda: QueueDepth({"queued": 1}, 0, 1)).collect()
    return {each.name: (each.type, frozenset(each.samples[0].labels)) for each in families}


def test_the_table_is_what_the_code_shows() -> None:
    assert documented() == counted() | looked_up()

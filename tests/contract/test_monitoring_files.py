"""deploy/k8s/monitoring: made files are as made, alerts are tested and explained, and what is asked for exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.monitoring.__main__ import made_files
from tests.contract.workloads import workloads
from tests.prometheus_server import MONITORING, ROOT

DOCS = ROOT / "docs"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}
# Not ours: shown by Triton, Prometheus itself, its Python client, and kube-state-metrics.
FOREIGN = re.compile(r"nv_|up$|process_|kube_")


@pytest.mark.parametrize("path", made_files(), ids=lambda path: path.name)
def test_what_is_made_is_checked_in(path: Path) -> None:
    assert path.read_text() == made_files()[path], "run `make dashboards`"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_where_it_is_explained(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


def test_the_runbook_has_one_section_for_each_alert() -> None:
    sections = re.findall(r"^## (\w+)\n\n\w", (DOCS / "runbook.md").read_text(), re.MULTILINE)
    assert sections == list(ALERTS)


def test_every_alert_is_seen_to_fire_and_to_keep_quiet() -> None:
    fires: set[str] = set()
    quiet: set[str] = set()
    for test in yaml.safe_load((MONITORING / "alerts_test.yaml").read_text())["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case["exp_alerts"] else quiet).add(case["alertname"])
    assert fires == quiet == set(ALERTS)


def queries() -> Iterator[tuple[str, str]]:
    """Every expression of the dashboard and of the alerts, with its name."""
    board: dict[str, Any] = json.loads((MONITORING / "dashboards" / "chorus.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for name, alert in ALERTS.items():
        yield name, alert["expr"]


def documented() -> dict[str, set[str]]:
    """The labels of each metric in docs/metrics.md."""
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| (.*?) \| ", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


@pytest.mark.parametrize(("name", "expression"), list(queries()))
def test_a_query_asks_for_metrics_and_labels_that_exist(name: str, expression: str) -> None:
    known = documented()
    for metric, selector in re.findall(r"\b((?:chorus|nv|process|kube)_\w+|up)(?:{(.*?)})?", expression):
        if FOREIGN.match(metric):
            continue
        base = metric if metric in known else re.sub(r"_(bucket|sum|count)$", "", metric)
        assert base in known
        asked = set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", selector))
        assert asked <= known[base] | {"job"}, f"{name}: {metric}"


MONITOR = yaml.safe_load((MONITORING / "pod-monitors.yaml").read_text())["spec"]


def test_pods_are_scraped_under_the_names_that_the_queries_use() -> None:
    (components,) = MONITOR["selector"]["matchExpressions"]
    (endpoint,) = MONITOR["podMetricsEndpoints"]
    assert {"targetLabel": "job", "replacement": "chorus-$1"}.items() <= endpoint["relabelings"][0].items()
    named = set(re.findall(r'job="(chorus-\w+)"', "".join(expression for _, expression in queries())))
    assert named
    assert named <= {f"chorus-{each}" for each in components["values"]}


@pytest.mark.parametrize("overlay", ["cpu", "dev", "gpu"])
def test_every_pod_that_is_scraped_has_that_port(overlay: str) -> None:
    (components,) = MONITOR["selector"]["matchExpressions"]
    (endpoint,) = MONITOR["podMetricsEndpoints"]
    scraped = {
        each.labels[components["key"]]: each.ports
        for each in workloads(overlay)
        if MONITOR["selector"]["matchLabels"].items() <= each.labels.items()
        and each.labels.get(components["key"]) in components["values"]
    }
    assert scraped.keys() == set(components["values"])
    assert all(endpoint["port"] in ports for ports in scraped.values())

"""`python -m scripts.monitoring` makes the dashboard and the PrometheusRule of deploy/k8s/monitoring again."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_uppercase
from typing import Final

import yaml
from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef

from scripts.monitoring.panels import ROWS, Panel

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "k8s" / "monitoring"
_SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
_WIDTH: Final = 8
_HEIGHT: Final = 8


def main() -> None:
    """Write all files."""
    for path, content in made_files().items():
        path.write_text(content)


def made_files() -> dict[Path, str]:
    """What each made file holds."""
    return {FOLDER / "dashboards" / "chorus.json": _dashboard(), FOLDER / "prometheus-rule.yaml": _rule()}


def _dashboard() -> str:
    board = (
        dashboard.Dashboard("Chorus")
        .uid("chorus")
        .tags(["chorus"])
        .timezone("browser")
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for row in ROWS:
        board = board.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            board = board.with_panel(_panel(panel))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _panel(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .min(0)
        .datasource(_SOURCE)
        .span(_WIDTH)
        .height(_HEIGHT)
        .fill_opacity(10)
        .legend(common.VizLegendOptions().show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )
    for letter, query in zip(ascii_uppercase, panel.queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(query.expression).legend_format(query.legend).range()
        made = made.with_target(target.exemplar(True) if query.has_exemplars else target)
    return made


def _rule() -> str:
    """The custom resource of the Prometheus operator around the plain rules."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "chorus", "labels": {"app.kubernetes.io/part-of": "chorus"}},
        "spec": yaml.safe_load((FOLDER / "alerts.yaml").read_text()),
    }
    head = "# Made from alerts.yaml by `make dashboards`.\n"
    return head + yaml.safe_dump(resource, sort_keys=False, width=1000)


if __name__ == "__main__":
    main()

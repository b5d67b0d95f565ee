"""A picture of the dashboard: a real stack renders two batches, Prometheus scrapes it, and its answers are drawn.

`python -m scripts.draw_dashboard` writes docs/dashboard.jpg. Grafana itself is in no package registry; the queries
and the three panels a line are those of its dashboard.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from scripts.monitoring.panels import ERRORS, STAGES, THROUGHPUT, TRITON, Panel, Row
from tests.prometheus_server import Prometheus, metrics_of, running_prometheus
from tests.running_stack import SAMPLES, RunningStack, running_stack

PICTURE: Final = Path("docs/dashboard.jpg")
_COLUMNS: Final = 3
_WINDOW: Final = "30s"
_STEP_SECONDS: Final = 2
_LEAD_SECONDS: Final = 10
_GROUND, _INK, _LINES = "#181b1f", "#ccccdc", "#2c3036"
_WHOLE: Final = 100
_SIZES: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))

Series = Mapping[str, tuple[list[float], list[float]]]
"""Minutes since the start, and values, by legend"""


def main() -> None:
    """Render, ask, draw."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "prometheus").mkdir()
        with (
            running_stack(folder) as stack,
            running_prometheus(metrics_of(folder), folder / "prometheus") as prometheus,
        ):
            prometheus.wait_until_all_are_up()
            started = time.time()
            time.sleep(_LEAD_SECONDS)
            _render_batches(stack, folder)
            time.sleep(_LEAD_SECONDS)
            rows = (THROUGHPUT, STAGES, TRITON, ERRORS)
            answers = {
                panel.title: _ask(prometheus, panel, started, time.time()) for row in rows for panel in row.panels
            }
    draw(rows, answers, PICTURE)


def _render_batches(stack: RunningStack, folder: Path) -> None:
    """Two batches, the second with the videos of the first; one of the pictures shows no face."""
    landscape = folder / "landscape.jpg"
    cv2.imwrite(str(landscape), np.full((360, 640, 3), 120, np.uint8))
    videos = [SAMPLES / "astronaut.mp4", SAMPLES / "portrait.jpg"]
    jobs = [
        *stack.create_batch(SAMPLES / "announcement_en.wav", [*videos, landscape])["jobs"],
        *stack.create_batch(SAMPLES / "announcement_zh.wav", videos)["jobs"],
    ]
    for number, job in enumerate(jobs):
        if stack.wait_for(job["id"], seconds=600)["state"] == "succeeded":
            stack.download(job["id"], folder / f"{number}.mp4")
        with stack.http as http:
            http.get("/v1/jobs/nobody")


def _ask(prometheus: Prometheus, panel: Panel, start: float, end: float) -> Series:
    """What Grafana would be answered; values that are no numbers are gaps."""
    series: dict[str, tuple[list[float], list[float]]] = {}
    for query in panel.queries:
        expression = query.expression.replace("$__rate_interval", _WINDOW)
        answer = prometheus.ask("query_range", query=expression, start=start, end=end, step=_STEP_SECONDS)
        for each in answer["result"]:
            minutes = [(float(moment) - start) / 60 for moment, _ in each["values"]]
            values = [float(value) for _, value in each["values"]]
            series[_legend(query.legend, each["metric"])] = (minutes, values)
    return series


def _legend(form: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), form)


def draw(rows: Sequence[Row], answers: Mapping[str, Series], path: Path) -> None:
    """Every panel that has an answer, three a line, under the heading of its row."""
    mpl.use("Agg")
    plt.rcParams.update({"font.size": 7, "text.color": _INK, "axes.labelcolor": _INK, "axes.edgecolor": _LINES})
    shown = [(row.title, [panel for panel in row.panels if answers[panel.title]]) for row in rows]
    lines = [-(-len(panels) // _COLUMNS) for _, panels in shown]
    figure = plt.figure(figsize=(12, 1.55 * sum(lines)), facecolor="#111217", layout="constrained")
    parts: Any = figure.subfigures(len(shown), 1, height_ratios=lines)
    for part, (title, panels), count in zip(parts, shown, lines, strict=True):
        _draw_row(part, title, panels, count, answers)
    figure.savefig(path, dpi=110, pil_kwargs={"quality": 80, "optimize": True, "progressive": True})
    plt.close(figure)


def _draw_row(part: SubFigure, title: str, panels: Sequence[Panel], lines: int, answers: Mapping[str, Series]) -> None:
    part.set_facecolor("#111217")
    part.suptitle(title, x=0.01, ha="left", fontsize=10, weight="bold")
    places = part.subplots(lines, _COLUMNS, squeeze=False).flatten()
    end = max(minutes[-1] for series in answers.values() for minutes, _ in series.values())
    for place, panel in zip(places, panels, strict=False):
        _draw_panel(place, panel, answers[panel.title], end)
    for place in places[len(panels) :]:
        place.set_axis_off()


def _draw_panel(axes: Axes, panel: Panel, series: Series, end: float) -> None:
    axes.set_facecolor(_GROUND)
    axes.set_title(panel.title, fontsize=8, loc="left")
    # As many series never leave nought as there are kinds of errors: their names would hide the others.
    moving = {legend: each for legend, each in series.items() if any(value > 0 for value in each[1])}
    for legend, (minutes, values) in sorted((moving or series).items()):
        (line,) = axes.plot(minutes, values, linewidth=1.1, label=legend)
        axes.fill_between(minutes, values, color=line.get_color(), alpha=0.1, linewidth=0)
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1.5 * axes.get_ylim()[1])
    axes.grid(color=_LINES, linewidth=0.5)
    axes.tick_params(colors=_INK, length=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} min"))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _with_unit(value, panel.unit)))
    axes.legend(fontsize=5.5, loc="upper left", framealpha=0.4, facecolor=_GROUND, edgecolor=_GROUND, ncols=2)


def _with_unit(value: float, unit: str) -> str:
    """As short as Grafana writes it."""
    if unit == "s":
        return f"{_short(value * 1000)} ms" if 0 < value < 1 else f"{_short(value)} s"
    if unit == "percentunit":
        return f"{_short(100 * value)} %"
    if unit in ("bytes", "Bps"):
        size, name = next(each for each in _SIZES if value >= each[0] or each[0] == 1)
        return f"{_short(value / size)} {name}{'/s' if unit == 'Bps' else ''}"
    return f"{_short(value)}{' /s' if unit == 'reqps' else ''}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= _WHOLE else f"{value:.3g}"


if __name__ == "__main__":
    main()

"""Debian's Prometheus as the tests use it: promtool on files, and a server that scrapes a running stack."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from services.local.ports import free_port

ROOT = Path(__file__).parents[1]
MONITORING = ROOT / "deploy" / "k8s" / "monitoring"
DASHBOARD = MONITORING / "dashboards" / "chorus.json"
_SCRAPE_SECONDS = 1
_READY_SECONDS = 30.0


def program(name: str) -> str:
    """Where prometheus or promtool lies."""
    own = ROOT / "build" / "prometheus" / "usr" / "bin" / name
    found = shutil.which(name) or (str(own) if own.exists() else None)
    assert found is not None, f"{name} is not there: run `make prometheus`"
    return found


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that answers."""

    http: httpx.Client

    def ask(self, path: str, **parameters: object) -> Any:
        """The data of an answer of its API; fails the test when it is an error."""
        answer = self.http.get(f"/api/v1/{path}", params={key: str(value) for key, value in parameters.items()})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def query(self, expression: str) -> dict[str, float]:
        """The value of each series now, by its labels."""
        result = self.ask("query", query=expression)["result"]
        return {json.dumps(each["metric"], sort_keys=True): float(each["value"][1]) for each in result}

    def targets(self) -> dict[str, str]:
        """The health of each target by its job: up, down, unknown."""
        return {each["labels"]["job"]: each["health"] for each in self.ask("targets")["activeTargets"]}

    def wait_until_all_are_up(self) -> None:
        """Until every target has been scraped; fails the test when one is not."""
        end = time.monotonic() + _READY_SECONDS
        while set((found := self.targets()).values()) != {"up"}:
            assert time.monotonic() < end, found
            time.sleep(0.2)


@contextmanager
def running_prometheus(targets: Mapping[str, str], folder: Path) -> Iterator[Prometheus]:
    """Scrapes every target (job -> host:port) once a second, with the alert rules loaded; its data lies in `folder`."""
    config = {
        "global": {"scrape_interval": f"{_SCRAPE_SECONDS}s", "evaluation_interval": "5s"},
        "rule_files": [str(MONITORING / "alerts.yaml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [address]}]} for job, address in targets.items()
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        program("prometheus"),
        "--enable-feature=exemplar-storage",
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = (folder / "prometheus.log").open("wb")
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as http:
            _wait_until_ready(http, process, folder)
            yield Prometheus(http)
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()
            log.close()


def metrics_of(home: Path) -> dict[str, str]:
    """Where the processes of a stack of `chorus up` show their metrics, as its run folder says."""
    return dict(json.loads((home / "run" / "stack.json").read_text())["metrics"])


def panels(window: str) -> list[tuple[str, str, str]]:
    """Title, expression and legend of every query of the dashboard, its rates over `window`."""
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", window), target["legendFormat"])
        for panel in board["panels"]
        for target in panel.get("targets", [])
    ]


def _wait_until_ready(http: httpx.Client, process: subprocess.Popen[bytes], folder: Path) -> None:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if http.get("/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError((folder / "prometheus.log").read_text()[-3000:])

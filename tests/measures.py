"""Metrics of this process, read as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from services.telemetry import metrics_text


def metric(name: str, **labels: str) -> float:
    """The value of one series; 0 when nothing was counted yet."""
    for family in text_string_to_metric_families(metrics_text()[0].decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return 0.0

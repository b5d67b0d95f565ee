"""The metrics of this process in Prometheus' text format."""

from __future__ import annotations

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

METRICS_CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


def metrics_text() -> bytes:
    """All metrics of this process in Prometheus' text format (METRICS_CONTENT_TYPE)."""
    return generate_latest(REGISTRY)

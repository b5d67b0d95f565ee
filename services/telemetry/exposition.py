"""The metrics of this process in a text format of Prometheus."""

from __future__ import annotations

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder


def metrics_text(accept: str = "") -> tuple[bytes, str]:
    """All metrics of this process, and their content type: OpenMetrics, with exemplars, for whom `accept` names it."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type

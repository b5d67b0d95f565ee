"""The variables of OpenTelemetry's standard that we read ourselves; its SDK reads the others (docs/tracing.md)."""

from __future__ import annotations

from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_SPOKEN: Final = frozenset({"", "grpc"})


class TracingSettings(BaseSettings):
    """Whether a process sends its traces, and where. A variable that is empty counts as not set, says the standard."""

    model_config = SettingsConfigDict(frozen=True, use_attribute_docstrings=True)

    otel_exporter_otlp_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    """http://host:4317 of a collector that takes OTLP over gRPC; empty: nothing is traced"""
    otel_exporter_otlp_traces_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    """The same for traces alone; goes before the other"""
    otel_exporter_otlp_protocol: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL")
    """grpc or empty; with another nothing is traced, since no other is spoken"""
    otel_traces_exporter: str = Field(default="", validation_alias="OTEL_TRACES_EXPORTER")
    """none: nothing is traced, whatever else is set"""
    otel_sdk_disabled: str = Field(default="", validation_alias="OTEL_SDK_DISABLED")
    """true: nothing is traced, whatever else is set"""
    otel_service_name: str = Field(default="", validation_alias="OTEL_SERVICE_NAME")
    """What the process is called in its traces; empty: chorus-api, chorus-worker, chorus-preprocess"""

    @property
    def collector(self) -> str:
        """Where the spans go; empty: nowhere."""
        return self.otel_exporter_otlp_traces_endpoint or self.otel_exporter_otlp_endpoint

    @property
    def wants_traces(self) -> bool:
        """True when a collector is named and nothing switches it off."""
        off = self.otel_sdk_disabled.lower() == "true" or self.otel_traces_exporter.lower() == "none"
        return bool(self.collector) and not off

    @property
    def is_spoken(self) -> bool:
        """False for a protocol that is not ours."""
        return self.otel_exporter_otlp_protocol.lower() in _SPOKEN

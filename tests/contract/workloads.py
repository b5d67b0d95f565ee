"""The pods of a rendered overlay, and what the processes in them make of their environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from unittest import mock
from urllib.parse import urlparse

import opentelemetry.environment_variables
import opentelemetry.sdk.environment_variables
from pydantic_settings import BaseSettings

from scripts.manifests import Resource, environment, of_kind, resources
from services.gateway.settings import GatewaySettings
from services.jobs.settings import StateSettings
from services.preprocess.settings import PreprocessSettings
from services.render.settings import RenderProcessSettings
from services.worker.settings import WorkerSettings

# What reads the environment of a container that runs this module; a worker's render children have its own.
SETTINGS: Final[Mapping[str, Sequence[type[BaseSettings]]]] = {
    "services.gateway": (GatewaySettings,),
    "services.gateway.migrate": (StateSettings,),
    "services.worker": (WorkerSettings, RenderProcessSettings),
    "services.preprocess": (PreprocessSettings,),
}
# Those of them that obstore reads, for a bucket.
STORE_VARIABLES: Final = {
    "AWS_ACCESS_KEY_ID",
    "AWS_ALLOW_HTTP",
    "AWS_ENDPOINT",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
}
# Those of OpenTelemetry's standard, as the SDK lists those that it reads.
TRACING_VARIABLES: Final = {
    name
    for module in (opentelemetry.environment_variables, opentelemetry.sdk.environment_variables)
    for name in vars(module)
    if name.startswith("OTEL_")
}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "postgresql": 5432}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a process calls."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods: a Deployment, a StatefulSet or a Job; each has one container that stays."""

    overlay: str
    resource: Resource

    @property
    def kind(self) -> str:
        return str(self.resource["kind"])

    @property
    def name(self) -> str:
        return str(self.resource["metadata"]["name"])

    @property
    def labels(self) -> dict[str, str]:
        """Of its pods."""
        return dict(self.resource["spec"]["template"]["metadata"]["labels"])

    @property
    def pod(self) -> dict[str, Any]:
        """The specification of its pods, to be changed by tests only."""
        pod: dict[str, Any] = self.resource["spec"]["template"]["spec"]
        return pod

    @property
    def container(self) -> dict[str, Any]:
        """The only one that stays."""
        containers: list[dict[str, Any]] = self.pod["containers"]
        (container,) = containers
        return container

    @property
    def preparing(self) -> list[dict[str, Any]]:
        """Those that end before it starts."""
        return list(self.pod.get("initContainers", ()))

    @property
    def ports(self) -> dict[str, int]:
        """By name."""
        return {port["name"]: port["containerPort"] for port in self.container.get("ports", ())}

    @property
    def modules(self) -> Sequence[type[BaseSettings]]:
        """The settings classes of our process in it; none in what is not ours."""
        command = self.container.get("command", ())
        return SETTINGS[command[2]] if command[:2] == ["python", "-m"] else ()

    @property
    def variables(self) -> dict[str, str]:
        """What it is given."""
        return environment(resources(self.overlay), self.container)

    def unknown_variables(self) -> list[str]:
        """Variables that no settings class of it has and neither obstore nor OpenTelemetry reads."""
        if not self.modules:
            return []
        known = {f"CHORUS_{name.upper()}" for each in self.modules for name in each.model_fields}
        return sorted(self.variables.keys() - known - STORE_VARIABLES - TRACING_VARIABLES)

    def settings(self) -> dict[str, Any]:
        """What its settings classes read from its environment alone; ValidationError when they refuse it."""
        found: dict[str, Any] = {}
        with mock.patch.dict(os.environ, self.variables, clear=True):
            for each in self.modules:
                found |= dict(each())
        return found

    def addresses(self) -> dict[str, Address]:
        """Whom it calls, by what it calls them: database, store, preprocess, triton, collector, traces."""
        given, found = self.settings(), {}
        if "TRACES_ENDPOINT" in self.variables:  # the collector's own
            found["traces"] = _address(f"//{self.variables['TRACES_ENDPOINT']}")
        if given.get("otel_exporter_otlp_endpoint"):
            found["collector"] = _address(given["otel_exporter_otlp_endpoint"])
        if "database_url" in given:
            found["database"] = _address(given["database_url"])
        if "store_url" in given and "AWS_ENDPOINT" in self.variables:
            found["store"] = _address(self.variables["AWS_ENDPOINT"])
        for name, field in (("preprocess", "preprocess_address"), ("triton", "triton_url")):
            if field in given:
                host, _, port = given[field].removeprefix("dns:///").partition(":")
                found[name] = Address(host, int(port))
        return found


@cache
def workloads(overlay: str) -> Sequence[Workload]:
    """All of an overlay."""
    found = of_kind(resources(overlay), "Deployment", "StatefulSet", "Job")
    return [Workload(overlay, each) for each in found]


def _address(url: str) -> Address:
    parts = urlparse(url)
    return Address(parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])

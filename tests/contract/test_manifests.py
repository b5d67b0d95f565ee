"""The Kubernetes manifests: rendered, valid, restricted, and in step with what the code reads and listens on."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import kubernetes_validate
import pytest
import yaml

from scripts.check_manifests import is_custom
from scripts.images.dockerfile import dockerfiles, read_dockerfile
from scripts.manifests import (
    FOLDER,
    OVERLAYS,
    Resource,
    environment,
    named,
    of_kind,
    render,
    rendered_file,
    resources,
)
from services.errors import ChorusError
from services.gateway.access.lock import check_lock
from services.gateway.rest import jobs as rest
from services.gateway.settings import GatewaySettings
from services.local.ports import free_port
from services.local.settings import LocalSettings
from services.metrics_door import open_metrics_door
from tests.contract.workloads import Workload, workloads
from tests.plan_maker import load_plans

KUBERNETES = "1.37"
TRITON_PORTS = {"http": 8000, "grpc": 8001, "metrics": 8002}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@each_overlay
def test_what_is_checked_in_is_what_the_sources_give(overlay: str) -> None:
    assert rendered_file(overlay).read_text() == render(FOLDER / "overlays" / overlay), "run `make manifests`"


def test_kubernetes_knows_every_field() -> None:
    # Most are the same in all overlays, and a look at one takes a while.
    different = {json.dumps(each, sort_keys=True) for overlay in OVERLAYS for each in resources(overlay)}
    for resource in map(json.loads, different):
        if not is_custom(resource):
            kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def test_a_misspelt_field_is_found() -> None:
    wrong = copy.deepcopy(named(resources("cpu"), "Deployment", "api"))
    wrong["spec"]["replica"] = 2
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@each_overlay
def test_every_pod_is_bounded_probed_and_restricted(overlay: str) -> None:
    assert {each.name: list(faults(each)) for each in workloads(overlay)} == {
        each.name: [] for each in workloads(overlay)
    }


def faults(workload: Workload) -> Iterator[str]:
    """What a pod and its container lack of what all must have."""
    yield from pod_faults(workload.pod)
    for container in (workload.container, *workload.preparing):
        yield from container_faults(container)
    if workload.kind != "Job" and (missing := [each for each in PROBES if each not in workload.container]):
        yield f"it has no {missing}"


def pod_faults(pod: dict[str, Any]) -> Iterator[str]:
    """What every pod must have."""
    if pod.get("automountServiceAccountToken") is not False:
        yield "it is given a token of its service account"
    if pod["securityContext"].get("runAsNonRoot") is not True or not pod["securityContext"].get("runAsUser"):
        yield "it may run as root"
    if pod["securityContext"].get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "it may make every system call"
    if any("sizeLimit" not in volume["emptyDir"] for volume in pod.get("volumes", ()) if "emptyDir" in volume):
        yield "it may fill its node's disk"


def container_faults(container: dict[str, Any]) -> Iterator[str]:
    """What every container must have."""
    own = container.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities") != {"drop": ["ALL"]}:
        yield "it may gain privileges"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "it can write its own programs"
    for bound in ("requests", "limits"):
        if not {"cpu", "memory"} <= container["resources"].get(bound, {}).keys():
            yield f"it has no {bound}"
    if container["image"].partition(":")[2] in ("", "latest"):
        yield "its image changes under it"


BREAKS: dict[str, Callable[[Workload], object]] = {
    "token": lambda each: each.pod.pop("automountServiceAccountToken"),
    "root": lambda each: each.pod["securityContext"].pop("runAsNonRoot"),
    "system call": lambda each: each.pod["securityContext"].pop("seccompProfile"),
    "privileges": lambda each: each.container["securityContext"].pop("capabilities"),
    "programs": lambda each: each.container["securityContext"].pop("readOnlyRootFilesystem"),
    "requests": lambda each: each.container["resources"]["requests"].pop("cpu"),
    "limits": lambda each: each.container["resources"].pop("limits"),
    "livenessProbe": lambda each: each.container.pop("livenessProbe"),
    "disk": lambda each: each.pod["volumes"][-1]["emptyDir"].pop("sizeLimit"),
    "image": lambda each: each.container.update(image="chorus-gateway"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_pod_that_lacks_something_is_found(broken: str) -> None:
    workload = copy.deepcopy(next(each for each in workloads("cpu") if each.name == "worker"))
    BREAKS[broken](workload)
    (fault,) = faults(workload)
    assert broken in fault


def test_what_prepares_a_pod_is_held_to_the_same() -> None:
    workload = copy.deepcopy(next(each for each in workloads("gpu") if each.name == "triton"))
    workload.preparing[0]["securityContext"].pop("readOnlyRootFilesystem")
    assert list(faults(workload)) == ["it can write its own programs"]


def test_plans_are_made_by_the_image_of_triton_where_it_looks_for_them() -> None:
    triton = next(each for each in workloads("gpu") if each.name == "triton")
    (container,) = triton.preparing
    assert container["image"] == triton.container["image"]
    assert container["command"] == ["python3", "/opt/plans.py"]
    variables = environment(resources("gpu"), container)
    with mock.patch.dict(os.environ, variables, clear=True):
        engine = LocalSettings().model_engine  # the name and the values are those of one machine's Triton
    words = [re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], word) for word in container["args"]]
    options = load_plans()._options(words)
    assert (options.engine, options.models) == (engine, [Path("/models")])
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    served = {each["mountPath"]: each["name"] for each in triton.container["volumeMounts"]}
    assert "--model-repository=/models" in triton.container["args"]
    assert served["/models"] == mounts[str(options.repository)]
    assert served["/plans"] == mounts[str(options.plans)]
    gpu = {"nvidia.com/gpu": 1}
    assert gpu.items() <= container["resources"]["limits"].items()
    assert gpu.items() <= triton.container["resources"]["limits"].items()
    assert triton.resource["spec"]["progressDeadlineSeconds"] > options.seconds


def test_plans_may_lie_in_a_claim(tmp_path: Path) -> None:
    components = os.path.relpath(FOLDER / "components", tmp_path)
    lines = [f"resources: [{components}/../base]", f"components: [{components}/nvidia, {components}/nvidia-cache]"]
    (tmp_path / "kustomization.yaml").write_text("\n".join(lines) + "\n")
    found = list(yaml.safe_load_all(render(tmp_path)))
    claim = named(found, "PersistentVolumeClaim", "triton-plans")
    kubernetes_validate.validate(claim, KUBERNETES, strict=True)
    volumes = named(found, "Deployment", "triton")["spec"]["template"]["spec"]["volumes"]
    (plans,) = (each for each in volumes if each["name"] == "plans")
    assert plans == {"name": "plans", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}


@each_overlay
def test_every_variable_is_a_setting_and_has_a_value_that_it_takes(overlay: str) -> None:
    for workload in workloads(overlay):
        assert workload.unknown_variables() == [], workload.name
        workload.settings()  # raises for what is missing or wrong


@pytest.mark.parametrize("name", ["CHORUS_WORKER_SLOT", "OTEL_TRACES_SAMPLE"])
def test_a_variable_that_nobody_reads_is_found(name: str) -> None:
    worker = copy.deepcopy(next(each for each in workloads("cpu") if each.name == "worker"))
    worker.container["env"].append({"name": name, "value": "2"})
    assert worker.unknown_variables() == [name]


@each_overlay
def test_ports_are_those_that_the_processes_listen_on(overlay: str) -> None:
    for workload in workloads(overlay):
        if workload.name == "triton":
            assert workload.ports == TRITON_PORTS
        elif workload.modules and workload.kind != "Job":
            assert workload.ports == listens_on(workload), workload.name


def listens_on(workload: Workload) -> dict[str, int]:
    """The ports of a process of ours by the names that the manifests have for them; each on all addresses."""
    ports: dict[str, int] = {}
    given = workload.settings()
    if given.get("metrics_port"):
        assert given["metrics_host"] == "0.0.0.0"
        ports["metrics"] = given["metrics_port"]
    if "grpc_port" in given:
        assert given["host"] == "0.0.0.0"
        ports |= {"http": given["port"], "grpc": given["grpc_port"]}
    if "preprocess_listen" in given:
        host, _, port = given["preprocess_listen"].partition(":")
        assert host == "0.0.0.0"
        ports["grpc"] = int(port)
    return ports


@each_overlay
def test_probes_ask_what_is_answered(overlay: str) -> None:
    for workload in workloads(overlay):
        for probe in (workload.container[each] for each in PROBES if each in workload.container):
            if "grpc" in probe:
                assert probe["grpc"]["port"] == workload.ports["grpc"]
            elif "httpGet" in probe and workload.modules:
                answered = door_paths() if probe["httpGet"]["port"] == "metrics" else rest_paths()
                assert probe["httpGet"]["path"] in answered, workload.name
                assert probe["httpGet"]["port"] in workload.ports


def rest_paths() -> set[str]:
    """What the api answers outside /v1."""
    return {str(getattr(route, "path", "")) for route in rest.router.routes}


def door_paths() -> set[str]:
    """Those of the probes' paths that the door for metrics answers."""
    door = f"http://127.0.0.1:{open_metrics_door('127.0.0.1', free_port())}"
    return {path for path in ("/healthz", "/readyz") if httpx.get(door + path, trust_env=False).status_code == 200}


@each_overlay
def test_addresses_are_services_that_lead_to_that_port(overlay: str) -> None:
    found = resources(overlay)
    for workload in workloads(overlay):
        for address in workload.addresses().values():
            if address.name.endswith("example.com"):
                continue  # the company's own
            assert address.port in pod_ports(overlay, named(found, "Service", address.name)), address
    for service in of_kind(found, "Service"):
        assert pod_ports(overlay, service), service["metadata"]["name"]


def pod_ports(overlay: str, service: Resource) -> list[int]:
    """The ports of a Service, each of which its pods have under the name of the target."""
    (behind,) = (each for each in workloads(overlay) if each.labels.items() >= service["spec"]["selector"].items())
    for port in service["spec"]["ports"]:
        assert behind.ports[port["targetPort"]] == port["port"]
    return [port["port"] for port in service["spec"]["ports"]]


@each_overlay
def test_containers_start_what_their_images_start(overlay: str) -> None:
    for workload in workloads(overlay):
        image, _, tag = workload.container["image"].partition(":")
        if not image.startswith("chorus-") or workload.name == "migrate":
            continue
        last = read_dockerfile(dockerfiles()[image.removeprefix("chorus-")])[-1]
        if workload.name == "triton":  # components add to its arguments
            assert set(last.words("CMD")) <= set(workload.container["args"])
        else:
            assert workload.container["command"] == last.words("ENTRYPOINT") + last.words("CMD")
        assert tag == version("chorus")


@each_overlay
def test_a_stop_leaves_time_for_what_runs(overlay: str) -> None:
    for workload in workloads(overlay):
        if "drain_seconds" in (given := workload.settings()):
            doors = 2 if "grpc_port" in given else 1  # the api's stop one after the other
            hook = workload.container.get("lifecycle", {}).get("preStop")
            before = hook["sleep"]["seconds"] if hook else 0
            most = before + doors * given["drain_seconds"] + 10
            assert workload.pod["terminationGracePeriodSeconds"] >= most, workload.name


@each_overlay
def test_disruption_budgets_and_scalers_mean_what_is_there(overlay: str) -> None:
    names = {each.name for each in workloads(overlay)}
    for budget in of_kind(resources(overlay), "PodDisruptionBudget"):
        selector = budget["spec"]["selector"]["matchLabels"].items()
        assert [each.name for each in workloads(overlay) if each.labels.items() >= selector] == [
            budget["metadata"]["name"]
        ]
    for scaler in of_kind(resources(overlay), "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        assert target in names
        # Who scales owns the number: a number in the manifest would fight with it at every apply.
        assert "replicas" not in named(resources(overlay), "Deployment", target)["spec"]


def test_secrets_that_are_checked_in_let_nobody_in() -> None:
    for overlay in ("cpu", "gpu"):
        for secret in Path(FOLDER, "overlays", overlay).glob("*.env"):
            for line in secret.read_text().splitlines():
                value = line.partition("=")[2]
                assert "change-me" in value or value.endswith("example.com"), f"{secret}: {line}"


def test_the_examples_that_are_checked_in_are_refused_at_start() -> None:
    for overlay in ("cpu", "gpu"):
        api = next(each for each in workloads(overlay) if each.name == "api")
        with mock.patch.dict(os.environ, api.variables, clear=True), pytest.raises(ChorusError, match="CHORUS_TOKEN"):
            check_lock(GatewaySettings())

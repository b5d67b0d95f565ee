"""deploy/docker/docker-compose.yaml: locked down as the images are meant to run, and in step with the settings."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic_settings import BaseSettings

from scripts.images.compose import CONTAINERS, read_compose, read_example
from scripts.images.dockerfile import FOLDER, ROOT, dockerfiles, read_dockerfile
from services.gateway.settings import GatewaySettings
from services.preprocess.settings import PreprocessSettings
from services.render.settings import RenderProcessSettings
from services.worker.settings import WorkerSettings
from tests.plan_maker import load_plans

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PLAIN = yaml.safe_load((FOLDER / "docker-compose.yaml").read_text())
ENTERED = {"CHORUS_TOKEN": "t" * 48, "POSTGRES_PASSWORD": "p" * 48, "S3_SECRET_KEY": "s" * 48}
SETTINGS: dict[str, list[type[BaseSettings]]] = {
    "api": [GatewaySettings],
    "worker": [WorkerSettings, RenderProcessSettings],
    "preprocess": [PreprocessSettings],
}
SECRET = re.compile(r"TOKEN|PASSWORD|SECRET")
# Of images that are not ours.
THEIR_PORTS = {"postgres": {5432}, "s3": {8333}}


def environment_of(service: str) -> dict[str, str]:
    """The CHORUS_* variables that a container finds, by its image and the compose file."""
    own = read_dockerfile(dockerfiles()[CONTAINERS[service]])[-1].pairs("ENV")
    given = read_compose(ENTERED)["services"][service].get("environment", {})
    return {name: value for name, value in {**own, **given}.items() if name.startswith("CHORUS_")}


def exposed(service: str) -> set[int]:
    """The ports that a service's image declares."""
    return set(map(int, read_dockerfile(dockerfiles()[CONTAINERS[service]])[-1].values("EXPOSE")[0].split()))


def faults(services: dict[str, Any]) -> set[str]:
    """What services offend against, as `service: what`."""
    found = set()
    for name, service in services.items():
        checks = {
            "writable root": service.get("read_only") is True,
            "capabilities": service.get("cap_drop") == ["ALL"] and "cap_add" not in service,
            "new privileges": service.get("security_opt") == ["no-new-privileges:true"],
            "no limits": set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"},
            "open to the network": all(port.startswith("127.0.0.1:") for port in service.get("ports", [])),
            "root": service["image"].startswith("chorus-")
            or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service.get("user", "")) is not None,
            "a tag that moves": re.search(r":\d+\.\d+[\w.-]*$", service["image"]) is not None,
            "a secret of its own": all(
                re.search(r"\$\{\w+:\?", value)
                for key, value in service.get("environment", {}).items()
                if SECRET.search(key)
            ),
        }
        found |= {f"{name}: {what}" for what, holds in checks.items() if not holds}
    return found


def test_every_container_is_locked_down() -> None:
    assert faults(PLAIN["services"]) == set()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda api: api.pop("read_only"), "writable root"),
        (lambda api: api.update(cap_add=["NET_ADMIN"]), "capabilities"),
        (lambda api: api.pop("security_opt"), "new privileges"),
        (lambda api: api["deploy"]["resources"]["limits"].pop("memory"), "no limits"),
        (lambda api: api["ports"].append("7860:7860"), "open to the network"),
        (lambda api: api.update(image="chorus-gateway"), "a tag that moves"),
        (lambda api: api["environment"].update(CHORUS_TOKEN="changeme"), "a secret of its own"),
    ],
)
def test_a_container_that_is_not_is_found(change: Callable[[dict[str, Any]], object], fault: str) -> None:
    services = copy.deepcopy(PLAIN["services"])
    change(services["api"])
    assert faults(services) == {f"api: {fault}"}


def test_every_image_of_ours_is_built_from_its_dockerfile() -> None:
    for name, image in CONTAINERS.items():
        service = PLAIN["services"][name]
        assert service["image"] == f"chorus-{image}:{VERSION}"
        context = (FOLDER / service["build"]["context"]).resolve()
        assert context / service["build"]["dockerfile"] == dockerfiles()[image]


def test_nothing_starts_without_the_secrets_and_the_example_names_them_all() -> None:
    needed = set(re.findall(r"\$\{(\w+):\?", (FOLDER / "docker-compose.yaml").read_text()))
    assert needed == set(ENTERED)
    example = read_example()
    assert {name for name, value in example.items() if not value} == needed
    with pytest.raises(KeyError):
        read_compose(example)


@pytest.mark.parametrize("service", SETTINGS)
def test_every_setting_is_one_of_the_process_and_valid(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment_of(service)
    known = set[str]().union(*(kind.model_fields for kind in SETTINGS[service]))
    assert {name.removeprefix("CHORUS_").lower() for name in given} - known == set()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for kind in SETTINGS[service]:
        kind()


def test_the_image_exposes_what_the_process_listens_on() -> None:
    api, preprocess = environment_of("api"), environment_of("preprocess")
    door = int(api["CHORUS_METRICS_PORT"])
    default = GatewaySettings.model_fields
    assert exposed("api") == {default["port"].default, default["grpc_port"].default, door}
    assert exposed("worker") == {door}
    assert exposed("preprocess") == {int(preprocess["CHORUS_PREPROCESS_LISTEN"].rpartition(":")[2]), door}
    assert api["CHORUS_HOST"] == "0.0.0.0"
    for name in ("triton", "triton-cpu"):
        words = read_dockerfile(dockerfiles()[name])[-1].words("CMD")
        assert exposed(name) == {int(word.rpartition("=")[2]) for word in words if "-port=" in word}


@pytest.mark.parametrize("service", CONTAINERS)
def test_health_checks_ask_an_exposed_port(service: str) -> None:
    address = read_dockerfile(dockerfiles()[CONTAINERS[service]])[-1].health_command[-1]
    assert urlsplit(address).port in exposed(service)
    assert urlsplit(address).hostname == "127.0.0.1"


@pytest.mark.parametrize("service", SETTINGS)
def test_every_address_is_a_service_and_a_port_of_it(service: str) -> None:
    services = read_compose(ENTERED)["services"]
    values = services[service]["environment"].values()
    addresses = [found for value in values for found in re.findall(r"(?:^|//|@)([a-z]\w*):(\d+)(?=$|/)", value)]
    assert addresses
    for host, port in addresses:
        assert int(port) in (THEIR_PORTS.get(host) or exposed(host))
        assert host in services
    aliases = services["triton-cpu"]["networks"]["default"]["aliases"]
    assert aliases == ["triton"]


@pytest.mark.parametrize("engine", ["", "cuda"])
def test_triton_with_gpus_serves_what_was_prepared_for_it(engine: str) -> None:
    services = read_compose({**ENTERED, "CHORUS_MODEL_ENGINE": engine})["services"]
    plans, triton = services["plans"], services["triton"]
    assert plans["image"] == triton["image"]
    assert triton["depends_on"] == {"plans": {"condition": "service_completed_successfully"}}
    options = load_plans()._options(plans["command"])
    assert options.engine == (engine or "auto")
    places = dict(volume.split(":")[:2] for volume in triton["volumes"])
    written = dict(volume.split(":")[:2] for volume in plans["volumes"])
    assert written == {"models": str(options.repository), "plans": str(options.plans)}
    words = read_dockerfile(dockerfiles()["triton"])[-1].words("CMD")
    assert f"--model-repository={places['models']}" in words
    assert places["plans"] == written["plans"]


def test_published_ports_are_the_doors() -> None:
    published = {port.rpartition(":")[2] for service in PLAIN["services"].values() for port in service.get("ports", [])}
    assert published == {"7860", "7861"}


def test_the_file_with_the_secrets_is_not_in_git() -> None:
    assert "/deploy/docker/.env" in Path(ROOT, ".gitignore").read_text().splitlines()

"""The Kubernetes manifests as data: rendering an overlay, reading what is checked in, what a container is given."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).resolve().parents[1] / "deploy" / "k8s"
OVERLAYS: Final = ("cpu", "gpu", "dev")
_SECONDS: Final = 60

Resource = dict[str, Any]


def rendered_file(overlay: str) -> Path:
    """Where the rendered overlay is checked in."""
    return FOLDER / "rendered" / f"{overlay}.yaml"


def render(folder: Path) -> str:
    """The YAML that Kustomize makes of a folder; CalledProcessError, with its words on stderr, when it refuses."""
    command = [str(Path(sys.prefix, "bin", "kubectl")), "kustomize", str(folder)]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, timeout=_SECONDS).stdout


@cache
def resources(overlay: str) -> Sequence[Resource]:
    """The resources of one of OVERLAYS, as they are checked in."""
    return list(yaml.safe_load_all(rendered_file(overlay).read_text()))


def of_kind(found: Sequence[Resource], *kinds: str) -> list[Resource]:
    """Those of one or several kinds, in order."""
    return [each for each in found if each["kind"] in kinds]


def named(found: Sequence[Resource], kind: str, name: str) -> Resource:
    """The one resource of that kind and name."""
    (resource,) = (each for each in of_kind(found, kind) if each["metadata"]["name"] == name)
    return resource


def environment(found: Sequence[Resource], container: Mapping[str, Any]) -> dict[str, str]:
    """The variables that a container is given, those of its ConfigMaps and Secrets among `found`."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            variables |= named(found, "ConfigMap", source["configMapRef"]["name"])["data"]
        else:
            data = named(found, "Secret", source["secretRef"]["name"])["data"]
            variables |= {name: base64.b64decode(value).decode() for name, value in data.items()}
    return variables | {each["name"]: each["value"] for each in container.get("env", ())}

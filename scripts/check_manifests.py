"""Writes deploy/k8s/rendered/ anew, and checks the custom resources in it against their operators' own types.

The types are TypeScript's, from npm: its compiler refuses a field that a type does not have, which the schemas of the
same packages let pass. tests/contract/test_manifests.py checks everything else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from scripts.manifests import FOLDER, OVERLAYS, Resource, render, rendered_file, resources

# The package of each API group that Kubernetes itself does not have.
CUSTOM_TYPES: Final = {
    "cert-manager.io": "@kubernetes-models/cert-manager@6.0.0",
    "gateway.networking.k8s.io": "@kubernetes-models/gateway-api@2.0.0",
    "keda.sh": "@kubernetes-models/keda@2.0.0",
    "monitoring.coreos.com": "@kubernetes-models/prometheus-operator@6.0.0",
}
_COMPILER: Final = "typescript@5.9.3"
_SECONDS: Final = 300
_OPTIONS: Final = ("--strict", "--noEmit", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext")


def main() -> int:
    """The exit code: 1 when a custom resource has a fault, which the compiler has told."""
    for overlay in OVERLAYS:
        rendered_file(overlay).write_text(render(FOLDER / "overlays" / overlay))
    custom = [(overlay, each) for overlay in OVERLAYS for each in resources(overlay) if is_custom(each)]
    with TemporaryDirectory(prefix="chorus-manifests-") as folder:
        return check_custom(custom, Path(folder))


def is_custom(resource: Resource) -> bool:
    """True for what an operator adds to Kubernetes."""
    return resource["apiVersion"].partition("/")[0] in CUSTOM_TYPES


def check_custom(found: list[tuple[str, Resource]], folder: Path) -> int:
    """The compiler's exit code for resources (each with its overlay's name); `folder` is for its packages."""
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", _COMPILER]
    subprocess.run([*install, *CUSTOM_TYPES.values()], cwd=folder, check=True, timeout=_SECONDS)
    (folder / "resources.ts").write_text("\n".join(_typed(found)))
    command = ["npx", "--no-install", "tsc", *_OPTIONS, "resources.ts"]
    status = subprocess.run(command, cwd=folder, check=False, timeout=_SECONDS).returncode
    sys.stdout.write(f"{len(found)} custom resources {'have faults' if status else 'follow their types'}\n")
    return status


def _typed(found: list[tuple[str, Resource]]) -> Iterator[str]:
    """One constant a resource, of the type that its kind has in its package."""
    for number, (overlay, resource) in enumerate(found):
        kind, version = resource["kind"], resource["apiVersion"]
        package = CUSTOM_TYPES[version.partition("/")[0]].rpartition("@")[0]
        yield f"// {overlay}: {kind} {resource['metadata']['name']}"
        yield f"import type {{ I{kind} as T{number} }} from '{package}/{version}/{kind}';"
        yield f"export const r{number}: T{number} = {json.dumps(resource, indent=1)};"


if __name__ == "__main__":
    sys.exit(main())

"""deploy/docker: what every image keeps to, and that the checks would notice if one did not."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts.images.context import is_sent, read_patterns, sent_files
from scripts.images.dockerfile import FOLDER, ROOT, Stage, dockerfiles, read_dockerfile
from scripts.locks import LOCKS

NAMES = ["gateway", "preprocess", "triton", "triton-cpu", "worker"]
PYTHON_NAMES = ["gateway", "preprocess", "worker"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LABELS = {"title", "description", "version", "revision", "source", "licenses"}
# In the last stage: the installer that the base brings is taken out by itself.
REMOVES_THE_INSTALLER = "python -m pip uninstall --yes pip setuptools wheel"
INSTALLERS = re.compile(r"\b(apt|apt-get|pip|npm|curl|wget|git|gcc|make)\b")
GOOD = (FOLDER / "gateway.Dockerfile").read_text()


def faults(path: Path) -> set[str]:
    """What a Dockerfile offends against."""
    stages = read_dockerfile(path)
    last = stages[-1]
    checks = {
        "a base without an exact tag": all(_is_exact(stage.base, stages) for stage in stages),
        "not another user than root": last.values("USER") == ["10001:10001"],
        "no health check": last.health_command[1:2] == ["/opt/health.py"],
        "labels": {name.rpartition(".")[2] for name in last.pairs("LABEL")} == LABELS,
        "version": last.pairs("LABEL").get("org.opencontainers.image.version") == PROJECT["version"],
        "no command": bool(last.words("ENTRYPOINT")),
        "no scratch": last.values("VOLUME") == ["/scratch"] and last.pairs("ENV").get("HOME") == "/scratch",
        "installs in the last stage": not any(map(_installs, last.values("RUN"))),
        "no stop signal": last.values("STOPSIGNAL") == ["SIGTERM"],
    }
    return {name for name, holds in checks.items() if not holds}


def _is_exact(base: str, stages: list[Stage]) -> bool:
    tag = base.partition(":")[2]
    return base in {stage.name for stage in stages} or re.match(r"\d+\.\d+", tag) is not None


def _installs(command: str) -> bool:
    return INSTALLERS.search(command.replace(REMOVES_THE_INSTALLER, "")) is not None


def lint(path: Path) -> str:
    """What hadolint says of a Dockerfile; empty when it is clean."""
    program = Path(sys.prefix, "bin", "hadolint")
    done = subprocess.run([program, "--no-color", path], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def test_there_is_one_dockerfile_a_service() -> None:
    assert list(dockerfiles()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_image_keeps_to_the_rules(name: str) -> None:
    assert faults(dockerfiles()[name]) == set()
    assert lint(dockerfiles()[name]) == ""


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        ("FROM python:3.11.15-slim-bookworm\n", "FROM python:latest\n", "a base without an exact tag"),
        ("USER 10001:10001", "USER root", "not another user than root"),
        ("HEALTHCHECK ", "# ", "no health check"),
        ('licenses="', 'license="', "labels"),
        (f'version="{PROJECT["version"]}"', 'version="0.0.9"', "version"),
        ("ENTRYPOINT ", "# ", "no command"),
        ("VOLUME /scratch", "VOLUME /data", "no scratch"),
        ("&& rm -rf", "&& apt-get install --yes gcc && rm -rf", "installs in the last stage"),
        ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL", "no stop signal"),
    ],
)
def test_a_dockerfile_that_breaks_a_rule_is_found(good: str, bad: str, fault: str, tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text(bad.join(GOOD.rsplit(good, 1)))
    assert faults(broken) == {fault}


def test_hadolint_finds_what_is_bad(tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text("FROM debian\nRUN apt-get install gcc\n")
    assert {"DL3006", "DL3008"} <= set(re.findall(r"DL\d+", lint(broken)))


@pytest.mark.parametrize("name", PYTHON_NAMES)
def test_an_image_runs_its_service_with_its_own_dependencies(name: str) -> None:
    build, _, last = read_dockerfile(dockerfiles()[name])
    assert last.words("ENTRYPOINT") == ["python", "-m", f"services.{name}"]
    assert importlib.util.find_spec(f"services.{name}.__main__") is not None
    assert f"--require-hashes --requirement locks/build.txt --requirement locks/{name}.txt" in build.values("RUN")[0]
    assert last.pairs("ENV")["CHORUS_SCRATCH"] == "/scratch"


@pytest.mark.parametrize("name", ["gateway", "preprocess", "triton-cpu", "worker"])
def test_an_image_carries_its_list_of_parts(name: str) -> None:
    assert "--from=sbom /opt/chorus.cdx.json /usr/share/sbom/chorus.cdx.json" in (
        read_dockerfile(dockerfiles()[name])[-1].values("COPY")
    )


@pytest.mark.parametrize("name", ["triton", "triton-cpu"])
def test_onnx_runtime_reports_to_nobody(name: str) -> None:
    assert read_dockerfile(dockerfiles()[name])[-1].pairs("ENV")["ORT_DISABLE_TELEMETRY"] == "1"


def test_the_builder_gets_what_images_are_made_of_and_nothing_else() -> None:
    sent = set(sent_files(ROOT, read_patterns(ROOT / ".dockerignore")))
    folders = {"services", "model_repository"}
    single = {path for path in sent if path.split("/")[0] not in folders}
    wanted = {"LICENSE", "NOTICE", "README.md", "pyproject.toml", "deploy/docker/health.py", "deploy/docker/plans.py"}
    assert single == wanted | {f"deploy/docker/locks/{name}.txt" for name in LOCKS}
    assert {"services/gateway/__main__.py", "model_repository/mouth_renderer/1/model.onnx"} <= sent
    assert not [path for path in sent if "__pycache__" in path]


@pytest.mark.parametrize("name", NAMES)
def test_every_copied_file_reaches_the_builder(name: str) -> None:
    patterns = read_patterns(ROOT / ".dockerignore")
    copied = [value for stage in read_dockerfile(dockerfiles()[name]) for value in stage.values("COPY")]
    sources = [source for value in copied if "--from=" not in value for source in value.split()[:-1]]
    assert sources
    assert [source for source in sources if not ((ROOT / source).exists() and is_sent(source, patterns))] == []


@pytest.mark.parametrize("path", [".git/config", ".venv/bin/python", "outputs/a.mp4", "tests/conftest.py", ".env"])
def test_secrets_and_what_is_large_stay_here(path: str) -> None:
    assert not is_sent(path, read_patterns(ROOT / ".dockerignore"))

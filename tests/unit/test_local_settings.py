"""Where the state lies, the lock on it, and what is said when a part is missing."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from socket import socket
from types import SimpleNamespace

import pytest

from services.errors import ChorusError, ErrorKind
from services.local import doctor, stack, triton_runtime
from services.local.doctor import examine
from services.local.gpus import Gpu
from services.local.ports import free_port, is_free
from services.local.run_file import RunningStack, await_running, find_running, hold_lock, publish
from services.local.settings import Folders, LocalSettings
from services.local.stack import choose_ports

GPU = Gpu("NVIDIA H200", "9.0", 143771, "580.65.06")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("CHORUS_", "XDG_"))]:
        monkeypatch.delenv(name)


def _folders(home: Path) -> Folders:
    folders = LocalSettings(home=home).folders
    folders.make()
    return folders


def test_one_folder_holds_everything_when_chorus_home_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHORUS_HOME", str(tmp_path))
    folders = LocalSettings().folders
    assert folders.data == tmp_path / "data"
    assert all(p.is_relative_to(tmp_path) for p in (folders.data, folders.log_file, folders.scratch, folders.run))


def test_without_it_the_xdg_folders_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/d")
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    folders = LocalSettings().folders
    assert (str(folders.data), str(folders.log_file)) == ("/d/chorus", "/s/chorus/chorus.log")
    assert folders.run.is_relative_to("/c/chorus")


def test_nobody_else_looks_into_the_folders_also_where_they_were_open(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "chorus.db").touch(mode=0o644)
    folders = _folders(tmp_path)
    for folder in (folders.data, folders.logs, folders.scratch, folders.run):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert (data / "chorus.db").stat().st_mode & 0o777 == 0o600


def test_a_place_where_no_folder_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ChorusError, match="cannot be made"):
        _folders(tmp_path / "file" / "home")


def test_the_second_stack_on_a_state_is_refused_and_told_where_the_first_is(tmp_path: Path) -> None:
    folders = _folders(tmp_path)
    with hold_lock(folders), publish(folders, RunningStack(os.getpid(), "http://127.0.0.1:1234")):
        running = find_running(folders)
        assert running is not None
        assert running.address == "http://127.0.0.1:1234"
        with pytest.raises(ChorusError, match=r"http://127\.0\.0\.1:1234") as refusal, hold_lock(folders):
            pass
        assert refusal.value.kind is ErrorKind.CONFLICT
    assert find_running(folders) is None


def test_a_stack_that_is_just_starting_is_waited_for(tmp_path: Path) -> None:
    folders = _folders(tmp_path)
    assert await_running(folders, 5) is None, "nobody starts one: no waiting"
    owned, published, done = threading.Event(), threading.Event(), threading.Event()

    def start_slowly() -> None:
        with hold_lock(folders):
            owned.set()
            published.wait(10)
            with publish(folders, RunningStack(os.getpid(), "http://127.0.0.1:1234")):
                done.wait(10)

    starting = threading.Thread(target=start_slowly)
    starting.start()
    try:
        assert owned.wait(10)
        assert await_running(folders, 0.3) is None, "not ready in time"
        published.set()
        running = await_running(folders, 10)
    finally:
        published.set()
        done.set()
        starting.join()
    assert running is not None
    assert running.address == "http://127.0.0.1:1234"


def test_the_file_of_a_killed_stack_is_not_believed(tmp_path: Path) -> None:
    folders = _folders(tmp_path)
    with hold_lock(folders), publish(folders, RunningStack(os.getpid(), "http://127.0.0.1:1234")):
        left_behind = (folders.run / "stack.json").read_text()
    (folders.run / "stack.json").write_text(left_behind)
    assert find_running(folders) is None
    with hold_lock(folders):
        pass


def test_a_taken_page_port_is_refused_and_inner_ports_move_away() -> None:
    page = free_port()
    ports = choose_ports(LocalSettings(port=page))
    numbers = [getattr(ports, name) for name in type(ports).__slots__]
    assert ports.page == page
    assert len(set(numbers)) == len(numbers)
    assert all(is_free(number) for number in numbers)
    with socket() as taken:
        taken.bind(("127.0.0.1", page))
        taken.listen()
        with pytest.raises(ChorusError, match="--port") as refusal:
            choose_ports(LocalSettings(port=page))
    assert refusal.value.kind is ErrorKind.CONFLICT


def test_a_missing_triton_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(ChorusError, match="install-triton") as error:
        triton_runtime.find_runtime(tmp_path)
    assert error.value.kind is ErrorKind.UNAVAILABLE


def test_a_missing_libpython_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_runtime, "_PYTHON", "3.99")
    with pytest.raises(ChorusError, match=r"apt install libpython3\.99"):
        triton_runtime.find_libpython()


def test_other_platforms_are_told_of_a_triton_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_runtime, "glibc_version", lambda: (2, 31))
    assert "2.31" in str(triton_runtime.platform_problem())
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "CHORUS_TRITON_URL" in str(triton_runtime.platform_problem())


def test_an_installed_runtime_is_not_installed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(triton_runtime, "_run", commands.append)
    monkeypatch.setattr(triton_runtime, "find_runtime", lambda _: None)
    assert triton_runtime.install_runtime(tmp_path)
    assert len(commands) == 2
    assert not triton_runtime.install_runtime(tmp_path)
    assert len(commands) == 2
    monkeypatch.setattr(triton_runtime, "_PYTHON", "3.99")
    assert triton_runtime.install_runtime(tmp_path)


def test_a_runtime_for_gpus_stays_one_until_it_is_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[str] = []

    def run(command: list[str]) -> None:
        commands.append(command[-1])
        if command[-1] == triton_runtime.TENSORRT:
            raise ChorusError(ErrorKind.UNAVAILABLE, "triton-install-failed", command="pip", lines="not reached")

    told: list[str] = []
    monkeypatch.setattr(triton_runtime, "_run", run)
    monkeypatch.setattr(triton_runtime, "find_runtime", lambda _: SimpleNamespace(cuda=[Path("nvidia/cudnn/lib")]))
    assert triton_runtime.install_runtime(tmp_path, gpu=True, report=told.append)
    assert commands[1:] == [str(triton_runtime.GPU_REQUIREMENTS), triton_runtime.TENSORRT]
    assert "not reached" in told[0]
    assert not triton_runtime.install_runtime(tmp_path, gpu=True, report=told.append)
    assert (commands[3:], len(told)) == ([triton_runtime.TENSORRT], 2), "what was out of reach is tried again"
    assert not triton_runtime.install_runtime(tmp_path), "make install must not take the GPU away"
    assert triton_runtime.install_runtime(tmp_path, gpu=False)
    assert commands[-1] == str(triton_runtime.REQUIREMENTS)
    assert not triton_runtime.install_runtime(tmp_path)


def test_an_engine_that_needs_a_gpu_is_refused_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stack, "find_gpus", list)
    folders = _folders(tmp_path)
    with pytest.raises(ChorusError, match="CHORUS_MODEL_ENGINE=cuda"):
        stack.acceleration_of(LocalSettings(home=tmp_path, model_engine="cuda"), folders)
    assert stack.acceleration_of(LocalSettings(home=tmp_path), folders).plan_seconds == 0
    monkeypatch.setattr(stack, "find_gpus", lambda: [GPU])
    found = stack.acceleration_of(LocalSettings(home=tmp_path, model_engine="tensorrt"), folders)
    assert (found.gpus, found.plans) == ([GPU], tmp_path / "scratch" / "plans")
    assert found.plan_seconds > 60
    assert stack.acceleration_of(LocalSettings(home=tmp_path, model_engine="cpu"), folders).gpus == ()


@pytest.mark.parametrize(
    ("gpus", "engine", "good", "words"),
    [
        ([], "auto", True, "none"),
        ([], "tensorrt", False, "CHORUS_MODEL_ENGINE=tensorrt needs one"),
        ([GPU], "cpu", True, "not used (CHORUS_MODEL_ENGINE=cpu)"),
        ([GPU], "auto", True, "NVIDIA H200, 143771 MiB, compute capability 9.0, driver 580.65.06"),
    ],
)
def test_doctor_tells_of_gpus(
    gpus: list[Gpu], engine: str, good: bool, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "find_gpus", lambda: gpus)
    settings = LocalSettings.model_validate({"home": tmp_path, "model_engine": engine, "port": 0})
    gpu = next(finding for finding in examine(settings) if finding.name == "gpu")
    assert gpu.good is good
    assert words in gpu.text


def test_doctor_finds_what_is_missing(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    (repository / "eye").mkdir(parents=True)
    (repository / "eye" / "config.pbtxt").touch()
    settings = LocalSettings(
        home=tmp_path, triton_runtime=tmp_path / "none", model_repository=repository, port=0, encoder="software"
    )
    findings = {finding.name: finding for finding in examine(settings)}
    assert not findings["triton"].good
    assert "eye" in findings["models"].text
    assert not findings["models"].good
    assert findings["python"].good
    assert findings["ffmpeg"].good
    assert (findings["encoder"].good, findings["encoder"].text) == (True, "libx264 (CHORUS_ENCODER)")


def test_doctor_says_when_too_little_is_free_for_anything_new(tmp_path: Path) -> None:
    for least, refuses in ((0, False), (1 << 60, True)):
        settings = LocalSettings(home=tmp_path, least_free_bytes=least, port=0)
        disk = next(finding for finding in examine(settings) if finding.name == "disk")
        assert ("uploads and batches are refused" in disk.text) is refuses
        assert not (refuses and disk.good)

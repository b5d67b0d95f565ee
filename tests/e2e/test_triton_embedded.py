"""The embedded Triton itself: start, inference by our backend, errors, healing, and a stop that leaves nothing."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.importing.importer import import_file
from services.importing.model_config import config_text
from services.jobs.engines import Engines
from services.local.ports import free_port
from services.local.settings import LocalSettings
from services.local.supervisor import Supervisor
from services.triton import TritonClient
from tests.own_triton import supervised_triton
from tests.painting_net import write_painting_net

SHARED_MEMORY = Path("/dev/shm")
_BROKEN_CONFIG = (
    'name: "broken" backend: "onnxruntime" max_batch_size: 1\n'
    'input [{ name: "x" data_type: TYPE_FP32 dims: [1] }]\noutput [{ name: "y" data_type: TYPE_FP32 dims: [1] }]\n'
)
_RUNS = 'nv_inference_exec_count{model="speech_to_mouth"'


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Supervisor, TritonClient]]:
    folder, port = tmp_path_factory.mktemp("triton"), free_port()
    broken = folder / "families" / "unusable"
    (broken / "1").mkdir(parents=True)
    (broken / "1" / "model.onnx").write_bytes(b"not a network")
    (broken / "config.pbtxt").write_text(_BROKEN_CONFIG.replace("broken", "unusable"))
    with supervised_triton(LocalSettings().model_repository, folder, port, hang_seconds=6) as supervisor:
        supervisor.start(threading.Event())
        client = TritonClient(f"127.0.0.1:{port}", timeout_seconds=20)
        yield supervisor, client
        client.close()
        children = psutil.Process(supervisor.pid("triton")).children(recursive=True)
        regions = [word for child in children for word in child.cmdline() if word.startswith("chorus-")]
        assert regions
    assert psutil.wait_procs(children, timeout=2)[1] == []
    assert not [region for region in regions if (SHARED_MEMORY / region).exists()]


def _mel(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, 80, columns)).astype(np.float32)


def _coefficients(client: TritonClient, mel: NDArray[np.float32]) -> NDArray[np.float32]:
    features = np.zeros((len(mel), 64, mel.shape[2]), np.float32)
    answer = client.infer("speech_to_mouth", {"mel": mel, "features": features}, ["coefficients"])["coefficients"]
    assert answer.dtype == np.float32
    return answer.astype(np.float32, copy=False)


def test_it_is_ready_with_every_model_of_the_repository(triton: tuple[Supervisor, TritonClient]) -> None:
    _, client = triton
    assert client.ready(LocalSettings().models)
    assert not client.ready(["no_such_model"])


def test_an_imported_family_that_cannot_be_loaded_stops_nobody_else(triton: tuple[Supervisor, TritonClient]) -> None:
    _, client = triton
    assert client.ready(LocalSettings().models)
    assert not client.ready(["unusable"])
    with pytest.raises(ChorusError, match="unusable"):
        client.load("unusable")


def test_each_loaded_model_says_what_computes_it(triton: tuple[Supervisor, TritonClient]) -> None:
    """In a file for those who show it, and in the log; one that could not be loaded says nothing."""
    folder = Path(_argument(triton[0], "--backend-directory")).parent
    engines = Engines()
    engines.look_in(folder / "engines")
    assert sorted(engines.all()) == sorted(LocalSettings().models)
    text = engines.text_of(LocalSettings().models)
    assert re.fullmatch(r"ONNX Runtime [\d.]+, CPU, float32", text)
    triton[1].load("mouth_renderer")
    assert sorted(engines.all()) == sorted(LocalSettings().models), "the one that goes does not take the new one's away"
    messages = [json.loads(line)["message"] for line in (folder / "chorus.log").read_text().splitlines()]
    assert f"mouth_renderer is computed by {text}" in messages


def test_what_a_user_imported_is_bounded_in_memory_and_nothing_else_is(
    triton: tuple[Supervisor, TritonClient], tmp_path: Path
) -> None:
    supervisor, client = triton
    families = Path(_argument(supervisor, "--backend-directory")).parent / "families"
    import_file(write_painting_net(tmp_path / "n.onnx"), families, wanted_name="bounded", licence=None, taken=())
    client.load("bounded")
    children = psutil.Process(supervisor.pid("triton")).children()
    limits = {child.cmdline()[1]: child.rlimit(psutil.RLIMIT_DATA)[1] for child in children}
    mine = {path: limit for path, limit in limits.items() if "/bounded/" in path}
    assert list(mine.values()) == [8 << 30], limits
    assert {limit for path, limit in limits.items() if path not in mine} == {psutil.RLIM_INFINITY}
    crops = np.zeros((2, 96, 96, 3), np.uint8)
    mouths = client.infer("bounded", {"crop": crops, "mel": _mel(2, 16)}, ["mouth"])["mouth"]
    assert mouths.shape == crops.shape
    client.unload("bounded")


def test_without_openvino_what_asks_for_it_is_served_by_onnx_runtime(
    triton: tuple[Supervisor, TritonClient], tmp_path: Path
) -> None:
    supervisor, client = triton
    folder = Path(_argument(supervisor, "--backend-directory")).parent
    family = import_file(
        write_painting_net(tmp_path / "n.onnx"), folder / "families", wanted_name="fast", licence=None, taken=()
    )
    wanted = replace(family, library="openvino", precision="bfloat16")
    (folder / "families" / "fast" / "config.pbtxt").write_text(config_text(wanted))
    client.load("fast")
    engines = Engines()
    engines.look_in(folder / "engines")
    text = engines.text_of(["fast"])
    if text.startswith("OpenVINO"):
        pytest.skip("OpenVINO is installed here: tests/importing looks at it")
    assert re.fullmatch(r"ONNX Runtime [\d.]+, CPU, float32", text)
    assert "OpenVINO is not installed: ONNX Runtime computes fast instead" in (folder / "chorus.log").read_text()
    client.unload("fast")


def test_the_server_tells_how_long_it_computed_for_a_model(triton: tuple[Supervisor, TritonClient]) -> None:
    _, client = triton
    requests, seconds = client.computed("speech_to_mouth")
    started = time.perf_counter()
    _coefficients(client, _mel(2, 1600))
    spent = time.perf_counter() - started
    after = client.computed("speech_to_mouth")
    assert after[0] == requests + 1
    assert 0 < after[1] - seconds < spent
    with pytest.raises(ChorusError, match="no_such_model"):
        client.computed("no_such_model")


def test_speech_becomes_coefficients(triton: tuple[Supervisor, TritonClient]) -> None:
    answer = _coefficients(triton[1], _mel(2, 160))
    assert answer.shape == (2, 8, 160)
    assert 0 <= answer.min() < answer.max() <= 1


def test_requests_that_meet_run_as_one_and_each_gets_its_own_answer(triton: tuple[Supervisor, TritonClient]) -> None:
    _, client = triton
    shapes = [(1, 1200), (2, 1200), (1, 800), (3, 1200)] * 4
    asked = [_mel(rows, columns, seed) for seed, (rows, columns) in enumerate(shapes)]
    alone = [_coefficients(client, mel) for mel in asked]
    before = _runs(triton[0])
    with ThreadPoolExecutor(len(asked)) as pool:
        together = list(pool.map(lambda mel: _coefficients(client, mel), asked))
    assert _runs(triton[0]) - before < len(asked)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def _runs(supervisor: Supervisor) -> int:
    """How often the speech net was run, as Triton's metrics have it."""
    with urlopen(f"http://127.0.0.1:{_argument(supervisor, '--metrics-port')}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return int(next(line.split()[-1] for line in lines if line.startswith(_RUNS)))


def _argument(supervisor: Supervisor, name: str) -> str:
    words = psutil.Process(supervisor.pid("triton")).cmdline()
    return next(word.partition("=")[2] for word in words if word.startswith(f"{name}="))


def test_a_wrong_shape_is_an_error_that_names_the_model(triton: tuple[Supervisor, TritonClient]) -> None:
    with pytest.raises(ChorusError, match=r"speech_to_mouth.*\[2,50,160\]") as error:
        _coefficients(triton[1], _mel(2, 160)[:, :50])
    assert error.value.kind is ErrorKind.INTERNAL


def test_a_model_that_fails_answers_with_its_reason_and_lives_on(triton: tuple[Supervisor, TritonClient]) -> None:
    """No columns at all: the configuration allows it, the network does not."""
    _, client = triton
    with pytest.raises(ChorusError, match="speech_to_mouth"):
        _coefficients(client, _mel(1, 0))
    assert _coefficients(client, _mel(1, 80)).shape == (1, 8, 80)


def test_an_impatient_caller_is_told_of_the_deadline(triton: tuple[Supervisor, TritonClient]) -> None:
    client = TritonClient(f"127.0.0.1:{_argument(triton[0], '--grpc-port')}", timeout_seconds=0.001)
    with pytest.raises(ChorusError) as error:
        _coefficients(client, _mel(8, 4000))
    assert error.value.kind is ErrorKind.DEADLINE
    client.close()


def test_no_triton_is_unavailable() -> None:
    client = TritonClient(f"127.0.0.1:{free_port()}")
    assert not client.ready([])
    with pytest.raises(ChorusError, match=r"127\.0\.0\.1") as error:
        _coefficients(client, _mel(1, 80))
    assert (error.value.kind, error.value.retryable) == (ErrorKind.UNAVAILABLE, True)
    client.close()


def test_only_loopback_listens(triton: tuple[Supervisor, TritonClient]) -> None:
    supervisor, _ = triton
    listening = [c for c in psutil.Process(supervisor.pid("triton")).net_connections("tcp") if c.status == "LISTEN"]
    assert listening
    assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("victim", "number"),
    [
        ("speech_to_mouth", signal.SIGKILL),
        pytest.param("speech_to_mouth", signal.SIGSTOP, marks=pytest.mark.chaos),
        pytest.param("tritonserver", signal.SIGSTOP, marks=pytest.mark.chaos),
    ],
    ids=["a model dies", "a model is stopped", "the server is stopped"],
)
def test_what_dies_or_is_stopped_heals(
    triton: tuple[Supervisor, TritonClient], victim: str, number: signal.Signals
) -> None:
    """Triton answers on without a model's process, but this model would fail for ever."""
    supervisor, client = triton
    old = supervisor.pid("triton")
    server = psutil.Process(old)
    next(p for p in (server, *server.children()) if victim in " ".join(p.cmdline())).send_signal(number)
    stop = threading.Event()
    timer = threading.Timer(90, stop.set)
    timer.start()

    def ask() -> None:
        while not stop.is_set():
            try:
                _coefficients(client, _mel(1, 80))
            except ChorusError as error:
                if not error.retryable:
                    raise
                time.sleep(0.2)
            else:
                stop.set()

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        supervisor.watch(stop)
        asked.result()
    timer.cancel()
    assert supervisor.pid("triton") != old
    assert client.ready(LocalSettings().models)


def test_a_broken_model_stops_the_start_and_is_named(tmp_path: Path) -> None:
    model = tmp_path / "repository" / "broken"
    (model / "1").mkdir(parents=True)
    (model / "1" / "model.onnx").write_bytes(b"not a network")
    (model / "config.pbtxt").write_text(_BROKEN_CONFIG)
    with (
        supervised_triton(tmp_path / "repository", tmp_path, free_port()) as supervisor,
        pytest.raises(ChorusError, match="broken") as error,
    ):
        supervisor.start(threading.Event())
    assert error.value.kind is ErrorKind.UNAVAILABLE

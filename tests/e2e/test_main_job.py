"""The main job on the real stack: one voice, several faces, one of them bad."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from services.media import open_clip, probe, read_frames
from services.timeline import Extend
from tests.announcement import announcement
from tests.otlp_receiver import Collector, Received, orphans
from tests.painting_net import write_painting_net
from tests.prometheus_server import MONITORING, Prometheus, metrics_of, panels, running_prometheus
from tests.running_stack import ROOT, SAMPLES, RunningStack

AUDIO = SAMPLES / "announcement_en.wav"
VIDEO = SAMPLES / "astronaut.mp4"
STILL = SAMPLES / "portrait.jpg"
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
pytestmark = pytest.mark.timeout(300)
WITHOUT_DATA_HERE = {
    "GPU utilisation": "Triton shows it on a GPU",
    "GPU memory in use": "Triton shows it on a GPU",
    "Restarts of containers": "kube-state-metrics shows them",
}


@pytest.fixture(scope="module")
def faceless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("faceless") / "landscape.jpg"
    cv2.imwrite(str(path), np.tile(np.linspace(40, 200, 640, dtype=np.uint8), (360, 1))[..., None].repeat(3, axis=2))
    return path


@pytest.fixture(scope="module")
def prometheus(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Scrapes every process of the stack, from before the batch on."""
    with running_prometheus(metrics_of(stack.home), tmp_path_factory.mktemp("prometheus")) as server:
        server.wait_until_all_are_up()
        yield server


@pytest.fixture(scope="module")
def batch(stack: RunningStack, faceless: Path, prometheus: Prometheus) -> dict[str, dict[str, Any]]:
    """The finished jobs of one batch by video name."""
    jobs = stack.create_batch(AUDIO, [VIDEO, faceless, STILL], still_motion=False)["jobs"]
    return {job["video_name"]: stack.wait_for(job["id"], seconds=240) for job in jobs}


def test_a_bad_video_stops_nobody_else(batch: dict[str, dict[str, Any]]) -> None:
    assert {name: job["state"] for name, job in batch.items()} == {
        VIDEO.name: "succeeded",
        "landscape.jpg": "failed",
        STILL.name: "succeeded",
    }


def test_the_failure_is_told_in_words(batch: dict[str, dict[str, Any]]) -> None:
    error = batch["landscape.jpg"]["error"]
    assert error["kind"] == "no_face"
    assert "landscape.jpg" in error["message"]


def test_the_output_has_the_size_and_rate_of_the_video_and_the_length_of_the_audio(
    stack: RunningStack, batch: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    output = stack.download(batch[VIDEO.name]["id"], tmp_path / "output.mp4")
    clip, source = open_clip(output, name="output"), open_clip(VIDEO, name="source")
    assert (clip.width, clip.height, clip.frame_rate) == (source.width, source.height, source.frame_rate)
    audio = probe(AUDIO, name="audio")
    assert abs(clip.frames / clip.frame_rate - audio.seconds) <= 1 / clip.frame_rate
    made = probe(output, name="output")
    assert made.has_audio
    assert abs(made.seconds - audio.seconds) <= 1 / clip.frame_rate


def test_the_mouth_moves_and_the_rest_of_the_picture_does_not_change(
    stack: RunningStack, batch: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    output = stack.download(batch[STILL.name]["id"], tmp_path / "still.mp4")
    clip = open_clip(output, name="output")
    lumas = np.stack([f.y.astype(np.int16) for f in read_frames(clip, min(clip.frames, 100), Extend.CUT)])
    change = np.abs(lumas - lumas[0]).max(axis=0)
    moving = change > 40
    assert moving.sum() > 100, "the mouth does not move"
    rows, _ = np.nonzero(moving)
    assert rows.min() > 0.3 * clip.height
    top = change[: int(0.3 * clip.height)]
    assert np.percentile(top, 99) <= 12, "the picture above the mouth changes by more than the encoder's noise"


def test_ranges_poster_and_archive(stack: RunningStack, batch: dict[str, dict[str, Any]]) -> None:
    job = batch[VIDEO.name]
    with stack.http as http:
        whole = http.get(f"/v1/jobs/{job['id']}/output").content
        part = http.get(f"/v1/jobs/{job['id']}/output", headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole[100:200])
        poster = http.get(f"/v1/jobs/{job['id']}/poster")
        assert poster.content[:2] == b"\xff\xd8"
        archive = http.get(f"/v1/batches/{job['batch_id']}/archive").content
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert files.testzip() is None
        assert len(files.namelist()) == 2
        assert whole in [files.read(name) for name in files.namelist()]


@pytest.fixture(scope="module")
def second(stack: RunningStack, batch: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A finished job with the files of another, asked for by a caller that is traced; `reused` is new of it."""
    before = stack.log().count("reused")
    body = {"audio_id": stack.media_id(AUDIO), "video_ids": [stack.media_id(VIDEO)], "options": {}}
    with stack.http as http:
        made = http.post("/v1/batches", json=body, headers={"traceparent": CALLER}).json()["jobs"][0]
    job = stack.wait_for(made["id"])
    return {**job, "reused": stack.log().count("reused") - before}


def test_a_second_job_with_the_same_video_and_audio_analyses_nothing_again(second: dict[str, Any]) -> None:
    assert second["state"] == "succeeded"
    assert second["reused"] >= 2, "face track and speech"


def test_a_job_is_one_trace_through_every_process(second: dict[str, Any], collector: Collector) -> None:
    trace = collector.wait_for(second["id"], has_published)
    assert {each.trace_id for each in trace} == {CALLER[3:35]}
    assert orphans(trace) == ["POST /v1/batches"], "whose parent is the caller's"
    by_process: dict[str, set[str]] = {}
    for span in trace:
        by_process.setdefault(span.service, set()).add(span.name)
    assert by_process["chorus-api"] == {"POST /v1/batches", "create batch", "enqueue job"}
    assert by_process["chorus-worker"] == {"queue wait", "claim", "attempt", "publish"}
    stages = {"fetch", "analyse", "listen", "decode", "faces", "synthesise", "composite", "encode"}
    calls = {"preprocess StreamFaces", "triton mouth_renderer", "triton speech_to_mouth"}
    assert by_process["chorus-render"] == {"render"} | stages | calls
    assert by_process["chorus-preprocess"] == {"chorus.preprocess.v1.PreprocessService/StreamFaces"}
    assert not any(each.failed for each in trace)
    assert undescribed(trace) == []


def has_published(trace: list[Received]) -> bool:
    """The span of an attempt ends after that of its publishing, which is told with it."""
    return {"publish", "attempt"} <= {each.name for each in trace}


def undescribed(trace: list[Received]) -> list[str]:
    """Spans that docs/tracing.md does not name."""
    page = (ROOT / "docs" / "tracing.md").read_text()
    return [each.name for each in trace if f"`{re.sub('^triton .*', 'triton MODEL', each.name)}`" not in page]


def test_the_jobs_of_a_batch_have_a_trace_each(batch: dict[str, dict[str, Any]], collector: Collector) -> None:
    traces = [collector.trace_of(job["id"]) for job in batch.values()]
    assert [orphans(trace) for trace in traces] == [[]] * 3
    assert len({trace[0].trace_id for trace in traces}) == 3
    analyses = [each.name for trace in traces for each in trace if each.name.startswith("analyse ")]
    assert sorted(analyses) == ["analyse speech", "analyse track", "analyse track", "analyse track"]
    assert [undescribed(trace) for trace in traces] == [[]] * 3
    assert [any(each.name == "attempt" and each.failed for each in trace) for trace in traces] == [False, True, False]


def test_what_is_logged_of_a_job_names_it_and_its_trace(
    stack: RunningStack, batch: dict[str, dict[str, Any]], collector: Collector
) -> None:
    job_id = batch[VIDEO.name]["id"]
    records = [json.loads(line) for line in stack.log().splitlines()]
    (began,) = (each for each in records if f"job {job_id} " in each["message"] and "attempt 1" in each["message"])
    assert (began["service"], began["job_id"], began["attempt"]) == ("worker", job_id, 1)
    assert began["batch_id"] == batch[VIDEO.name]["batch_id"]
    (attempt,) = (each for each in collector.trace_of(job_id) if each.name == "attempt")
    assert (began["trace_id"], began["span_id"]) == (attempt.trace_id, attempt.span_id)


def test_prometheus_keeps_the_traces_of_slow_jobs_as_exemplars(
    prometheus: Prometheus, batch: dict[str, dict[str, Any]], collector: Collector
) -> None:
    traces = {collector.trace_of(job["id"])[0].trace_id for job in batch.values()}
    for histogram in ("chorus_job_duration_seconds", "chorus_stage_duration_seconds"):
        wanted = {"query": f"{histogram}_bucket", "start": time.time() - 600, "end": time.time()}
        series = prometheus.ask("query_exemplars", **wanted)
        found = {each["labels"]["trace_id"] for one in series for each in one["exemplars"]}
        assert found & traces, histogram


def test_the_command_line_uses_the_running_stack_and_counts_failures(
    stack: RunningStack, faceless: Path, tmp_path: Path
) -> None:
    short = announcement(tmp_path / "short.wav", 1)
    command = [str(Path(sys.executable).parent / "chorus"), "run", "--audio", str(short)]
    command += [
        "--video",
        str(STILL),
        str(faceless),
        str(tmp_path / "missing.mp4"),
        "--output-dir",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "landscape.jpg" in done.stdout + done.stderr
    assert "missing.mp4" in done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["portrait.mp4"]


def test_every_panel_of_the_dashboard_shows_the_batch(
    stack: RunningStack, batch: dict[str, dict[str, Any]], prometheus: Prometheus
) -> None:
    assert sorted(prometheus.targets()) == ["chorus-api", "chorus-preprocess", "chorus-triton", "chorus-worker"]
    with stack.http as http:
        assert http.get("/v1/jobs/nobody").status_code == 404
    time.sleep(2.5)  # two scrapes
    answers = {(title, asked): prometheus.query(asked).values() for title, asked, _ in panels("10m")}
    empty = {title for (title, _), values in answers.items() if not any(map(math.isfinite, values))}
    assert empty == WITHOUT_DATA_HERE.keys()


def test_metrics_count_what_the_batch_did(batch: dict[str, dict[str, Any]], prometheus: Prometheus) -> None:
    def value(expression: str) -> float:
        (found,) = prometheus.query(expression).values()
        return found

    assert value('chorus_job_failures_total{kind="no_face"}') >= 1
    assert value('sum(chorus_jobs_finished_total{outcome="succeeded"})') >= 2
    assert value("sum(chorus_rendered_frames_total)") >= batch[VIDEO.name]["progress"]["frames_total"] > 0
    made = value("sum(chorus_inferences_total{outcome='ok'})")
    assert made == value("sum(chorus_inference_batch_size_count)")
    # Triton has counted the same calls, those of the render children included.
    assert made == value("sum(nv_inference_request_success)")


def test_no_alert_has_fired_and_every_rule_could_be_asked(
    batch: dict[str, dict[str, Any]], prometheus: Prometheus
) -> None:
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    assert {rule["name"] for rule in rules} == {rule["alert"] for group in groups for rule in group["rules"]}
    assert {rule["health"] for rule in rules} == {"ok"}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def test_a_users_own_net_becomes_a_family_of_the_running_stack(stack: RunningStack, tmp_path: Path) -> None:
    """Imported, offered with its licence, rendered with, and removed, without a restart of anything."""

    def models(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "chorus"), "models", *arguments]
        return subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=False)

    (tmp_path / "footage").mkdir()
    for path in (VIDEO, AUDIO):
        (tmp_path / "footage" / path.name).symlink_to(path)
    net = str(write_painting_net(tmp_path / "any.name"))
    added = models("import", net, "--name", "mine", "--calibrate", str(tmp_path / "footage"))
    assert added.returncode == 0, added.stderr
    assert "Looking for faces in astronaut.mp4" in added.stdout
    assert "Refused: any.name cannot be computed in fewer bits" in added.stderr
    assert "32-bit floats are served" in added.stderr
    assert "research only" in models("show", "mine").stdout
    with stack.http as http:
        families = http.get("/v1/families").json()
    offered = {card["name"]: card["licence"] for card in families}
    assert offered == {"default": "Apache-2.0", "mine": "research only", "mine-closures": "research only"}
    assert all(re.fullmatch(r"ONNX Runtime [\d.]+, CPU, float32", card["engine"]) for card in families)

    measured = models("bench", "mine", "--seconds", "1", "--json")
    assert measured.returncode == 0, measured.stderr
    rows = json.loads(measured.stdout)["measured"]
    assert [row["rows"] for row in rows] == [1, 4, 8, 16]
    assert all(row["ms_per_face"] > row["model_ms_per_face"] > 0 for row in rows)

    options = {"family": "mine", "still_motion": False, "crf": 0, "preset": "ultrafast", "delivery": "source"}
    short = announcement(tmp_path / "short.wav", 2)
    job = stack.wait_for(stack.create_batch(short, [STILL], **options)["jobs"][0]["id"])
    assert job["state"] == "succeeded", job
    output, source = (
        open_clip(path, name=path.name) for path in (stack.download(job["id"], tmp_path / "mine.mp4"), STILL)
    )
    pairs = zip(read_frames(output, 50, Extend.CUT), read_frames(source, 50, Extend.FREEZE), strict=True)
    shares = [float(np.not_equal(made.y, shown.y).mean()) for made, shown in pairs]
    assert min(shares) > 0, "a net that paints a mouth leaves none as it was"
    assert max(shares) < 0.06, "outside the mask the footage keeps its bits"

    removed = models("remove", "mine")
    assert removed.returncode == 0, removed.stderr
    with stack.http as http:
        refused = http.post("/v1/batches", json={"audio_id": "a", "video_ids": ["b"], "options": {"family": "mine"}})
    assert refused.json()["error"]["code"] == "family-unknown"

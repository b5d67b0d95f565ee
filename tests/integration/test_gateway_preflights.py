"""The look for faces over REST and gRPC: its progress, its first and its last word, and how it may end."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import MessageToDict

from services.gateway.v1 import gateway_pb2 as pb
from services.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from tests.gateway_stack import Gateway, wait_until
from tests.integration.test_gateway_library import ANNA, BEN, gateway, upload

# Fixtures, which pytest finds by their names here.
__all__ = ["gateway"]

# What a test asks of operations itself, it asks as the system.
pytestmark = pytest.mark.usefixtures("as_system")


def test_a_preflight_says_what_was_found_and_is_remembered(gateway: Gateway) -> None:
    video = upload(gateway, "two people.mp4", ANNA)
    address = f"/v1/media/{video}/preflight"
    assert gateway.http.get(address).status_code == 404
    assert gateway.http.post(address).status_code == 202
    with gateway.http.stream("GET", f"{address}/events") as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-2] == "event: finished"
    found = json.loads(lines[-1].removeprefix("data: "))
    assert (found["state"], found["findings"]["verdict"]) == ("done", "several_faces")
    assert [face["rank"] for face in found["findings"]["faces"]] == [0, 1]
    assert found["findings"]["cautions"] == ["small_face"]
    again = gateway.http.post(f"/v1/media/{upload(gateway, 'two people.mp4', BEN)}/preflight").json()
    assert (again["state"], again["findings"]) == ("done", found["findings"])


@pytest.mark.parametrize(
    ("name", "state", "code", "words"),
    [
        ("nobody.mp4", "done", None, None),
        ("broken.mp4", "failed", "service-unreachable", "preprocess does not answer: is it running? (away)"),
        ("crash.mp4", "failed", "analysis-broke-off", "The analysis of crash.mp4 ended early: try again"),
    ],
)
def test_how_a_preflight_may_end(gateway: Gateway, name: str, state: str, code: str | None, words: str | None) -> None:
    address = f"/v1/media/{upload(gateway, name, ANNA)}/preflight"
    gateway.http.post(address)
    ended = wait_until(lambda: (now := gateway.http.get(address).json())["state"] not in ("waiting", "running") and now)
    error = ended["error"] or {}
    assert (ended["state"], error.get("code"), error.get("message")) == (state, code, words)
    media_id = address.split("/")[3]
    message = GatewayServiceStub(gateway.channel).GetPreflight(pb.GetPreflightRequest(media_id=media_id))
    assert (message.error, message.failure.code) == (words or "", code or "")
    assert MessageToDict(message.failure.values) == error.get("values", {})


def test_a_preflight_is_cancelled_and_begun_again(gateway: Gateway) -> None:
    address = f"/v1/media/{upload(gateway, 'slow.mp4', ANNA)}/preflight"
    gateway.http.post(address)
    running = wait_until(lambda: (now := gateway.http.get(address).json())["frames_done"] == 5 and now)
    assert (running["state"], running["frames_total"]) == ("running", 10)
    assert gateway.http.delete(address).status_code == 204
    assert gateway.http.get(address).json()["state"] == "cancelled"
    assert gateway.http.post(address).json()["state"] in ("waiting", "running")
    wait_until(lambda: gateway.http.get(address).json()["frames_done"] == 5)
    gateway.http.delete(address)
    audio = gateway.http.post(f"/v1/media/{upload(gateway, 'speech.wav', ANNA)}/preflight")
    assert (audio.status_code, "has no picture" in audio.text) == (422, True)


@pytest.mark.parametrize(
    ("name", "verdict", "cautions"),
    [("slow, early.mp4", "face", ["small_face"]), ("slow, early nobody.mp4", "no_face", [])],
)
def test_a_first_look_is_said_to_be_provisional(gateway: Gateway, name: str, verdict: str, cautions: list[str]) -> None:
    media_id = upload(gateway, name, ANNA)
    address = f"/v1/media/{media_id}/preflight"
    gateway.http.post(address)
    early = wait_until(lambda: (now := gateway.http.get(address).json())["findings"] and now)
    assert (early["state"], early["provisional"]) == ("running", True)
    # Which faces may be chosen is not known yet.
    assert early["findings"] == {"verdict": verdict, "faces": [], "cautions": cautions}
    message = GatewayServiceStub(gateway.channel).GetPreflight(pb.GetPreflightRequest(media_id=media_id))
    assert (message.state, message.provisional, message.findings.verdict) == ("running", True, verdict)
    gateway.http.delete(address)
    cancelled = gateway.http.get(address).json()
    assert (cancelled["state"], cancelled["provisional"], cancelled["findings"]) == ("cancelled", False, None)


@pytest.mark.parametrize(
    ("name", "state", "verdict"),
    [("two, early nobody.mp4", "done", "several_faces"), ("nobody, early.mp4", "done", "no_face"),
     ("broken, early.mp4", "failed", None)],
)  # fmt: skip
def test_the_whole_video_has_the_last_word(gateway: Gateway, name: str, state: str, verdict: str | None) -> None:
    address = f"/v1/media/{upload(gateway, name, ANNA)}/preflight"
    gateway.http.post(address)
    ended = wait_until(lambda: (now := gateway.http.get(address).json())["state"] not in ("waiting", "running") and now)
    found = ended["findings"]
    assert (ended["state"], ended["provisional"], found and found["verdict"]) == (state, False, verdict)

"""How a browser plays a file, told by the browser: the same script for each of them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Ask = Callable[..., Any]
"""Calls a JavaScript function in an empty page, with arguments and an answer that JSON can hold"""

_PLAY: Final = """async (content, moment) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const video = document.createElement("video");
    const events = [];
    const happens = (name) => new Promise((resolve, reject) => {
        video.addEventListener(name, () => { events.push(name); resolve(); }, { once: true });
        video.addEventListener("error", () => reject(new Error(video.error.message)), { once: true });
    });
    const times = [];
    video.addEventListener("timeupdate", () => times.push(video.currentTime));
    video.muted = true;
    const [ready, ended] = [happens("canplay"), happens("ended")];
    video.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
    // Firefox 153, told to play after canplay, waits 15 s for more of half a second in a blob, at 60 pictures a second.
    await video.play();
    await ready;
    await ended;
    const seeked = happens("seeked");
    // Chromium on a busy machine seeks first and shows the picture then.
    const shown = new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    video.currentTime = moment;
    await seeked;
    await Promise.race([shown, new Promise((resolve) => setTimeout(resolve, 2000))]);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    return { events, times, duration: video.duration, picture: canvas.toDataURL("image/png").split(",")[1] };
}"""
_LISTEN: Final = """async (content) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes.buffer);
    const level = (samples) => Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length);
    const levels = [...Array(sound.numberOfChannels).keys()].map((channel) => level(sound.getChannelData(channel)));
    return { seconds: sound.duration, levels };
}"""


@dataclass(frozen=True, slots=True)
class Played:
    """What a browser did with a file."""

    events: list[str]
    """canplay, ended, seeked, in the order in which they came"""
    times: list[float]
    """Where it was when it said so, while it played"""
    duration: float
    picture: NDArray[np.uint8]
    """(height, width, 3) RGB at the moment that was asked for, as it is drawn on a canvas"""


def play(ask: Ask, path: Path, moment: Fraction) -> Played:
    """Play a file to its end, then show the picture at `moment` seconds."""
    told = ask(_PLAY, _content(path), float(moment))
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(told["picture"]), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    shown = np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8, copy=False)
    return Played(told["events"], told["times"], told["duration"], shown)


def levels(ask: Ask, path: Path) -> tuple[float, list[float]]:
    """Seconds of the sound that the browser decodes of a file, and the root mean square of each of its channels."""
    told = ask(_LISTEN, _content(path))
    return told["seconds"], told["levels"]


def _content(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()

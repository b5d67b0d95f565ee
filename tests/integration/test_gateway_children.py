"""The api's real child processes: the probe with its thumbnail, and the preflight when preprocess is away."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import pytest

from services.errors import ChorusError
from services.gateway.__main__ import build_operations
from services.library.probe import Prober
from tests import media_samples
from tests.gateway_stack import FakeProber, make_settings, wait_until

PROBE = (sys.executable, "-m", "services.library.probe_process")


def test_a_video_leaves_a_thumbnail_and_sound_leaves_none(tmp_path: Path) -> None:
    video, sound, picture = tmp_path / "clip.mp4", tmp_path / "tone.m4a", tmp_path / "clip.jpg"
    media_samples.make_clip(video, media_samples.ClipRecipe(size=(1280, 720)))
    media_samples.make_sound(sound)
    facts = Prober(PROBE)(video, name="clip.mp4", thumbnail=picture)
    assert (facts.kind, facts.width, facts.height) == ("video", 1280, 720)
    shown = cv2.imread(str(picture))
    assert shown is not None
    assert shown.shape == (270, 480, 3)
    picture.unlink()
    assert Prober(PROBE)(sound, name="tone.m4a", thumbnail=picture).kind == "audio"
    assert not picture.exists()
    sound.write_bytes(b"no recording at all")
    with pytest.raises(ChorusError, match=r"tone\.m4a"):
        Prober(PROBE)(sound, name="tone.m4a", thumbnail=picture)


def test_a_preflight_without_preprocess_fails_in_words(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    command = (sys.executable, "-m", "services.library.preflight_process", settings.preprocess_address)
    database, _, operations = build_operations(settings, FakeProber(()), command)
    preflights = operations.preflights
    try:
        with operations.intake.receive("clip.mp4") as incoming:
            incoming.write(b"clip")
            media = operations.intake.create(incoming)
        preflights.start(media.id)
        ended = wait_until(lambda: (now := preflights.get(media.id)).has_ended and now, 60)
        assert ended.state == "failed"
        assert "preprocess at 127.0.0.1:1 does not answer" in str(ended.error)
    finally:
        preflights.close()
        database.dispose()

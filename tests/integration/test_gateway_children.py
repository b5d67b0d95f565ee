"""The api's real child processes: the probe with its thumbnail, and the preflight when preprocess is away."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import pytest

from services.errors import ChorusError
from services.gateway import database as tables
from services.gateway.artifacts import Artifacts
from services.gateway.engine.queue import JobQueue
from services.gateway.media_library import MediaLibrary
from services.gateway.preflight import Preflights
from services.gateway.probing import Prober
from services.storage import Storage
from tests import media_samples
from tests.gateway_stack import FakeProber, make_settings, wait_until

PROBE = (sys.executable, "-m", "services.gateway.probing")


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


def test_a_preflight_without_preprocess_fails_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_PREPROCESS_ADDRESS", "127.0.0.1:1")
    settings = make_settings(tmp_path)
    database = tables.open_database(settings.database_url)
    tables.create_tables(database)
    queue = JobQueue(database)
    queue.create_tables()
    artifacts = Artifacts(Storage(settings.store_url, settings.scratch), settings.scratch, 1000)
    library = MediaLibrary(database, queue, artifacts, FakeProber(()), max_minutes=100)
    preflights = Preflights(database, library, (sys.executable, "-m", "services.gateway.preflight_process"))
    try:
        with library.receive("clip.mp4") as upload:
            upload.write(b"clip")
            media = library.create(upload)
        preflights.start(media.id)
        ended = wait_until(lambda: (now := preflights.get(media.id)).has_ended and now, 60)
        assert ended.state == "failed"
        assert "preprocess at 127.0.0.1:1 does not answer" in str(ended.error)
    finally:
        preflights.close()
        database.dispose()

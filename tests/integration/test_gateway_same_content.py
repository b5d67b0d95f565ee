"""A file whose content is stored already: it is not looked into again while what was found still holds."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from services.acting import Actor, Role, acting_as, current_actor
from services.errors import ChorusError
from services.jobs import tables
from services.library.keys import media_key, thumbnail_key
from services.library.media import Media
from services.preprocess.look import Probed
from tests.fake_look import FakeLook
from tests.gateway_stack import Gateway, make_settings, open_gateway
from tests.states import NewState

pytestmark = pytest.mark.usefixtures("as_system")


@pytest.fixture(scope="module")
def gateway(new_state: NewState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with open_gateway(make_settings(tmp_path_factory.mktemp("same"), **new_state())) as doors:
        yield doors


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were looked into."""
    names: list[str] = []
    probe = FakeLook.probe

    def counted(self: FakeLook, key: str, *, name: str) -> Probed:
        names.append(name)
        return probe(self, key, name=name)

    monkeypatch.setattr(FakeLook, "probe", counted)
    return names


@pytest.fixture
def content() -> bytes:
    """What nobody has uploaded yet."""
    return uuid.uuid4().bytes


def shown(gateway: Gateway, media_id: str) -> dict[str, object]:
    return dict(gateway.http.get(f"/v1/media/{media_id}").json())


def digest(gateway: Gateway, media_id: str) -> str:
    return str(shown(gateway, media_id)["sha256"])


def test_the_same_file_is_looked_into_once(gateway: Gateway, looks: list[str], content: bytes) -> None:
    first, second = gateway.upload("one.mp4", content), gateway.upload("two.mp4", content)
    assert looks == ["one.mp4"]
    one, two = shown(gateway, first), shown(gateway, second)
    assert (one["name"], two["name"], one["id"] != two["id"]) == ("one.mp4", "two.mp4", True)
    for each in (one, two):
        del each["id"], each["name"], each["created_at"]
    assert one == two
    assert gateway.http.delete(f"/v1/media/{first}").status_code == 204
    assert gateway.http.get(f"/v1/media/{second}/content").content == content
    assert gateway.http.get(f"/v1/media/{second}/thumbnail").content == b"thumbnail"
    assert gateway.http.delete(f"/v1/media/{second}").status_code == 204
    gateway.upload("three.mp4", content)
    assert looks == ["one.mp4", "three.mp4"]


def test_notes_of_a_recording_are_known_too(gateway: Gateway, looks: list[str], content: bytes) -> None:
    for name in ("hum.wav", "again.wav"):
        found = shown(gateway, gateway.upload(name, content))
        assert (found["sound_notes"], found["sound_track"]) == (["no_speech", "clipped"], 2)
    assert looks == ["hum.wav"]


@pytest.mark.parametrize("version", ["", "0.3"], ids=["a part was not found out", "older rules"])
def test_what_may_be_found_otherwise_today_is_found_again(
    gateway: Gateway, looks: list[str], content: bytes, version: str
) -> None:
    first = gateway.upload("one.mp4", content)
    with tables.transaction(gateway.database) as connection:
        connection.execute(tables.media.update().where(tables.media.c.id == first).values(facts_version=version))
    gateway.upload("two.mp4", content)
    gateway.upload("three.mp4", content)
    assert looks == ["one.mp4", "two.mp4"]


@pytest.mark.parametrize("key_of", [media_key, thumbnail_key])
def test_a_file_that_the_store_has_lost_comes_back(
    gateway: Gateway, looks: list[str], content: bytes, key_of: Callable[[str], str]
) -> None:
    first = gateway.upload("one.mp4", content)
    gateway.storage.delete(key_of(digest(gateway, first)))
    gateway.upload("two.mp4", content)
    assert looks == ["one.mp4", "two.mp4"]
    assert gateway.http.get(f"/v1/media/{first}/content").content == content
    assert gateway.http.get(f"/v1/media/{first}/thumbnail").content == b"thumbnail"


def test_who_shall_not_know_of_others_has_their_own_file_looked_into(
    gateway: Gateway, looks: list[str], content: bytes
) -> None:
    gateway.upload("others.mp4", content)
    anna = Actor(name="anna", role=Role.MAKER, owner="anna", sees_all=False)
    with acting_as(anna):
        for name in ("mine.mp4", "again.mp4"):
            assert received(gateway, name, content).owner == "anna"
    assert looks == ["others.mp4", "mine.mp4"]


def test_one_that_is_too_long_by_now_is_refused_by_its_own_name(
    gateway: Gateway, looks: list[str], content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.upload("one.mp4", content)
    intake = gateway.operations.intake
    monkeypatch.setattr(intake, "limits", replace(intake.limits, max_minutes=0.001))
    with pytest.raises(ChorusError) as refused:
        received(gateway, "two.mp4", content)
    assert (refused.value.code, refused.value.values["name"]) == ("too-long", "two.mp4")
    assert looks == ["one.mp4"]


def test_one_that_is_deleted_meanwhile_takes_nothing_along(gateway: Gateway, looks: list[str], content: bytes) -> None:
    """The deletion is begun and not yet committed when the upload comes; the file is still there then."""
    known = gateway.operations.media.get(gateway.upload("one.mp4", content))
    with ThreadPoolExecutor(1) as pool:
        with being_deleted(gateway, known):
            adding = pool.submit(gateway.operations.media.add_again, known, "two.mp4", owner="")
            with pytest.raises(TimeoutError):
                adding.result(0.5)
        assert adding.result(20) is None


@contextmanager
def being_deleted(gateway: Gateway, media: Media) -> Iterator[None]:
    """The row is deleted when the block ends."""
    with tables.transaction(gateway.database) as connection:
        connection.execute(sa.delete(tables.media).where(tables.media.c.id == media.id))
        yield


def received(gateway: Gateway, name: str, content: bytes) -> Media:
    """An upload as whoever acts here makes it."""
    intake = gateway.operations.intake
    with intake.receive(name) as incoming:
        incoming.write(content)
        return intake.create(incoming, owner=current_actor().owner)

"""Admins import and remove models over REST, gRPC and by the client; what comes late or from elsewhere is seen."""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa

from chorus_client import Chorus, ErrorKind
from chorus_client import ChorusError as ClientError
from services.errors import ChorusError
from services.folders import lock_file
from services.gateway.operations.import_rows import MOST_UNFINISHED
from services.jobs import moments, tables
from services.jobs.imported import IMPORTED, drafts_of
from tests.blocking import open_async
from tests.fake_triton import FakeTriton, open_fake_triton
from tests.gateway_stack import Gateway, is_alive, make_settings, open_gateway, wait_until
from tests.musetalk_folder import write_family
from tests.painting_net import write_painting_net

_TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("models") / "families"
    IMPORTED.look_in(folder)
    yield folder
    IMPORTED.look_in(None)


@pytest.fixture(scope="module")
def triton(families: Path) -> Iterator[tuple[FakeTriton, str]]:
    with open_fake_triton(families) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(families: Path, triton: tuple[FakeTriton, str]) -> Iterator[Gateway]:
    settings = make_settings(families.parent, families=families, triton_url=triton[1], requests_per_minute=100_000)
    with open_gateway(settings) as doors:
        yield doors


@pytest.fixture
def fake(triton: tuple[FakeTriton, str]) -> Iterator[FakeTriton]:
    """What the tests before have told it is forgotten."""
    server = triton[0]
    server.asked_to_load.clear()
    yield server
    server.refuses = False
    server.let_load.set()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_painting_net(tmp_path_factory.mktemp("net") / "my net.onnx")


def send(gateway: Gateway, content: bytes, file_name: str = "my net.onnx", **wanted: str) -> httpx.Response:
    return gateway.http.post("/v1/imports", params={"file_name": file_name, **wanted}, content=content)


def ended(gateway: Gateway, import_id: str) -> dict[str, Any]:
    """The import once nothing changes any more."""

    def look() -> Any:
        found = gateway.http.get(f"/v1/imports/{import_id}").json()
        return found if found["state"] not in ("waiting", "running") else None

    return dict(wait_until(look, 60))


def new_upload(gateway: Gateway, content: bytes) -> str:
    """The id of a whole upload that is to be imported, sent in two pieces."""
    metadata = ", ".join(f"{k} {base64.b64encode(v).decode()}" for k, v in (("filename", b"n"), ("purpose", b"model")))
    headers = {**_TUS, "Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    address = gateway.http.post("/v1/uploads", headers=headers).headers["Location"]
    half = len(content) // 2
    for start, piece in ((0, content[:half]), (half, content[half:])):
        kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(start)}
        assert gateway.http.patch(address, headers={**_TUS, **kind}, content=piece).status_code == 204
    return str(address.rpartition("/")[2])


@contextmanager
def another_import_at_work(families: Path) -> Iterator[None]:
    """As when `chorus models import` runs at the machine."""
    with lock_file(drafts_of(families) / "lock", ChorusError(ErrorKind.CONFLICT, "import-busy", folder="x")):  # type: ignore[arg-type]
        yield


def test_an_import_over_rest_is_a_family_that_triton_serves(gateway: Gateway, fake: FakeTriton, net: Path) -> None:
    begun = send(gateway, net.read_bytes(), name="mine", licence="MIT")
    assert begun.status_code == 202, begun.text
    found = ended(gateway, begun.json()["id"])
    assert (found["state"], found["name"], found["error"]) == ("done", "mine", None)
    assert "mine" in fake.loaded
    model = gateway.http.get("/v1/models/mine").json()
    assert (model["imported"], model["licence"], model["container"], model["side"]) == (True, "MIT", "ONNX", 96)
    assert model["description"].endswith("imported from my net.onnx")
    assert model["bytes"] > 10_000
    assert model["imported_at"] >= found["created_at"]
    assert {family["name"] for family in gateway.http.get("/v1/families").json()} >= {"default", "mine"}
    assert [each["imported"] for each in gateway.http.get("/v1/models").json()] == [False, True]
    assert gateway.start_batch("clip.mp4", family="mine")["jobs"][0]["state"]
    # What was sent for it is gone, wherever it lay.
    assert gateway.http.get("/v1/disk").json()["uploads_bytes"] < 1000
    assert list((gateway.settings.scratch / "imports").iterdir()) == []

    assert gateway.http.delete("/v1/models/mine").status_code == 204
    assert "mine" not in fake.loaded
    assert gateway.http.get("/v1/models/mine").status_code == 404
    assert gateway.http.delete("/v1/models/mine").json()["error"]["code"] == "import-unknown"
    assert gateway.http.delete("/v1/models/default").json()["error"]["code"] == "import-unknown"
    deeds = gateway.http.get("/v1/audit", params={"action": "model"}).json()["items"]
    told = [(deed["action"], deed["thing"], deed["outcome"]) for deed in deeds][::-1]
    assert told[:3] == [
        ("model.import", found["id"], "done"),
        ("model.imported", "mine", "done"),
        ("model.remove", "mine", "done"),
    ]


def test_all_models_of_a_musetalk_go_with_it(gateway: Gateway, fake: FakeTriton, families: Path) -> None:
    family = write_family(families, "musetalk15")
    fake.loaded |= set(family.models)
    model = gateway.http.get("/v1/models/musetalk15").json()
    assert (model["container"], model["recognised"], model["bytes"] > 300) == ("folder", "MuseTalk 1.5", True)
    assert gateway.http.delete("/v1/models/musetalk15").status_code == 204
    assert fake.loaded.isdisjoint(family.models)
    assert not any((families / each).exists() for each in family.models)


@pytest.mark.parametrize("open_client", [Chorus, open_async], ids=["blocking", "asyncio"])
@pytest.mark.usefixtures("fake")
def test_the_client_imports_and_removes_over_grpc(
    gateway: Gateway, net: Path, open_client: Callable[..., Chorus]
) -> None:
    with open_client(gateway.rpc_address) as chorus:
        sent: list[int] = []
        found = chorus.import_model(net, progress=lambda done, _: sent.append(done))
        assert (found.state, found.name, found.licence) == ("done", "onnx96", "research only")
        assert sent[-1] == net.stat().st_size
        (model,) = [each for each in chorus.list_models() if each.imported]
        assert (model.name, model.sha256 != "", model.HasField("bytes")) == ("onnx96", True, True)
        assert next(each.id for each in chorus.list_imports()) == found.id
        assert [each.state for each in chorus.watch_import(found.id)] == ["done"]
        with pytest.raises(ClientError) as refusal:
            chorus.cancel_import(found.id)
        assert (refusal.value.kind, refusal.value.code) == (ErrorKind.CONFLICT, "import-ended")
        chorus.remove_model("onnx96")
        assert not any(each.imported for each in chorus.list_models())


@pytest.mark.usefixtures("fake")
def test_a_resumable_upload_is_imported_once_however_often_it_is_asked_for(
    gateway: Gateway, families: Path, net: Path
) -> None:
    upload_id = new_upload(gateway, net.read_bytes())
    assert gateway.http.post(f"/v1/uploads/{upload_id}/media").json()["error"]["code"] == "upload-is-model"
    with another_import_at_work(families):
        begun = [gateway.http.post(f"/v1/uploads/{upload_id}/model", params={"name": "once"}) for _ in range(2)]
        assert [each.status_code for each in begun] == [202, 202]
        assert begun[0].json()["id"] == begun[1].json()["id"]
        other = new_upload(gateway, net.read_bytes())
        taken = gateway.http.post(f"/v1/uploads/{other}/model", params={"name": "once"})
        assert (taken.status_code, taken.json()["error"]["code"]) == (409, "import-name-taken")
    assert ended(gateway, begun[0].json()["id"])["state"] == "done"
    taken = gateway.http.post(f"/v1/uploads/{other}/model", params={"name": "once"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "import-name-taken")
    assert gateway.http.delete(f"/v1/uploads/{other}", headers=_TUS).status_code == 204
    assert gateway.http.delete("/v1/models/once").status_code == 204


def test_any_replica_sees_an_import_and_ends_it(
    gateway: Gateway, families: Path, fake: FakeTriton, net: Path, tmp_path: Path
) -> None:
    fake.let_load.clear()
    import_id = send(gateway, net.read_bytes(), name="unwanted").json()["id"]
    assert fake.asked_to_load.wait(60)
    assert (families / "unwanted").exists()
    with open_gateway(gateway.settings.model_copy(update={"scratch": tmp_path / "scratch"})) as other:
        seen = other.http.get("/v1/imports").json()[0]
        assert (seen["id"], seen["state"], seen["stage"]) == (import_id, "running", "loading")
        assert other.http.post(f"/v1/imports/{import_id}/cancel").json()["state"] == "cancelled"
    # At once: Triton may be done with it before its process hears that nobody wants it any more.
    fake.let_load.set()
    wait_until(lambda: not list(families.iterdir()) and not errands(), 60)
    assert gateway.http.get(f"/v1/imports/{import_id}").json()["state"] == "cancelled"
    wait_until(lambda: [each.name for each in drafts_of(families).iterdir()] == ["lock"])
    wait_until(lambda: not list((gateway.settings.scratch / "imports").iterdir()))


def errands() -> list[psutil.Process]:
    """The children that import for this process, and those that they have read files."""
    found = psutil.Process().children(recursive=True)
    return [each for each in found if is_alive(each.pid) and "services.importing" in " ".join(each.cmdline())]


def test_an_import_whose_child_is_killed_has_failed_and_is_swept(
    gateway: Gateway, families: Path, fake: FakeTriton, net: Path
) -> None:
    leftover = drafts_of(families) / "draft-of-another"
    fake.let_load.clear()
    import_id = send(gateway, net.read_bytes()).json()["id"]
    assert fake.asked_to_load.wait(60)
    leftover.mkdir()
    for each in errands():
        os.kill(each.pid, signal.SIGKILL)
    found = ended(gateway, import_id)
    assert (found["state"], found["error"]["code"]) == ("failed", "import-broke-off")
    wait_until(lambda: not leftover.exists())
    fake.let_load.set()
    assert gateway.http.delete("/v1/models/onnx96").status_code in (204, 404)


@pytest.mark.usefixtures("fake")
def test_an_import_whose_api_was_killed_has_failed_and_its_upload_is_still_there(
    gateway: Gateway, families: Path, net: Path
) -> None:
    upload_id = new_upload(gateway, net.read_bytes())
    row = {
        **dict.fromkeys(("name", "licence", "file_name", "owner", "runner"), ""),
        **{"id": "lost", "upload_id": upload_id, "state": "running", "stage": "reading", "created_ms": 1},
        "touched_ms": moments.now_ms() - 60_000,
    }
    with tables.transaction(gateway.database) as connection:
        connection.execute(sa.insert(tables.model_imports).values(row))
    found = gateway.http.get("/v1/imports/lost").json()
    assert (found["state"], found["error"]["code"]) == ("failed", "import-abandoned")
    begun = gateway.http.post(f"/v1/uploads/{upload_id}/model", params={"name": "again"})
    assert ended(gateway, begun.json()["id"])["state"] == "done"
    assert gateway.http.delete("/v1/models/again").status_code == 204


def test_no_more_imports_wait_than_that(gateway: Gateway, families: Path, net: Path) -> None:
    upload_id = new_upload(gateway, net.read_bytes())
    rows = [
        {
            **dict.fromkeys(("name", "licence", "file_name", "owner", "runner", "upload_id"), ""),
            **{"id": f"w{number}", "state": "waiting", "stage": "receiving", "created_ms": 1},
            "touched_ms": moments.now_ms(),
        }
        for number in range(MOST_UNFINISHED)
    ]
    with tables.transaction(gateway.database) as connection:
        connection.execute(sa.insert(tables.model_imports), rows)
    refused = gateway.http.post(f"/v1/uploads/{upload_id}/model")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "imports-waiting")
    with tables.transaction(gateway.database) as connection:
        connection.execute(sa.delete(tables.model_imports).where(tables.model_imports.c.id.startswith("w")))


def test_where_nothing_can_be_imported_the_doors_say_so_before_anything_is_sent(
    gateway: Gateway, net: Path, tmp_path: Path
) -> None:
    a_file = tmp_path / "a file"
    a_file.touch()
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"families": None}, 409, "import-no-folder"),
        ({"families": a_file / "families"}, 409, "import-folder-closed"),
        ({"model_import": False}, 403, "import-switched-off"),
    ]
    for number, (changes, status, code) in enumerate(cases):
        update = {**changes, "scratch": tmp_path / str(number)}
        with open_gateway(gateway.settings.model_copy(update=update)) as other:
            refused = send(other, net.read_bytes())
            assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
            with Chorus(other.rpc_address) as chorus, pytest.raises(ClientError) as refusal:
                chorus.import_model(net)
            assert refusal.value.code == code
            assert "chorus models" in refusal.value.message
            assert other.http.delete("/v1/models/any").json()["error"]["code"] == code

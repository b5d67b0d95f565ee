"""Model files and names that no door takes: hostile, of other shapes, of taken names, refused by Triton."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from services.jobs.imported import drafts_of
from tests.fake_triton import FakeTriton
from tests.gateway_stack import Gateway
from tests.integration.test_gateway_models import ended, fake, families, gateway, net, send, triton

# Fixtures, which pytest finds by their names here.
__all__ = ["fake", "families", "gateway", "net", "triton"]


class _Program:
    """A pickle that runs something when it is read as pickles are."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def pickled_program(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "net.pth", "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps(_Program(folder / "it ran")))
    return (folder / "net.pth").read_bytes()


def zip_bomb(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", pickle.dumps({}))
        archive.writestr("net/data/0", bytes(50_000_000))
    return (folder / "bomb.pth").read_bytes()


def much_of_nothing(_folder: Path) -> bytes:
    """More than any body that is no file may have."""
    return bytes(2_000_000)


def wrong_shapes(_folder: Path) -> bytes:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 224, 224]) for name in ("image", "classes")]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["classes"])], "other", ends[:1], ends[1:])
    return bytes(helper.make_model(graph).SerializeToString())


def test_hostile_files_are_refused_in_words_and_leave_nothing(
    gateway: Gateway, families: Path, fake: FakeTriton, tmp_path: Path
) -> None:
    makers = {
        # Without torch it is not even read.
        pickled_program: {"import-unsafe", "import-lacks"},
        zip_bomb: {"import-packed"},
        wrong_shapes: {"import-onnx-shapes"},
        much_of_nothing: {"import-unknown-format"},
    }
    for make, codes in makers.items():
        found = ended(gateway, send(gateway, make(tmp_path), "their net.pth").json()["id"])
        assert (found["state"], found["error"]["code"] in codes) == ("failed", True), (make, found)
        assert "their net.pth" in found["error"]["message"] or "torch" in found["error"]["message"]
    assert not (tmp_path / "it ran").exists()
    assert list(families.iterdir()) == []
    assert [each.name for each in drafts_of(families).iterdir()] == ["lock"]
    assert not fake.loaded


@pytest.mark.usefixtures("fake")
def test_names_that_are_none_or_triton_s_own_are_refused(gateway: Gateway, net: Path) -> None:
    for name, status, code in (("../x", 422, "import-name-unusable"), ("default", 409, "import-name-taken")):
        refused = send(gateway, net.read_bytes(), name=name)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    found = ended(gateway, send(gateway, net.read_bytes(), name="mouth_renderer").json()["id"])
    assert found["error"]["code"] == "import-name-taken"


def test_what_triton_does_not_take_is_undone(gateway: Gateway, families: Path, fake: FakeTriton, net: Path) -> None:
    fake.refuses = True
    found = ended(gateway, send(gateway, net.read_bytes(), name="heavy").json()["id"])
    assert found["error"]["code"] == "import-not-taken"
    assert "no memory" in found["error"]["message"]
    assert list(families.iterdir()) == []

"""Others' ONNX files become families; hostile and wrong files are refused with a reason.

What needs torch lies in tests/importing.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper
from tritonclient.grpc import model_config_pb2 as triton

from services.errors import ChorusError, ErrorKind
from services.importing.__main__ import convert
from services.importing.checking import synthetic_pair
from services.importing.containers import container_of
from services.importing.importer import import_file, remove_family
from services.importing.served_graph import net_inputs, picture_levels
from services.jobs.families import family_cards
from services.jobs.imported import IMPORTED, ImportedFamily
from tests.musetalk_folder import write_empty
from tests.painting_net import painting_net, write_painting_net


def imported(path: Path, repository: Path, name: str | None = None, licence: str | None = None) -> ImportedFamily:
    return import_file(path, repository, wanted_name=name, licence=licence, taken=["default"])


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one family from an ONNX file for any batch."""
    folder = tmp_path_factory.mktemp("families")
    imported(write_painting_net(folder.with_name("any name.bin")), folder)
    return folder


def served(repository: Path, name: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(repository / name / "1" / "model.onnx", providers=["CPUExecutionProvider"])


def test_a_foreign_file_is_served_as_it_ran_where_it_comes_from(repository: Path, tmp_path: Path) -> None:
    crops, mels = synthetic_pair(96)
    theirs = onnxruntime.InferenceSession(write_painting_net(tmp_path / "net"), providers=["CPUExecutionProvider"])
    mel, face = net_inputs(crops, mels)
    wanted = picture_levels(np.asarray(theirs.run(None, {"sound": mel, "video": face})[0]))
    (given,) = served(repository, "onnx96").run(None, {"crop": crops, "mel": mels})
    assert given.dtype == np.uint8
    assert np.abs(given.astype(int) - wanted).max() <= 1
    # This net gives back what lies outside its mouth: colours and places come through the graph as they are.
    assert np.array_equal(given[:, :40], crops[:, :40])


def test_the_config_says_what_the_graph_takes_and_warms_it_up(repository: Path) -> None:
    config = text_format.Parse((repository / "onnx96" / "config.pbtxt").read_text(), triton.ModelConfig())
    assert (config.name, config.backend, config.max_batch_size) == ("onnx96", "onnxruntime", 16)
    assert list(config.dynamic_batching.preferred_batch_size) == [8, 16]
    graph = onnx.load(repository / "onnx96" / "1" / "model.onnx").graph
    for listed, values in ((config.input, graph.input), (config.output, graph.output)):
        dims = {value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim][1:] for value in values}
        assert {tensor.name: list(tensor.dims) for tensor in listed} == dims
    (warm,) = config.model_warmup
    assert warm.batch_size == 8
    assert {key: list(value.dims) for key, value in warm.inputs.items()} == {"crop": [96, 96, 3], "mel": [80, 16]}
    assert config.parameters["tensorrt"].string_value == "FP16"


def test_an_import_is_a_family_at_once_and_says_its_licence(repository: Path) -> None:
    IMPORTED.look_in(repository)
    try:
        assert family_cards()["onnx96"].licence == "research only"
        again = imported(write_painting_net(repository.with_name("b.onnx")), repository, licence="MIT")
        assert (again.name, family_cards()[again.name].licence) == ("onnx96-2", "MIT")
        remove_family(repository, again.name)
        assert again.name not in family_cards()
    finally:
        IMPORTED.look_in(None)
    with pytest.raises(ChorusError) as refusal:
        remove_family(repository, again.name)
    assert refusal.value.kind is ErrorKind.NOT_FOUND


def test_a_manifest_that_cannot_be_read_hides_no_other(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    (repository / "odd").mkdir()
    (repository / "odd" / "family.json").write_text('{"name": "odd"}')
    IMPORTED.look_in(repository)
    try:
        assert "odd" not in family_cards()
        assert "onnx96" in family_cards()
    finally:
        IMPORTED.look_in(None)
    assert "odd" in caplog.text


def test_a_file_for_one_face_at_a_time_is_served_for_several_where_it_can(tmp_path: Path) -> None:
    family = imported(write_painting_net(tmp_path / "one.onnx", 256, batch=1), tmp_path / "families")
    assert (family.side, family.most_rows) == (256, 16)


def test_a_file_that_can_only_do_one_face_is_served_so(tmp_path: Path) -> None:
    model = painting_net(batch=1)
    node = next(node for node in model.graph.node if node.output[0] == "whole")
    node.output[0] = "cut"
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 3, 96, 96], np.int64), "fixed"))
    model.graph.node.insert(1, helper.make_node("Reshape", ["cut", "fixed"], ["whole"]))
    onnx.save(model, tmp_path / "one.onnx")
    family = imported(tmp_path / "one.onnx", tmp_path / "families")
    assert family.most_rows == 1
    crops, mels = synthetic_pair(96)
    (given,) = served(tmp_path / "families", family.name).run(None, {"crop": crops[:1], "mel": mels[:1]})
    assert given.shape == (1, 96, 96, 3)


def text(path: Path) -> None:
    path.write_text("These are the weights you are looking for, honestly. " * 10)


def folder(path: Path) -> None:
    path.mkdir()


def nothing(path: Path) -> None:
    path.touch()


def cut_off_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", bytes(10_000))
    path.write_bytes(path.read_bytes()[:5000])


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", pickle.dumps({}))
        archive.writestr("net/data/0", bytes(50_000_000))


def archive_of_something_else(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<xml/>" * 100)


def huge_header(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 1 << 60) + b'{"a":' + bytes(100))


def external(path: Path) -> None:
    model = painting_net()
    tensor = next(each for each in model.graph.initializer if each.name == "shape")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../../../etc/passwd"), ("offset", "0"), ("length", "100")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    path.write_bytes(model.SerializeToString())


def another_net(path: Path) -> None:
    ends = [("image", [1, 3, 224, 224]), ("classes", [1, 3, 224, 224])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
    node = helper.make_node("Relu", ["image"], ["classes"])
    onnx.save(helper.make_model(helper.make_graph([node], "other", values[:1], values[1:])), path)


def not_numbers(path: Path) -> None:
    model = painting_net()
    red = next(each for each in model.graph.initializer if each.name == "red")
    red.CopyFrom(numpy_helper.from_array(np.full((1, 3, 1, 1), np.nan, np.float32), "red"))
    onnx.save(model, path)


def odd_operators(path: Path) -> None:
    model = painting_net()
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    path.write_bytes(model.SerializeToString())


def deaf(path: Path) -> None:
    model = painting_net()
    next(node for node in model.graph.node if node.op_type == "Mul").input[1] = "one"
    onnx.save(model, path)


def odd_side(path: Path) -> None:
    onnx.save(painting_net(100), path)


def cut_off_onnx(path: Path) -> None:
    path.write_bytes(painting_net().SerializeToString()[:9000])


def endless_loop(path: Path) -> None:
    """It runs as long as a number in it says; it could be one that the sound gives."""
    model = painting_net()
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["again"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("again", TensorProto.BOOL, [])],
    )
    model.graph.node.append(helper.make_node("Loop", ["turns", ""], [], body=body))
    model.graph.initializer.append(numpy_helper.from_array(np.array(1 << 60), "turns"))
    path.write_bytes(model.SerializeToString())


def too_old(path: Path) -> None:
    path.write_bytes(painting_net(opset=9).SerializeToString())


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (text, "import-unknown-format"),
        (folder, "import-no-file"),
        (nothing, "import-size"),
        (cut_off_archive, "import-damaged"),
        (bomb, "import-packed"),
        (archive_of_something_else, "import-unknown-format"),
        (huge_header, "import-damaged"),
        (external, "import-onnx-external"),
        (another_net, "import-onnx-shapes"),
        (not_numbers, "import-not-finite"),
        (odd_operators, "import-onnx-operators"),
        (endless_loop, "import-onnx-branches"),
        (deaf, "import-deaf"),
        (odd_side, "import-onnx-side"),
        (cut_off_onnx, "import-damaged"),
        (too_old, "import-onnx-opset"),
    ],
)
def test_what_is_no_net_or_not_safe_is_refused_with_its_reason(
    make: Callable[[Path], None], code: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    make(path)
    with pytest.raises(ChorusError) as refusal:
        convert(path, container_of(path, "file"), "file", tmp_path)  # what the child does
    assert (refusal.value.kind, refusal.value.code) == (ErrorKind.INVALID_INPUT, code)
    assert refusal.value.message.startswith("file ")


def test_a_refused_file_leaves_nothing_behind(tmp_path: Path) -> None:
    external(tmp_path / "file")
    with pytest.raises(ChorusError, match="other files"):
        imported(tmp_path / "file", tmp_path / "families")
    assert list((tmp_path / "families").iterdir()) == []
    assert [each.name for each in (tmp_path / "families-drafts").iterdir()] == ["lock"]


def test_a_file_that_wants_too_much_memory_is_refused(tmp_path: Path) -> None:
    """A constant of a few bytes that asks for 64 GiB when it runs."""
    model = painting_net()
    shape = numpy_helper.from_array(np.array([1, 1, 1 << 17, 1 << 17], np.int64), "much")
    model.graph.initializer.append(shape)
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["much"], ["zeros"]))
    model.graph.node.insert(1, helper.make_node("ReduceMax", ["zeros"], ["none"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["lips", "none"], ["more"]))
    model.graph.output[0].name = "more"
    onnx.save(model, tmp_path / "greedy.onnx")
    with pytest.raises(ChorusError) as refusal:
        imported(tmp_path / "greedy.onnx", tmp_path / "families")
    assert refusal.value.code in ("import-greedy", "import-cannot-run")


@pytest.mark.parametrize("name", ["", "../x", "Wav2Lip", "a" * 41, "a b"])
def test_a_name_that_is_no_folder_of_ours_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ChorusError, match="no name for a family"):
        imported(tmp_path / "any", tmp_path / "families", name)
    with pytest.raises(ChorusError) as refusal:
        remove_family(tmp_path / "families", name)
    assert refusal.value.kind is ErrorKind.NOT_FOUND


def test_a_name_in_use_is_refused(repository: Path, tmp_path: Path) -> None:
    for name in ("default", "onnx96"):
        with pytest.raises(ChorusError, match="is taken"):
            imported(write_painting_net(tmp_path / f"{name}.onnx"), repository, name)


@pytest.mark.parametrize(("what", "name"), [("read", "net.pth"), ("read-folder", "models")])
def test_a_checkpoint_without_torch_says_what_to_install(what: str, name: str, tmp_path: Path) -> None:
    """The child that would read weights, with torch out of its sight."""
    with zipfile.ZipFile(tmp_path / "net.pth", "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({}))
    write_empty(tmp_path / "models")
    program = "import sys; sys.modules['torch'] = None; from services.importing.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", program, what, str(tmp_path / name), name, str(tmp_path)]
    child = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert child.returncode == 1
    failed = json.loads(child.stdout.splitlines()[-1])["failed"]
    assert failed["code"] == "import-lacks"
    assert "make importer" in failed["message"]

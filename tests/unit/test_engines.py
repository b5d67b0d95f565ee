"""What computes a family's models, as the embedded Triton left it, and the measuring of an imported one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.cli.bench import _as_table
from services.jobs.engines import ENGINES, Engine, Engines
from services.jobs.families import DEFAULT_CARD
from services.jobs.imported import ImportedFamilies, ImportedFamily
from services.local.bench import measure
from services.render.families.default.animator import DEFAULT
from services.triton import TritonClient

FLOAT = Engine("ONNX Runtime 1.31.1", "CPU", "float32")


def family(rows: int) -> ImportedFamily:
    return ImportedFamily(
        name="mine",
        licence="research only",
        description="a net",
        side=96,
        most_rows=rows,
        variant="Wav2Lip 96",
        container="ONNX",
        source_sha256="",
        steps=0,
    )


class Served(TritonClient):
    """Answers at once, and says that each request took the net a quarter of a millisecond a face."""

    def __init__(self) -> None:
        self.requests, self.seconds = 40, 7.0
        self.sizes: list[int] = []

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: object
    ) -> dict[str, NDArray[np.generic]]:
        assert (model, outputs) == ("mine", ["mouth"])
        assert inputs["crop"].shape[1:] == (96, 96, 3)
        self.sizes.append(len(inputs["mel"]))
        self.requests += 1
        self.seconds += len(inputs["mel"]) / 4000
        return {}

    def computed(self, model: str) -> tuple[int, float]:
        return self.requests, self.seconds


def write(folder: Path, **engines: Engine) -> None:
    for name, engine in engines.items():
        text = json.dumps({"runtime": engine.runtime, "device": engine.device, "precision": engine.precision})
        (folder / f"{name}.json").write_text(text)


def test_engines_are_read_anew_each_time_and_said_once(tmp_path: Path) -> None:
    engines = Engines()
    assert engines.all() == {}
    engines.look_in(tmp_path)
    write(tmp_path, a=FLOAT, b=FLOAT, c=Engine("ONNX Runtime 1.31.1", "CUDA", "int8"))
    assert engines.text_of(["a", "b", "gone"]) == "ONNX Runtime 1.31.1, CPU, float32"
    assert engines.text_of(["a", "c"]) == "ONNX Runtime 1.31.1, CPU, float32; ONNX Runtime 1.31.1, CUDA, int8"
    (tmp_path / "a.json").unlink()
    assert engines.text_of(["a"]) == ""


@pytest.mark.parametrize("content", ["", "{", "[]", '{"runtime": "x"}', '{"more": 1}'])
def test_what_cannot_be_read_is_not_known(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    engines = Engines()
    engines.look_in(tmp_path)
    assert engines.all() == {}


def test_a_card_says_the_engine_of_the_models_that_its_family_needs(tmp_path: Path) -> None:
    assert DEFAULT_CARD.models == DEFAULT.models
    write(tmp_path, **dict.fromkeys(DEFAULT.models, FLOAT))
    ENGINES.look_in(tmp_path)
    try:
        assert DEFAULT_CARD.engine == FLOAT.text
    finally:
        ENGINES.look_in(None)
    assert DEFAULT_CARD.engine == ""


def test_a_family_of_the_time_when_8_bits_were_all_there_was_can_be_read(tmp_path: Path) -> None:
    facts = asdict(family(16)) | {"precision": "int8", "eight_bits": {"psnr": 40.0}}
    del facts["library"], facts["compared"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "family.json").write_text(json.dumps(facts))
    families = ImportedFamilies()
    families.look_in(tmp_path)
    (found,) = families.all()
    assert (found.library, found.precision, found.compared) == ("onnxruntime", "int8", {"psnr": 40.0})


@pytest.mark.parametrize(("rows", "sizes"), [(16, [1, 4, 8, 16]), (5, [1, 4]), (1, [1])])
def test_every_size_that_a_family_takes_is_measured(rows: int, sizes: list[int]) -> None:
    served = Served()
    ticks = itertools.count()
    measured = list(measure(family(rows), served, seconds=40, clock=lambda: float(next(ticks))))
    assert [each.rows for each in measured] == sizes == list(dict.fromkeys(served.sizes))
    assert sum(each.requests for each in measured) == len(served.sizes) - len(sizes)  # each size's first is left out
    for each in measured:
        assert each.model_ms_per_face == pytest.approx(0.25)
        assert each.triton_ms_per_face == pytest.approx(each.ms_per_face - 0.25)
        assert each.requests_per_second * each.rows == pytest.approx(1000 / each.ms_per_face)


def test_a_slow_net_costs_no_more_time_than_was_given_and_is_told() -> None:
    (only,) = measure(family(16), Served(), seconds=0)
    assert (only.rows, only.requests) == (1, 1)
    table = _as_table(family(16), "", [only])
    assert "engine: not known" in table
    assert table.endswith("No time was left for 4, 8, 16 faces: --seconds gives more")
    assert "research only" in table

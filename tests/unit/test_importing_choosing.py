"""Which engine an imported net is served by, of those that were measured."""

from __future__ import annotations

import sys
from collections.abc import Callable
from unittest.mock import Mock

import numpy as np
import onnx
import pytest

from services.errors import ChorusError, ErrorKind
from services.importing.choosing import fastest
from services.importing.quantising import LEAST_GAIN, LEAST_PSNR, Comparison, Pairs

PAIRS = Pairs(np.zeros((200, 1, 1, 3), np.uint8), np.zeros((200, 80, 16), np.float32), np.arange(200) % 5 == 4)
FLOATS, EIGHT = onnx.ModelProto(producer_name="floats"), onnx.ModelProto(producer_name="eight")
Measure = Callable[..., Mock]


def found(gain: float, psnr: float = 60.0) -> Comparison:
    return Comparison(psnr=psnr, agreement=1.0, gain=gain, pairs=90, tried=30)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Says what comes out for int8 by ONNX Runtime, and for bfloat16 and int8 by OpenVINO, which is there."""

    def are(eight: Comparison | ChorusError, *openvino: Comparison, short: bool = True) -> Mock:
        made = Mock(side_effect=[eight if isinstance(eight, ChorusError) else (EIGHT, eight)])
        module = Mock(counts_in_bfloat16=lambda: short)
        monkeypatch.setattr("services.importing.choosing.measured", made)
        monkeypatch.setattr("services.importing.choosing.session_of", Mock())
        monkeypatch.setattr("services.importing.choosing.compared", Mock(side_effect=openvino))
        monkeypatch.setattr("services.importing.choosing.find_spec", lambda _: Mock() if openvino else None)
        monkeypatch.setitem(sys.modules, "services.importing.openvino", module)
        session: Mock = module.OpenVinoSession
        return session

    return are


@pytest.mark.parametrize(
    ("gains", "best", "file"),
    [
        ((2.5, 2.0, 3.0), "OpenVINO in int8", EIGHT),
        ((2.5, 2.0, 1.0), "ONNX Runtime in int8", EIGHT),
        ((0.9, 2.0, 1.1), "OpenVINO in bfloat16", FLOATS),  # it shortens the floats of the file by itself
        ((2.5,), "ONNX Runtime in int8", EIGHT),
    ],
)
def test_the_fastest_is_taken(gains: tuple[float, ...], best: str, file: onnx.ModelProto, engines: Measure) -> None:
    engines(*map(found, gains))
    engine, refused = fastest(FLOATS, PAIRS, 16, "net")
    assert engine is not None
    assert (engine.title, engine.model) == (best, file)
    assert [error.values["gain"] for error in refused] == [f"{gain:.2f}" for gain in gains if gain < LEAST_GAIN]


def test_one_whose_mouths_change_is_refused_by_its_name_however_fast(engines: Measure) -> None:
    engines(found(1.5), found(9.0, psnr=LEAST_PSNR - 1), found(9.0, psnr=LEAST_PSNR - 1))
    engine, refused = fastest(FLOATS, PAIRS, 16, "net")
    assert engine is not None
    assert engine.title == "ONNX Runtime in int8"
    assert [error.values["engine"] for error in refused] == ["OpenVINO in bfloat16", "OpenVINO in int8"]
    assert "with OpenVINO in int8 the mouths of net would change" in refused[1].message


def test_floats_are_served_where_all_are_refused(engines: Measure) -> None:
    impossible = ChorusError(ErrorKind.INVALID_INPUT, "fewer-bits-impossible", name="net", reason="it has branches")
    engines(impossible, found(1.0))
    engine, refused = fastest(FLOATS, PAIRS, 16, "net")
    assert engine is None
    # Without a file in 8 bits OpenVINO has none to be tried with.
    assert [error.code for error in refused] == ["fewer-bits-impossible", "fewer-bits-slow"]


def test_a_processor_without_bfloat16_is_not_tried_for_it(engines: Measure) -> None:
    session = engines(found(2.0), found(3.0), short=False)
    engine, _ = fastest(FLOATS, PAIRS, 16, "net")
    assert engine is not None
    assert engine.title == "OpenVINO in int8"
    session.assert_called_once_with(EIGHT.SerializeToString())


def test_what_openvino_does_not_take_is_refused_with_its_reason(engines: Measure) -> None:
    engines(found(2.0), found(2.0), short=False).side_effect = RuntimeError("no such operator")
    engine, (error,) = fastest(FLOATS, PAIRS, 16, "net")
    assert engine is not None
    assert error.values["reason"] == "OpenVINO: no such operator"

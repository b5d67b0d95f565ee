"""Which net a checkpoint holds, by the names and shapes of its tensors; no torch is needed to tell."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import pytest

from services.errors import ChorusError
from services.importing.wav2lip import plan_of, tensors_of
from tests.wav2lip_nets import NETS, WAV2LIP_96, Net

Shapes = dict[str, tuple[int, ...]]
KEY = "face_encoder_blocks.2.1.conv_block.0.weight"


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_every_tensor_of_a_published_net_has_its_place(net: Net) -> None:
    plan = plan_of(net.shapes(), "net.pth")
    assert plan.side == net.side
    counted = {key: shape for key, shape in net.shapes().items() if not key.endswith("num_batches_tracked")}
    assert tensors_of(plan) == counted


@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_strides_and_paddings_are_what_the_authors_wrote(net: Net) -> None:
    plan = plan_of(net.shapes(), "net")
    rows = [row for block in net.encoder for row in block] + net.audio
    layers = [layer for block in plan.encoder for layer in block] + list(plan.audio)
    for (into, out, kernel, stride, padding, residual), layer in zip(rows, layers, strict=True):
        pair = stride if isinstance(stride, tuple) else (stride, stride)
        assert (layer.channels, layer.kernel, layer.stride) == ((into, out), kernel, pair), layer.path
        assert (layer.padding, layer.residual) == (padding, residual), layer.path


def test_the_original_has_its_36_million_numbers() -> None:
    trained = [shape for key, shape in WAV2LIP_96.shapes().items() if "running" not in key and "tracked" not in key]
    assert round(sum(map(prod, trained)) / 1e6, 1) == 36.3


def without(shapes: Shapes) -> Shapes:
    return {key: shape for key, shape in shapes.items() if key != KEY}


def misshapen(shapes: Shapes) -> Shapes:
    return shapes | {KEY: (64, 64, 3, 5)}


def too_wide(shapes: Shapes) -> Shapes:
    return shapes | {KEY: (64, 48, 3, 3)}


def with_more(shapes: Shapes) -> Shapes:
    return shapes | {"emotion_encoder.weight": (512, 6)}


def with_attention(shapes: Shapes) -> Shapes:
    return shapes | {"sam.sa.conv1.weight": (1, 2, 7, 7)}


def without_norms(shapes: Shapes) -> Shapes:
    return {key: shape for key, shape in shapes.items() if ".conv_block.1." not in key}


def discriminator(shapes: Shapes) -> Shapes:
    return shapes | {"binary_pred.0.weight": (1, 512, 1, 1)}


def syncnet(_: Shapes) -> Shapes:
    return {"face_encoder.0.conv_block.0.weight": (32, 15, 7, 7), "audio_encoder.0.conv_block.0.weight": (32, 1, 3, 3)}


def short_decoder(shapes: Shapes) -> Shapes:
    return {key: shape for key, shape in shapes.items() if not key.startswith("face_decoder_blocks.6.")}


def with_a_hole(shapes: Shapes) -> Shapes:
    return {key: shape for key, shape in shapes.items() if not key.startswith("face_encoder_blocks.3.")}


def other(_: Shapes) -> Shapes:
    return {"fc.weight": (1000, 2048)}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (without, "import-tensor-missing"),
        (misshapen, "import-tensor-shape"),
        (too_wide, "import-layers"),
        (with_more, "import-tensor-unknown"),
        (with_attention, "import-sam-fork"),
        (without_norms, "import-no-norm-fork"),
        (discriminator, "import-discriminator"),
        (syncnet, "import-syncnet"),
        (short_decoder, "import-layers"),
        (with_a_hole, "import-layers"),
        (other, "import-another-net"),
    ],
)
def test_what_cannot_be_rebuilt_for_sure_is_refused_and_says_why(change: Callable[[Shapes], Shapes], code: str) -> None:
    with pytest.raises(ChorusError) as refusal:
        plan_of(change(WAV2LIP_96.shapes()), "net.pth")
    assert refusal.value.code == code
    assert refusal.value.message.startswith("net.pth")

"""Which Wav2Lip a checkpoint holds, told by the names and shapes of its tensors alone; needs no torch.

All known forks share one plan: an encoder of the face that halves the picture until one pixel is left, an encoder of
16 mel columns, and a decoder that doubles the picture and takes the encoder's features of each size. Kernels and
channels lie in the shapes, strides and paddings follow from them and from what the sizes must be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.errors import ChorusError, ErrorKind

Shape = tuple[int, ...]

_PARTS_OF_MUSETALK: Final = ("down_blocks.0.", "encoder.down_blocks.0.", "encoder.layers.0.", "model.encoder.layers.0.")
"""Its UNet, its VAE, its Whisper in two ways"""

SIDES: Final = (96, 128, 192, 256, 288, 384, 512)
"""Pixels of the face pictures that nets in the wild eat"""
MEL_SHAPE: Final = (80, 16)
_AUDIO_STRIDES: Final = ((3, 1), (3, 3), (3, 2))
"""Where the audio encoder's channels grow for the first, second and third time"""
_NORM: Final = ("weight", "bias", "running_mean", "running_var")
_COUNTER: Final = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution with its norm and activation, as `<path>.conv_block` in a checkpoint."""

    path: str
    channels: tuple[int, int]
    """In, out"""
    kernel: int
    stride: tuple[int, int]
    padding: int
    residual: bool = False
    up: bool = False
    """A transposed convolution"""
    output_padding: int = 0
    prelu: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole net: (batch, 1, 80, 16) mel and (batch, 6, side, side) faces -> (batch, 3, side, side)."""

    side: int
    encoder: tuple[tuple[Layer, ...], ...]
    audio: tuple[Layer, ...]
    decoder: tuple[tuple[Layer, ...], ...]
    output: Layer
    """Behind it a plain 1 x 1 convolution to three colours and a sigmoid"""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All of them but the last convolution."""
        blocks = (*self.encoder, self.audio, *self.decoder, (self.output,))
        return tuple(layer for block in blocks for layer in block)


@dataclass(frozen=True, slots=True)
class _Tensors:
    """The shapes of a file's tensors, and its name for refusals."""

    file: str
    shapes: Mapping[str, Shape]

    def kernel(self, path: str) -> tuple[int, int, int]:
        """The first two axes of a layer's weight and its side."""
        key = f"{path}.conv_block.0.weight"
        shape = self.shapes.get(key)
        if shape is None:
            raise self.missing(key)
        if len(shape) != 4 or shape[2] != shape[3] or not 1 <= shape[2] <= 7:
            raise self.misshapen(key, "(n, m, k, k)")
        return shape[0], shape[1], shape[2]

    def prelu(self, path: str) -> bool:
        return f"{path}.act.weight" in self.shapes

    def missing(self, key: str) -> ChorusError:
        return ChorusError(ErrorKind.INVALID_INPUT, "import-tensor-missing", name=self.file, key=key)

    def misshapen(self, key: str, wanted: str) -> ChorusError:
        found = _text(self.shapes[key])
        return ChorusError(
            ErrorKind.INVALID_INPUT, "import-tensor-shape", name=self.file, key=key, found=found, wanted=wanted
        )

    def unfitting(self, part: str) -> ChorusError:
        return ChorusError(ErrorKind.INVALID_INPUT, "import-layers", name=self.file, part=part)


def plan_of(shapes: Mapping[str, Shape], name: str) -> Plan:
    """The net whose tensors have these shapes; INVALID_INPUT says what `name` holds instead, or lacks."""
    _refuse_known_others(shapes, name)
    tensors = _Tensors(name, shapes)
    plan = _plan(tensors)
    _check_every_tensor(plan, tensors)
    return plan


def _refuse_known_others(shapes: Mapping[str, Shape], name: str) -> None:
    if any(key.startswith("binary_pred.") for key in shapes):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-discriminator", name=name)
    if not any(key.startswith("face_decoder_blocks.") for key in shapes):
        if any(key.startswith("face_encoder.") for key in shapes):
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-syncnet", name=name)
        if any(key.startswith(_PARTS_OF_MUSETALK) for key in shapes):
            raise ChorusError(ErrorKind.INVALID_INPUT, "import-musetalk-part", name=name)
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-another-net", name=name, key=min(shapes, default="-"))
    # These forks use the same tensors in several ways, which no tensor tells apart.
    if any(key.startswith(("sam.", "audio_refine.")) for key in shapes):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-sam-fork", name=name)
    if not any(".conv_block.1.running_mean" in key for key in shapes):
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-no-norm-fork", name=name)


def _plan(tensors: _Tensors) -> Plan:
    encoder_paths, decoder_paths = _blocks(tensors, "face_encoder"), _blocks(tensors, "face_decoder")
    encoder = [_downward(block, tensors, first=index == 0) for index, block in enumerate(encoder_paths)]
    side = _side(encoder)
    if side is None or len(decoder_paths) != len(encoder):
        raise tensors.unfitting("face_encoder_blocks")
    sizes = _sizes(encoder, side)
    audio = _audio(tensors)
    decoder, size = list[tuple[Layer, ...]](), 1
    for paths, wanted in zip(decoder_paths, reversed(sizes), strict=True):
        decoder.append(_upward(paths, tensors, size, wanted))
        size = wanted
    plan = Plan(side, tuple(encoder), tuple(audio), tuple(decoder), _layer("output_block.0", tensors, (1, 1), 1))
    _check_channels(plan, tensors)
    return plan


def _blocks(tensors: _Tensors, part: str) -> list[list[str]]:
    """The paths of the layers of each block of `<part>_blocks`, in order and without a hole."""
    found: dict[int, set[int]] = defaultdict(set)
    prefix = f"{part}_blocks."
    for key in tensors.shapes:
        numbers = key.removeprefix(prefix).split(".")[:2]
        if key.startswith(prefix) and len(numbers) == 2 and all(number.isdecimal() for number in numbers):
            found[int(numbers[0])].add(int(numbers[1]))
    if sorted(found) != list(range(len(found))):
        raise tensors.unfitting(f"{part}_blocks")
    return [[f"{prefix}{block}.{layer}" for layer in range(len(found[block]))] for block in range(len(found))]


def _layer(path: str, tensors: _Tensors, stride: tuple[int, int], padding: int, *, residual: bool = False) -> Layer:
    out, into, kernel = tensors.kernel(path)
    return Layer(path, (into, out), kernel, stride, padding, residual, prelu=tensors.prelu(path))


def _downward(paths: Sequence[str], tensors: _Tensors, *, first: bool) -> tuple[Layer, ...]:
    """A block of the face encoder: it halves the picture; with a tail of 1 x 1 it shrinks it by its kernel."""
    kernels = [tensors.kernel(path)[2] for path in paths]
    shrinks = len(paths) > 1 and all(kernel == 1 for kernel in kernels[1:])
    halves = not first and not shrinks
    layers = [_layer(paths[0], tensors, (2, 2) if halves else (1, 1), 0 if shrinks else kernels[0] // 2)]
    return (*layers, *(_following(path, tensors) for path in paths[1:]))


def _following(path: str, tensors: _Tensors) -> Layer:
    out, into, kernel = tensors.kernel(path)
    return _layer(path, tensors, (1, 1), kernel // 2, residual=kernel > 1 and into == out)


def _upward(paths: Sequence[str], tensors: _Tensors, size: int, wanted: int) -> tuple[Layer, ...]:
    """A block of the decoder, from a picture of `size` to one of `wanted` pixels a side."""
    if size == wanted:
        return tuple(_following(path, tensors) for path in paths)
    into, out, kernel = tensors.kernel(paths[0])
    prelu = tensors.prelu(paths[0])
    if size == 1 and kernel == wanted:
        up = Layer(paths[0], (into, out), kernel, (1, 1), 0, up=True, prelu=prelu)
    else:
        output_padding = wanted - ((size - 1) * 2 - 2 * (kernel // 2) + kernel)
        if output_padding not in (0, 1):
            raise tensors.unfitting(paths[0])
        up = Layer(
            paths[0], (into, out), kernel, (2, 2), kernel // 2, up=True, output_padding=output_padding, prelu=prelu
        )
    return (up, *(_following(path, tensors) for path in paths[1:]))


def _audio(tensors: _Tensors) -> list[Layer]:
    """The audio encoder; it must leave one place of the 80 x 16."""
    numbers = {key.split(".")[1] for key in tensors.shapes if key.startswith("audio_encoder.")}
    paths = [f"audio_encoder.{number}" for number in range(len(numbers))]
    kernels = [tensors.kernel(path) for path in paths]
    layers, grown, size = list[Layer](), 0, MEL_SHAPE
    for place, (path, (out, into, kernel)) in enumerate(zip(paths, kernels, strict=True)):
        stride = (1, 1)
        if place and into != out:
            stride = _AUDIO_STRIDES[grown] if grown < len(_AUDIO_STRIDES) else (1, 1)
            grown += 1
        shrinks = kernel > 1 and place + 1 < len(paths) and kernels[place + 1][2] == 1
        layer = _layer(path, tensors, stride, 0 if shrinks else kernel // 2, residual=into == out and kernel > 1)
        layers.append(layer)
        size = (_after(size[0], layer, 0), _after(size[1], layer, 1))
    if size != (1, 1):
        raise tensors.unfitting("audio_encoder")
    return layers


def _after(size: int, layer: Layer, axis: int) -> int:
    return (size + 2 * layer.padding - layer.kernel) // layer.stride[axis] + 1


def _sizes(encoder: Sequence[Sequence[Layer]], side: int) -> list[int]:
    """Pixels a side behind every block."""
    sizes, size = list[int](), side
    for block in encoder:
        for layer in block:
            size = _after(size, layer, 0)
        sizes.append(size)
    return sizes


def _side(encoder: Sequence[Sequence[Layer]]) -> int | None:
    """The known side of which one pixel is left, or None; one whose halvings come out even goes first."""
    fitting = [side for side in SIDES if _sizes(encoder, side)[-1:] == [1]]
    halvings = sum(block[0].stride == (2, 2) for block in encoder)
    return next((side for side in reversed(fitting) if side % (1 << halvings) == 0), max(fitting, default=None))


def _check_channels(plan: Plan, tensors: _Tensors) -> None:
    """Each layer takes what the one before gives."""

    def chain(layers: Sequence[Layer], given: int) -> int:
        for layer in layers:
            if layer.channels[0] != given:
                raise tensors.unfitting(layer.path)
            given = layer.channels[1]
        return given

    chain([layer for block in plan.encoder for layer in block], 6)
    given, features = chain(plan.audio, 1), [block[-1].channels[1] for block in plan.encoder]
    for block in plan.decoder:
        given = chain(block, given) + features.pop()
    chain([plan.output], given)


def tensors_of(plan: Plan) -> dict[str, Shape]:
    """Names and shapes of all tensors of the net, without the counters of its norms."""
    wanted: dict[str, Shape] = {}
    for layer in plan.layers:
        into, out = layer.channels
        pair = (into, out) if layer.up else (out, into)
        wanted[f"{layer.path}.conv_block.0.weight"] = (*pair, layer.kernel, layer.kernel)
        wanted[f"{layer.path}.conv_block.0.bias"] = (out,)
        wanted |= {f"{layer.path}.conv_block.1.{part}": (out,) for part in _NORM}
        if layer.prelu:
            wanted[f"{layer.path}.act.weight"] = (1,)
    return wanted | {"output_block.1.weight": (3, plan.output.channels[1], 1, 1), "output_block.1.bias": (3,)}


def _check_every_tensor(plan: Plan, tensors: _Tensors) -> None:
    wanted = tensors_of(plan)
    for key, shape in wanted.items():
        if key not in tensors.shapes:
            raise tensors.missing(key)
        if tensors.shapes[key] != shape:
            raise tensors.misshapen(key, _text(shape))
    extra = [key for key in tensors.shapes if key not in wanted and not key.endswith(_COUNTER)]
    if extra:
        raise ChorusError(
            ErrorKind.INVALID_INPUT, "import-tensor-unknown", name=tensors.file, key=min(extra), count=len(extra)
        )


def _text(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))})"

"""The published nets, written out layer by layer: what an import must recognise. Nothing here is inferred."""

from __future__ import annotations

from dataclasses import dataclass, field

Row = tuple[int, int, int, int | tuple[int, int], int, bool]
"""In, out, kernel, stride, padding, residual"""
Up = tuple[int, int, int, int, int, int]
"""In, out, kernel, stride, padding, output padding"""


def same(channels: int, times: int) -> list[Row]:
    return [(channels, channels, 3, 1, 1, True)] * times


AUDIO: list[Row] = [
    (1, 32, 3, 1, 1, False), *same(32, 2),
    (32, 64, 3, (3, 1), 1, False), *same(64, 2),
    (64, 128, 3, 3, 1, False), *same(128, 2),
    (128, 256, 3, (3, 2), 1, False), *same(256, 1),
    (256, 512, 3, 1, 0, False), (512, 512, 1, 1, 0, False),
]  # fmt: skip


@dataclass(frozen=True)
class Net:
    """One published net."""

    side: int
    encoder: list[list[Row]]
    decoder: list[tuple[Row | Up, int]]
    """The first layer of each block and how many residual ones follow"""
    prelu: bool = False
    audio: list[Row] = field(default_factory=lambda: AUDIO)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """All tensors as a checkpoint has them."""
        found: dict[str, tuple[int, ...]] = {}
        for block, rows in enumerate(self.encoder):
            for layer, row in enumerate(rows):
                self._add(found, f"face_encoder_blocks.{block}.{layer}", row[:3])
        for layer, row in enumerate(self.audio):
            self._add(found, f"audio_encoder.{layer}", row[:3])
        for block, (first, more) in enumerate(self.decoder):
            up = block > 0
            self._add(found, f"face_decoder_blocks.{block}.0", first[:3], up=up)
            for layer in range(more):
                self._add(found, f"face_decoder_blocks.{block}.{layer + 1}", (first[1], first[1], 3))
        into = self.decoder[-1][0][1] + self.encoder[0][-1][1]
        self._add(found, "output_block.0", (into, 32, 3))
        return found | {"output_block.1.weight": (3, 32, 1, 1), "output_block.1.bias": (3,)}

    def _add(self, found: dict[str, tuple[int, ...]], path: str, row: tuple[int, int, int], up: bool = False) -> None:
        into, out, kernel = row
        found[f"{path}.conv_block.0.weight"] = (*((into, out) if up else (out, into)), kernel, kernel)
        found[f"{path}.conv_block.0.bias"] = (out,)
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{path}.conv_block.1.{part}"] = (out,)
        found[f"{path}.conv_block.1.num_batches_tracked"] = ()
        if self.prelu:
            found[f"{path}.act.weight"] = (1,)


def down(into: int, out: int, more: int, kernel: int = 3) -> list[Row]:
    return [(into, out, kernel, 2, kernel // 2, False), *same(out, more)]


def end(channels: int, kernel: int = 3) -> list[Row]:
    return [(channels, channels, kernel, 1, 0, False), (channels, channels, 1, 1, 0, False)]


_FIRST: list[Row] = [(6, 16, 7, 1, 3, False)]
_ONE: tuple[Row | Up, int] = ((512, 512, 1, 1, 0, False), 0)
_LATE: list[tuple[Row | Up, int]] = [
    ((768, 384, 3, 2, 1, 1), 2),
    ((512, 256, 3, 2, 1, 1), 2),
    ((320, 128, 3, 2, 1, 1), 2),
    ((160, 64, 3, 2, 1, 1), 2),
]
_EARLY: list[list[Row]] = [_FIRST, down(16, 32, 2), down(32, 64, 3), down(64, 128, 2), down(128, 256, 2)]

WAV2LIP_96 = Net(
    96,
    [*_EARLY, down(256, 512, 1), end(512)],
    [_ONE, ((1024, 512, 3, 1, 0, 0), 1), ((1024, 512, 3, 2, 1, 1), 2), *_LATE],
)
WAV2LIP_256 = Net(
    256,
    [*_EARLY, down(256, 512, 1), down(512, 512, 1), end(512, 4)],
    [_ONE, ((1024, 512, 4, 1, 0, 0), 1), ((1024, 512, 3, 2, 1, 1), 1), ((1024, 512, 3, 2, 1, 1), 2), *_LATE],
)
WAV2LIP_288 = Net(
    288,
    [
        _FIRST,
        down(16, 32, 1, 5),
        down(32, 32, 2),
        down(32, 64, 3),
        down(64, 128, 2),
        down(128, 256, 2),
        down(256, 512, 1),
        end(512),
        end(512),
    ],
    [
        _ONE,
        ((1024, 512, 3, 1, 0, 0), 1),
        ((1024, 512, 3, 2, 1, 0), 2),
        ((1024, 512, 3, 2, 1, 0), 2),
        *_LATE,
        ((96, 64, 3, 2, 1, 1), 2),
    ],
    prelu=True,
)
NETS = {"96": WAV2LIP_96, "256": WAV2LIP_256, "288": WAV2LIP_288}

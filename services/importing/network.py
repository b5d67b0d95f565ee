"""The net of a plan in torch, as it was trained: made once, to be exported and to be compared with what is served."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping

import onnx
import torch
from torch import Tensor, nn

from services.importing.wav2lip import MEL_SHAPE, Layer, Plan, tensors_of

_OPSET = 17


class _Block(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """Convolution, norm, activation; the input is added before the activation where the plan says so."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        into, out = layer.channels
        convolution: nn.Module
        if layer.up:
            convolution = nn.ConvTranspose2d(
                into, out, layer.kernel, layer.stride, layer.padding, output_padding=layer.output_padding
            )
        else:
            convolution = nn.Conv2d(into, out, layer.kernel, layer.stride, layer.padding)
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(out))
        self.act = nn.PReLU() if layer.prelu else nn.ReLU()
        self._residual = layer.residual

    def forward(self, x: Tensor) -> Tensor:
        """(batch, in, h, w) -> (batch, out, h', w')."""
        y = self.conv_block(x)
        return self.act(y + x if self._residual else y)


class Wav2Lip(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """See Plan; its tensors are named as in a checkpoint."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.face_encoder_blocks = nn.ModuleList([nn.Sequential(*map(_Block, block)) for block in plan.encoder])
        self.audio_encoder = nn.Sequential(*map(_Block, plan.audio))
        self.face_decoder_blocks = nn.ModuleList([nn.Sequential(*map(_Block, block)) for block in plan.decoder])
        last = nn.Conv2d(plan.output.channels[1], 3, 1)
        self.output_block = nn.Sequential(_Block(plan.output), last, nn.Sigmoid())

    def forward(self, mel: Tensor, face: Tensor) -> Tensor:
        """(batch, 1, 80, 16) and (batch, 6, side, side) -> (batch, 3, side, side) in 0..1."""
        features, x = list[Tensor](), face
        for block in self.face_encoder_blocks:
            x = block(x)
            features.append(x)
        x = self.audio_encoder(mel)
        for block in self.face_decoder_blocks:
            x = torch.cat([block(x), features.pop()], dim=1)
        return self.output_block(x)


def build(plan: Plan, weights: Mapping[str, Tensor]) -> Wav2Lip:
    """The net with its weights, ready to infer; `weights` have passed plan_of."""
    net = Wav2Lip(plan)
    missing, unexpected = net.load_state_dict({key: weights[key] for key in tensors_of(plan)}, strict=False)
    assert not unexpected
    assert all(key.endswith("num_batches_tracked") for key in missing)
    net.eval()
    return net


def to_onnx(net: nn.Module, side: int) -> onnx.ModelProto:
    """The net as ONNX with a free batch, its norms folded into its convolutions."""
    written = io.BytesIO()
    example = (torch.zeros(2, 1, *MEL_SHAPE), torch.zeros(2, 6, side, side))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter(
            "ignore"
        )  # the tracer is torch's older exporter: it folds norms and needs no more packages
        torch.onnx.export(
            net,
            example,
            written,
            input_names=["mel", "face"],
            output_names=["picture"],
            dynamic_axes={name: {0: "batch"} for name in ("mel", "face", "picture")},
            opset_version=_OPSET,
            dynamo=False,
        )
    return onnx.load_from_string(written.getvalue())

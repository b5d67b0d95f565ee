"""The published nets in torch, from tests.wav2lip_nets alone: what an export is compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.wav2lip_nets import Net, Row


class Block(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """Convolution, norm, activation, with the names of a checkpoint."""

    def __init__(self, convolution: nn.Module, out: int, *, residual: bool, prelu: bool) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(out))
        self.act = nn.PReLU() if prelu else nn.ReLU()
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv_block(x)
        if self.residual:
            y = y + x
        return self.act(y)


class Published(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """A net as its authors run it."""

    def __init__(self, net: Net) -> None:
        super().__init__()

        def block(row: Row) -> Block:
            into, out, kernel, stride, padding, residual = row
            convolution = nn.Conv2d(into, out, kernel, stride, padding)
            return Block(convolution, out, residual=residual, prelu=net.prelu)

        self.face_encoder_blocks = nn.ModuleList([nn.Sequential(*map(block, rows)) for rows in net.encoder])
        self.audio_encoder = nn.Sequential(*map(block, net.audio))
        decoder = []
        for number, (first, more) in enumerate(net.decoder):
            into, out, kernel, stride, padding, last = first
            if number == 0:
                layers = [block((into, out, kernel, 1, 0, False))]
            else:
                up = nn.ConvTranspose2d(into, out, kernel, stride, padding, output_padding=last)
                layers = [Block(up, int(out), residual=False, prelu=net.prelu)]
            layers += [block((out, out, 3, 1, 1, True)) for _ in range(more)]
            decoder.append(nn.Sequential(*layers))
        self.face_decoder_blocks = nn.ModuleList(decoder)
        into = net.decoder[-1][0][1] + net.encoder[0][-1][1]
        self.output_block = nn.Sequential(block((into, 32, 3, 1, 1, False)), nn.Conv2d(32, 3, 1), nn.Sigmoid())

    def forward(self, mel: Tensor, face: Tensor) -> Tensor:
        features = []
        for encode in self.face_encoder_blocks:
            face = encode(face)
            features.append(face)
        x = self.audio_encoder(mel)
        for decode in self.face_decoder_blocks:
            x = torch.cat((decode(x), features.pop()), dim=1)
        return self.output_block(x)


def seeded(net: Net, *, seed: int = 7, batches: int = 4) -> Published:
    """Random weights whose norms have settled on noise: otherwise the output is one grey, whatever the sound."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    made = Published(net)
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = None  # the plain mean of what they have seen, and not mostly what they began with
    made.train()
    with torch.no_grad():
        for _ in range(batches):
            made(torch.rand(4, 1, 80, 16) * 8 - 4, torch.rand(4, 6, net.side, net.side))
    made.eval()
    return made

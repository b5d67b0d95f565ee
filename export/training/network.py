"""The net as it is trained: both trained parts of the served models, and a head that names the phone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from export import trained
from export.speech_features import Projection
from export.speech_to_mouth import WIDTH, SpeechToMouth
from export.training.hearing import Encode, Frames
from export.training.phones import CLASSES
from export.training.sound import Samples
from export.whisper import WhisperLayers

_DROPPED: Final = 0.1
"""Share of the features that is missing at every step, so that none is relied on alone"""


class TrainedNet(nn.Module):  # type: ignore[misc]
    """`projection` and `mouth` are what the export takes; the phone head only keeps what they hear honest."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = Projection()
        self.dropped = nn.Dropout1d(_DROPPED)
        self.mouth = SpeechToMouth()
        self.phone = nn.Conv1d(WIDTH, len(CLASSES), 1)

    def forward(self, mel: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel (batch, 80, columns), Whisper's frames (batch, 512, frames) -> logits of coefficients and phones."""
        features = at_columns(self.projection(frames.transpose(1, 2)), mel.shape[2])
        heard = self.mouth.hear(mel, self.dropped(features))
        return self.mouth.logits(heard), self.phone(heard)


def save_served(net: TrainedNet, path: Path) -> None:
    """The weights as the export reads them."""
    trained.save(path, projection=net.projection, mouth=net.mouth)


def encoder(layers: WhisperLayers) -> Encode:
    """Whisper's layers themselves, 512 numbers a frame."""

    def encode(samples: Samples) -> Frames:
        with torch.no_grad():
            frames: Frames = layers(torch.from_numpy(samples)[None])[0].T.numpy()
        return frames

    return encode


def at_columns(frames: Tensor, columns: int) -> Tensor:
    """(batch, any, frames), 50 a second -> (batch, any, columns), 80 a second, between the frames."""
    place = torch.arange(columns) * 0.625
    last = frames.shape[2] - 1
    before = place.long().clamp(max=last)
    share = place - before
    between: Tensor = frames[:, :, before] * (1 - share) + frames[:, :, (before + 1).clamp(max=last)] * share
    return between

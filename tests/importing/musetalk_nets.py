"""Small MuseTalks with random weights, saved as the published one is, and what torch computes with them.

The reference knows nothing of services.importing: it calls diffusers and transformers as MuseTalk's authors do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

from tests.musetalk_folder import UNET, VAE, WEIGHTS, WHISPER, write_configs

SMALL: Final[Mapping[str, Mapping[str, Any]]] = {
    "unet": {"block_out_channels": [32, 64, 64, 64], "norm_num_groups": 8, "layers_per_block": 1},
    "vae": {"block_out_channels": [16, 32, 32, 32], "norm_num_groups": 8, "layers_per_block": 1},
    "whisper": {"encoder_ffn_dim": 64, "decoder_layers": 1, "decoder_ffn_dim": 64, "vocab_size": 100},
}
WHOLE: Final[Mapping[str, Mapping[str, Any]]] = {"unet": {}, "vae": {}, "whisper": {"decoder_layers": 1}}
"""As large as the published one"""
SCALING: Final = 0.18215


class Nets:
    """The three nets, with random weights."""

    def __init__(self, size: Mapping[str, Mapping[str, Any]] = SMALL, seed: int = 3) -> None:
        torch.manual_seed(seed)
        self.size = size
        self.unet = UNet2DConditionModel(**_plain({**UNET, **size["unet"]})).eval()
        self.vae = AutoencoderKL(**_plain({**VAE, **size["vae"]})).eval()
        special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
        self.whisper = WhisperModel(WhisperConfig(**{**WHISPER, **size["whisper"], **special})).eval()
        for net in (self.unet, self.vae):
            _unsettle(net)

    def save(self, folder: Path, write: Callable[[Mapping[str, Tensor], Path], object] = torch.save) -> Path:
        """The published layout, old names of the VAE's attention included."""
        write_configs(folder, **self.size)
        for state, path in zip(self.states(), WEIGHTS, strict=True):
            write(state, folder / path)
        return folder

    def states(self) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
        """What the three files hold."""
        vae = {_old_name(key): value for key, value in self.vae.state_dict().items()}
        whisper = {f"model.{key}": value for key, value in self.whisper.state_dict().items()}
        whisper["proj_out.weight"] = self.whisper.decoder.embed_tokens.weight.detach().clone()
        return self.unet.state_dict(), vae, whisper

    @torch.no_grad()  # type: ignore[untyped-decorator]  # mypy runs without torch
    def hear(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 480000) -> (n, 1500, 1920)."""
        mel = WhisperFeatureExtractor()(list(samples), sampling_rate=16000, return_tensors="pt").input_features
        states = self.whisper.encoder(mel, output_hidden_states=True).hidden_states
        return np.asarray(torch.stack(states, dim=2).flatten(2).numpy())

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def look(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 256, 256, 3) -> (n, 8, 32, 32)."""
        whole = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        hidden = whole.clone()
        hidden[:, :, 128:] = 0
        seen = [self.vae.encode(each * 2 - 1).latent_dist.mean * SCALING for each in (hidden, whole)]
        return np.asarray(torch.cat(seen, dim=1).numpy())

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def paint(self, latents: NDArray[np.float32], sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 8, 32, 32) and (n, 50, 384) -> (n, 256, 256, 3) levels of 255, not yet rounded."""
        heard = torch.from_numpy(sound) + _waves(50, 384)
        painted = self.unet(torch.from_numpy(latents), torch.tensor([0]), encoder_hidden_states=heard).sample
        picture = self.vae.decode(painted / SCALING).sample
        return np.asarray(((picture / 2 + 0.5).clamp(0, 1) * 255).permute(0, 2, 3, 1).numpy())


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if not key.startswith("_")}


def _unsettle(net: nn.Module) -> None:
    """Norms and biases other than those that every new net has, and all of them other ones."""
    for parameter in net.parameters():
        if parameter.dim() == 1:
            parameter.data += torch.randn_like(parameter) * 0.05


def _old_name(key: str) -> str:
    """As diffusers called them when the published VAE was saved."""
    if ".attentions." in key:
        for new, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
            key = key.replace(new, old)
    return key


def _waves(count: int, width: int) -> Tensor:
    """Sinusoidal positions, number by number."""
    made = torch.zeros(count, width)
    for place in range(count):
        for pair in range(0, width, 2):
            angle = place / 10000 ** (pair / width)
            made[place, pair], made[place, pair + 1] = math.sin(angle), math.cos(angle)
    return made

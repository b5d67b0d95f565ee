"""The three nets in torch, by the layers of diffusers and transformers, with what is computed before and behind them.

    Mouth    latents, sound -> mouth     positions, UNet at timestep 0, the VAE's decoder
    Latents  crop -> latents             the VAE's encoder, of the face with its lower half hidden and of the whole one
    Sound    samples -> states           log-mel, Whisper's encoder

Nothing is fetched: the classes are made from numbers that configs.py has checked.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from services.errors import ChorusError, ErrorKind
from services.importing.containers import short
from services.importing.musetalk.configs import UNET, VAE, check_layout, check_rest
from services.importing.musetalk.layout import Layout
from services.importing.musetalk.mel import LogMel
from services.importing.musetalk.tensors import fill, read_part
from services.importing.musetalk.wire import LATENTS_SHAPE, SIDE, SOUND_SHAPE, STATES_SHAPE

_SCALING_FACTOR: Final = 0.18215
"""Of Stable Diffusion 1's latents, where the VAE's config does not say it"""


class Mouth(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """latents float32 (n, 8, 32, 32) and sound float32 (n, 50, 384) -> mouth uint8 RGB (n, 256, 256, 3)."""

    def __init__(self, unet: UNet2DConditionModel, vae: AutoencoderKL, scaling: float) -> None:
        super().__init__()
        self.unet, self.behind, self.decoder = unet, vae.post_quant_conv, vae.decoder
        self.register_buffer("positions", _positions(*SOUND_SHAPE))
        self._scaling = scaling

    def forward(self, latents: Tensor, sound: Tensor) -> Tensor:
        """See the class."""
        return (self.picture(latents, sound).permute(0, 2, 3, 1) * 255).round().to(torch.uint8)

    def picture(self, latents: Tensor, sound: Tensor) -> Tensor:
        """The same before it is rounded, (n, 3, 256, 256) in 0..1."""
        heard = sound + self.positions
        now = torch.zeros((), dtype=torch.int64)
        painted = self.unet(latents, now, encoder_hidden_states=heard, return_dict=False)[0]
        return (self.decoder(self.behind(painted / self._scaling)) / 2 + 0.5).clamp(0, 1)


class Latents(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """crop uint8 RGB (n, 256, 256, 3) -> latents float32 (n, 8, 32, 32).

    The original draws from the distribution that the encoder gives; this is its mean, the same each time.
    """

    def __init__(self, vae: AutoencoderKL, scaling: float) -> None:
        super().__init__()
        self.encoder, self.behind = vae.encoder, vae.quant_conv
        upper = torch.zeros(1, 1, SIDE, 1)
        upper[:, :, : SIDE // 2] = 1
        self.register_buffer("upper", upper)
        self.register_buffer("black", upper - 1)
        self._scaling = scaling

    def forward(self, crop: Tensor) -> Tensor:
        """See the class."""
        whole = crop.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1
        hidden = whole * self.upper + self.black
        both = torch.stack([hidden, whole], dim=1).reshape(-1, 3, SIDE, SIDE)
        means = self.behind(self.encoder(both))[:, : LATENTS_SHAPE[0] // 2]
        return means.reshape(-1, *LATENTS_SHAPE) * self._scaling


class Sound(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """samples float32 (n, 480000), 30 s at 16 kHz -> states float32 (n, 1500, 1920), 50 a second, state by state."""

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.encoder, self.mel = encoder, LogMel()

    def forward(self, samples: Tensor) -> Tensor:
        """What goes into the layers, what three of them give, and what the last one gives behind its norm."""
        net = self.encoder
        x = functional.gelu(net.conv2(functional.gelu(net.conv1(self.mel(samples))))).permute(0, 2, 1)
        states = [x + net.embed_positions.weight]
        for layer in net.layers:
            states.append(layer(states[-1], None))
        states[-1] = net.layer_norm(states[-1])
        return torch.cat(states, dim=-1).reshape(-1, *STATES_SHAPE)


class _Constant(nn.Module):  # type: ignore[misc]  # mypy runs without torch
    """What stands for layers that always give the same, whatever the batch."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self, *_: object) -> Tensor:
        """(1, channels)."""
        return self.value


def build(layout: Layout) -> tuple[Mouth, Latents, Sound]:
    """The nets with their weights, ready to infer; INVALID_INPUT says what in `layout` does not fit together."""
    for_unet, for_vae, for_whisper = check_layout(layout)
    check_rest(layout.unet, UNET, _defaults(UNet2DConditionModel))
    check_rest(layout.vae, VAE, _defaults(AutoencoderKL))
    unet = _made(lambda: UNet2DConditionModel(**for_unet), layout.unet.name)
    vae = _made(lambda: AutoencoderKL(**for_vae), layout.vae.name)
    whisper = WhisperConfig(**for_whisper, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0)
    whisper._attn_implementation = "eager"
    encoder = _made(lambda: WhisperEncoder(whisper), layout.whisper.name)
    for net, part in ((unet, layout.unet), (vae, layout.vae), (encoder, layout.whisper)):
        fill(net, read_part(part), part.name)
    _set_timestep(unet)
    scaling = for_vae.get("scaling_factor", _SCALING_FACTOR)
    return Mouth(unet, vae, scaling).eval(), Latents(vae, scaling).eval(), Sound(encoder).eval()


def _set_timestep(unet: UNet2DConditionModel) -> None:
    """The timestep is 0 for ever: what follows from it is worked out here, and not for each mouth."""
    with torch.no_grad():
        now = unet.time_embedding(unet.time_proj(torch.zeros(1)))
        for block in [each for each in unet.modules() if isinstance(each, ResnetBlock2D)]:
            block.time_emb_proj = _Constant(block.time_emb_proj(functional.silu(now)))
    unet.time_proj, unet.time_embedding = _Constant(torch.zeros(1)), _Constant(now)


def _defaults(kind: type) -> Mapping[str, Any]:
    return {key: each.default for key, each in inspect.signature(kind.__init__).parameters.items()}  # type: ignore[misc]


def _made(make: Callable[[], nn.Module], name: str) -> nn.Module:
    """The net without memory for its weights; they come from the file."""
    try:
        with torch.device("meta"):
            return make()
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-part-differs", name=name, reason=short(error)) from error


def _positions(count: int, width: int) -> Tensor:
    """(count, width): sines and cosines in turn, their waves from 2 pi to 20000 pi long, as the first transformer's."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angles = torch.arange(count)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(count, width)

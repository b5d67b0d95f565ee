"""What a MuseTalk's configs may say: the plan of Stable Diffusion's UNet and VAE and of Whisper, within bounds.

Needs no torch. What comes out is given to the classes of diffusers and transformers, and nothing else of a config is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.errors import ChorusError, ErrorKind
from services.importing.musetalk.layout import Layout, Part
from services.importing.musetalk.wire import STATES, WIDTH

Check = Callable[[Any], bool]
Rule = tuple[str, Check]
"""What is wanted, for a person, and whether a value is that"""

_BLOCKS: Final = 4
"""Three halvings: 256 pixels become latents of 32"""
_MOST_CHANNELS: Final = 2048


def _is(wanted: object) -> Rule:
    return str(wanted), lambda value: type(value) is type(wanted) and value == wanted


def _whole(least: int, most: int) -> Rule:
    return f"a whole number from {least} to {most}", lambda value: type(value) is int and least <= value <= most


def _share(most: float) -> Rule:
    return (
        f"a number above 0 and up to {most}",
        lambda value: type(value) in (int, float) and 0 < value <= most,
    )


def _names(*allowed: str) -> Rule:
    return (
        f"{_BLOCKS} of {', '.join(allowed)}",
        lambda value: isinstance(value, list) and len(value) == _BLOCKS and all(each in allowed for each in value),
    )


def _several(rule: Rule) -> Rule:
    wanted, check = rule
    return (
        f"{_BLOCKS} times {wanted}",
        lambda value: isinstance(value, list) and len(value) == _BLOCKS and all(map(check, value)),
    )


def _either(*rules: Rule) -> Rule:
    return " or ".join(wanted for wanted, _ in rules), lambda value: any(check(value) for _, check in rules)


_CHANNELS: Final = _several(_whole(1, _MOST_CHANNELS))
_HEADS: Final = _whole(1, 64)
_LAYERS: Final = _whole(1, 4)
_FLAG: Final = _either(_is(wanted=True), _is(wanted=False))

UNET: Final[Mapping[str, Rule]] = {
    "in_channels": _is(8),
    "out_channels": _is(4),
    "cross_attention_dim": _is(WIDTH),
    "block_out_channels": _CHANNELS,
    "layers_per_block": _LAYERS,
    "attention_head_dim": _either(_HEADS, _several(_HEADS)),
    "down_block_types": _names("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": _names("CrossAttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": _whole(1, 64),
    "norm_eps": _share(0.1),
    "act_fn": _is("silu"),
    "center_input_sample": _is(wanted=False),
    "flip_sin_to_cos": _FLAG,
    "freq_shift": _whole(0, 1),
    "downsample_padding": _is(1),
    "mid_block_scale_factor": _share(100),
    "use_linear_projection": _FLAG,
}
VAE: Final[Mapping[str, Rule]] = {
    "in_channels": _is(3),
    "out_channels": _is(3),
    "latent_channels": _is(4),
    "block_out_channels": _CHANNELS,
    "layers_per_block": _LAYERS,
    "down_block_types": _names("DownEncoderBlock2D"),
    "up_block_types": _names("UpDecoderBlock2D"),
    "norm_num_groups": _whole(1, 64),
    "act_fn": _is("silu"),
    "scaling_factor": _share(100),
}
WHISPER: Final[Mapping[str, Rule]] = {
    "d_model": _is(WIDTH),
    "encoder_layers": _is(STATES - 1),
    "encoder_attention_heads": _whole(1, 64),
    "encoder_ffn_dim": _whole(1, 8192),
    "num_mel_bins": _is(80),
    "max_source_positions": _is(1500),
    "activation_function": _is("gelu"),
    "scale_embedding": _is(wanted=False),
}
_OF_TRAINING: Final = ("sample_size", "force_upcast")
"""How large a picture was, and with which numbers another pipeline computes: they change no net"""


def check_layout(layout: Layout) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The configs of UNet, VAE and Whisper, bounded; INVALID_INPUT says which of them says what it may not."""
    return checked(layout.unet, UNET), checked(layout.vae, VAE), checked(layout.whisper, WHISPER)


def checked(part: Part, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """Of a part's config the keys that count; one that is missing has its library's default."""
    taken: dict[str, Any] = {}
    for key, (wanted, check) in rules.items():
        if key not in part.config:
            continue
        value = part.config[key]
        if not check(value):
            raise _refusal(part, key, value, wanted)
        taken[key] = value
    groups = taken.get("norm_num_groups", 32)
    for channels in taken.get("block_out_channels", ()):
        if channels % groups:
            raise _refusal(part, "block_out_channels", channels, f"a multiple of {groups}")
    return taken


def check_rest(part: Part, rules: Mapping[str, Rule], defaults: Mapping[str, Any]) -> None:
    """INVALID_INPUT when the config says anything else that its library would not take by itself.

    Keys that begin with `_` are notes of diffusers.
    """
    for key, value in part.config.items():
        if key in rules or key.startswith("_") or key in _OF_TRAINING:
            continue
        default = defaults.get(key)
        plain = list(default) if isinstance(default, tuple) else default
        if value != plain:
            raise _refusal(part, key, value, str(plain))


def _refusal(part: Part, key: str, value: object, wanted: str) -> ChorusError:
    return ChorusError(
        ErrorKind.INVALID_INPUT,
        "import-config-differs",
        name=part.name,
        key=key[:60],
        found=str(value)[:100],
        wanted=wanted,
    )

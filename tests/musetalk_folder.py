"""A MuseTalk 1.5 without weights: its folder as it is published, and what an import makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.importing.model_config import config_texts
from services.jobs.imported import MUSETALK, ImportedFamily, write_manifest

UNET: Final[Mapping[str, Any]] = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.6.0.dev0",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 384,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 8,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
}
VAE: Final[Mapping[str, Any]] = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.4.2",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "out_channels": 3,
    "sample_size": 256,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
WHISPER: Final[Mapping[str, Any]] = {
    "activation_function": "gelu",
    "architectures": ["WhisperForConditionalGeneration"],
    "d_model": 384,
    "decoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "encoder_layers": 4,
    "max_source_positions": 1500,
    "model_type": "whisper",
    "num_mel_bins": 80,
    "scale_embedding": False,
    "vocab_size": 51865,
}
CONFIGS: Final = {
    "musetalkV15/musetalk.json": UNET,
    "sd-vae/config.json": VAE,
    "whisper/config.json": WHISPER,
}
WEIGHTS: Final = ("musetalkV15/unet.pth", "sd-vae/diffusion_pytorch_model.bin", "whisper/pytorch_model.bin")


def write_configs(folder: Path, **changed: Mapping[str, Any]) -> Path:
    """Write the configs into `folder`; `unet`, `vae` and `whisper` say what is to be otherwise in them."""
    for (path, config), part in zip(CONFIGS.items(), ("unet", "vae", "whisper"), strict=True):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps({**config, **changed.get(part, {})}))
    return folder


def write_empty(folder: Path, **changed: Mapping[str, Any]) -> Path:
    """The same with weights that hold nothing."""
    write_configs(folder, **changed)
    for path in WEIGHTS:
        (folder / path).write_bytes(b"")
    return folder


def write_family(repository: Path, name: str) -> ImportedFamily:
    """An imported family as its folders lie in a repository, with models that hold nothing."""
    family = ImportedFamily(
        name=name,
        licence="MIT",
        description="MuseTalk 1.5",
        side=256,
        most_rows=16,
        variant="MuseTalk 1.5",
        container="folder",
        source_sha256="ab",
        steps=1,
        precision="float16",
        method=MUSETALK,
    )
    for model, text in config_texts(family).items():
        (repository / model / "1").mkdir(parents=True)
        (repository / model / "1" / "model.onnx").write_bytes(bytes(100))
        (repository / model / "config.pbtxt").write_text(text)
    write_manifest(repository / name, family)
    return family

"""From a folder's weights to what is served: rebuilt in torch, written as ONNX, compared with torch."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from services.errors import ChorusError, ErrorKind
from services.importing.containers import short
from services.importing.musetalk.checking import Wanted, check_nets, largest_step
from services.importing.musetalk.graph import ROWS, write_graph
from services.importing.musetalk.layout import Layout
from services.importing.musetalk.nets import Latents, Mouth, Sound, build
from services.importing.musetalk.wire import SAMPLES, SIDE, SOUND_SHAPE, STEPS
from services.jobs.imported import LATENTS, SOUND

MOST_ROWS: Final = 16
"""Faces of one request"""
_THREADS: Final = 2
_HEARD: Final = (100, 700)
"""Steps of the noise at which two mouths hear something else"""


@dataclass(frozen=True, slots=True)
class _Example:
    """What the nets are traced with: ROWS of everything."""

    samples: Tensor
    crop: Tensor
    latents: Tensor
    sound: Tensor


def convert_folder(layout: Layout, name: str, folder: Path) -> dict[str, Any]:
    """Write the three models of `layout`, in `folder` and beside it; what ImportedFamily says of them.

    `name` is what refusals call it. INVALID_INPUT when it cannot be served as it is.
    """
    torch.set_num_threads(_THREADS)
    mouth, latents, sound = build(layout)
    places = [folder.with_name(folder.name + suffix) / "1" / "model.onnx" for suffix in ("", LATENTS, SOUND)]
    try:
        example, wanted = _tried(mouth, latents, sound)
        check_nets(wanted, name)
        for path in places:
            path.parent.mkdir(parents=True)
        write_graph(mouth, {"latents": example.latents, "sound": example.sound}, "mouth", places[0], half=True)
        write_graph(latents, {"crop": example.crop}, "latents", places[1], half=True)
        write_graph(sound, {"samples": example.samples}, "states", places[2], half=False)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise ChorusError(ErrorKind.INVALID_INPUT, "import-cannot-run", name=name, reason=short(error)) from error
    del mouth, latents, sound
    gc.collect()
    steps = largest_step(places[0], places[1], places[2], wanted, name)
    return {
        "side": SIDE,
        "most_rows": MOST_ROWS,
        "variant": "MuseTalk 1.5",
        "precision": "float16",
        "steps": steps,
    }


def _tried(mouth: Mouth, latents: Latents, sound: Sound) -> tuple[_Example, Wanted]:
    """One face that speaks at two moments of noise, as the nets compute it in 32 bits; always the same."""
    random = np.random.default_rng(20)
    samples = torch.from_numpy(random.normal(0, 0.1, (1, SAMPLES)).astype(np.float32))
    coarse = random.integers(0, 256, (1, SIDE // 16, SIDE // 16, 3), np.uint8)
    crop = torch.from_numpy(np.repeat(np.repeat(coarse, 16, axis=1), 16, axis=2))
    with torch.no_grad():
        states, seen = sound(samples), latents(crop)
        heard = torch.stack([states[0, at : at + STEPS].reshape(SOUND_SHAPE) for at in _HEARD])
        both = seen.repeat(ROWS, 1, 1, 1)
        pictures = mouth.picture(both, heard).permute(0, 2, 3, 1) * 255
    example = _Example(samples.repeat(ROWS, 1), crop.repeat(ROWS, 1, 1, 1), both, heard)
    wanted = Wanted(
        samples=samples.numpy(),
        crop=crop.numpy(),
        latents=both.numpy(),
        sound=heard.numpy(),
        states=states.numpy(),
        seen=seen.numpy(),
        pictures=pictures.numpy(),
    )
    return example, wanted

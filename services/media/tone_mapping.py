"""From colours that only some screens have, high dynamic range or wide gamut, to BT.709: one table for each source.

HLG and PQ become light on a display (ITU-R BT.2100); its peak is brought to the 203 cd/m2 of BT.2408's reference white
by the EETF of BT.2390, on the largest of R, G and B, so that hues stay; what BT.709 cannot show goes towards its grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.media.colour import BT2020, DCI_P3, DISPLAY_P3, HLG, PQ, WIDE_PRIMARIES, ColourTags

Light = NDArray[np.float64]

TABLE_SIDE: Final = 33
_WHITE: Final = 203.0
"""cd/m2 of a white that does not shine"""
_HLG_PEAK: Final = 1000.0
_USUAL_PEAK: Final = 1000.0
"""Of PQ when the file does not say what its master was made on"""
_SCREEN_GAMMA: Final = 2.4
_D65: Final = (0.3127, 0.3290)
_CHROMATICITIES: Final[Mapping[int, tuple[tuple[float, float], ...]]] = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    DCI_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    DISPLAY_P3: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}


@dataclass(frozen=True, slots=True)
class HdrMetadata:
    """What a file says of the screen it was mastered on (SMPTE ST 2086) and of its brightest pixels (CTA-861.3)."""

    display: tuple[int, ...] = ()
    """Green, blue, red and white, x and y of each in 0.00002, then the most and the least light in 0.0001 cd/m2"""
    brightest: int = 0
    """cd/m2 of a pixel, MaxCLL; 0: not said"""
    brightest_picture: int = 0
    """cd/m2, mean of a picture, MaxFALL"""

    @property
    def peak(self) -> float:
        """cd/m2 to reckon with."""
        return self.brightest or (self.display[8] / 10000 if self.display else 0) or _USUAL_PEAK


def needs_mapping(colour: ColourTags) -> bool:
    """True for colours that an ordinary screen shows wrong."""
    return colour.transfer in (PQ, HLG) or colour.primaries in WIDE_PRIMARIES


def write_table(path: Path, colour: ColourTags, hdr: HdrMetadata | None) -> Path:
    """Write the way from the source's R'G'B' to BT.709's as a .cube file."""
    table = mapping_table(colour.transfer, colour.primaries, (hdr or HdrMetadata()).peak)
    np.savetxt(path, table.reshape(-1, 3), "%.6f", header=f"LUT_3D_SIZE {TABLE_SIDE}", comments="")
    return path


@lru_cache(maxsize=4)
def mapping_table(transfer: int, primaries: int, peak: float) -> Light:
    """(33, 33, 33, 3) BT.709 signals 0..1 for source signals 0..1; the last of the three axes is red's."""
    steps = np.linspace(0, 1, TABLE_SIDE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    return mapped(np.stack([red, green, blue], axis=-1), transfer, primaries, peak)


def mapped(signal: Light, transfer: int, primaries: int, peak: float = _USUAL_PEAK) -> Light:
    """BT.709 signals (..., 3) 0..1 of source signals (..., 3) 0..1."""
    if transfer == HLG:
        light = _rolled_off(_hlg_light(signal), _HLG_PEAK) / _WHITE
    elif transfer == PQ:
        light = _rolled_off(np.minimum(_pq_light(signal), peak), peak) / _WHITE
    else:
        light = signal**_SCREEN_GAMMA
    own = light @ (np.linalg.inv(_to_xyz(1)) @ _to_xyz(primaries if primaries in _CHROMATICITIES else 1)).T
    return np.asarray(_into_gamut(own) ** (1 / _SCREEN_GAMMA))


def _hlg_light(signal: Light) -> Light:
    """cd/m2 on a display of 1000 cd/m2: BT.2100's inverse OETF and its OOTF with a gamma of 1.2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return np.asarray(_HLG_PEAK * luminance[..., None] ** 0.2 * scene)


_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128


def _pq_light(signal: Light) -> Light:
    """cd/m2 of PQ signals, SMPTE ST 2084."""
    root = np.maximum(signal, 0) ** (1 / _M2)
    return np.asarray(10000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1))


def _pq_signal(light: Light) -> Light:
    power = (np.maximum(light, 0) / 10000) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


def _rolled_off(light: Light, peak: float) -> Light:
    """Light (..., 3) up to `peak` brought below the reference white: BT.2390's EETF, with black left where it is."""
    if peak <= _WHITE:
        return light
    largest = light.max(axis=-1, keepdims=True)
    top = float(_pq_signal(np.array(peak)))
    most = float(_pq_signal(np.array(_WHITE))) / top
    knee = 1.5 * most - 0.5
    given = _pq_signal(largest) / top
    t = np.clip((given - knee) / (1 - knee), 0, 1)
    curve = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    wanted = _pq_light(np.where(given < knee, given, curve) * top)
    return np.asarray(light * wanted / np.maximum(largest, 1e-9))


def _into_gamut(light: Light) -> Light:
    """Colours (..., 3) with parts outside 0..1 on the way to their own grey, just so far that all parts are inside."""
    grey = np.clip(light @ np.array([0.2126, 0.7152, 0.0722]), 0, 1)[..., None]
    away = light - grey
    room = np.where(away > 0, 1 - grey, grey)
    share = np.min(np.where(np.abs(away) > room, room / np.maximum(np.abs(away), 1e-12), 1), axis=-1, keepdims=True)
    return np.asarray(np.clip(grey + share * away, 0, 1))


def _to_xyz(primaries: int) -> Light:
    """(3, 3) from linear RGB to CIE XYZ, white at D65."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _CHROMATICITIES[primaries]]).T
    x, y = _D65
    return np.asarray(columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y])))

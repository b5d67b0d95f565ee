"""Speech with exact phone times from espeak-ng's C library (the program itself does not print times)."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.training.phones import Segment, of_ipa, spread

UNSEEN_VARIANTS: Final = frozenset({"m6", "Michael", "linda", "f4", "boris"})
"""Voice variants that no training hears: the evaluation speaks with them"""

_LIBRARY: Final = "libespeak-ng.so.1"
_SYNCHRONOUS: Final = 2
_PHONE_EVENTS_AS_IPA: Final = 0b11
_UTF8_AND_PHONES: Final = 0x1001
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_PHONE_EVENT: Final = 7
_BURST_DELAY: Final = 0.045
"""The event of a voiceless stop is its burst; so long before it the mouth is already shut"""
_STOP_HOLD: Final = 0.050


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(slots=True)
class _Synthesiser:
    """The library, and what its callback has gathered of the sentence in the works."""

    library: ctypes.CDLL
    rate: int
    callback: Any = None
    pieces: list[NDArray[np.int16]] = field(default_factory=list)
    events: list[tuple[int, str]] = field(default_factory=list)

    def gather(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self.pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type:
            if events[index].type == _PHONE_EVENT:
                name = bytes(events[index].id.string).split(b"\0")[0].decode("utf-8", "replace")
                self.events.append((events[index].sample, name))
            index += 1
        return 0


@cache
def _synthesiser() -> _Synthesiser:
    """The library keeps global state, so there is one in a process."""
    library = ctypes.CDLL(_LIBRARY)
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONE_EVENTS_AS_IPA)
    if rate <= 0:
        message = "espeak-ng does not start: install the packages espeak-ng-data and libespeak-ng1"
        raise RuntimeError(message)
    made = _Synthesiser(library, rate)
    made.callback = _Callback(made.gather)
    library.espeak_SetSynthCallback(made.callback)
    library.espeak_Synth.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    )
    return made


def speak(
    text: str, voice: str, *, words_per_minute: int = 170, pitch: int = 50, pitch_range: int = 50
) -> tuple[NDArray[np.float32], int, list[Segment]] | None:
    """(samples -1..1, samples a second, phones); None where espeak-ng has no such voice or says nothing."""
    maker = _synthesiser()
    if maker.library.espeak_SetVoiceByName(voice.encode()) != 0:
        return None
    for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_PITCH_RANGE, pitch_range)):
        maker.library.espeak_SetParameter(parameter, value, 0)
    maker.pieces.clear()
    maker.events.clear()
    encoded = text.encode() + b"\0"
    maker.library.espeak_Synth(encoded, len(encoded), 0, 1, 0, _UTF8_AND_PHONES, None, None)
    maker.library.espeak_Synchronize()
    if not maker.pieces:
        return None
    samples = (np.concatenate(maker.pieces) / 32768).astype(np.float32)
    return samples, maker.rate, segments_of(maker.events, maker.rate, len(samples) / maker.rate)


def segments_of(events: list[tuple[int, str]], rate: int, seconds: float) -> list[Segment]:
    """Phones with times from (sample, IPA name) events."""
    segments: list[Segment] = []
    for index, (sample, name) in enumerate(events):
        start = sample / rate
        end = events[index + 1][0] / rate if index + 1 < len(events) else seconds
        if name.startswith("(") or (end - start < 0.004 and not name):
            continue
        symbols = of_ipa(name)
        if symbols and symbols[0] in "ptk":
            start = max(0.0, start - _BURST_DELAY)
            _shorten(segments, start)
        segments += spread(symbols, start, end, _STOP_HOLD if symbols and symbols[0] in "pb" else None)
    return segments


def _shorten(segments: list[Segment], end: float) -> None:
    """The phone before a voiceless stop ends where the mouth shuts."""
    if segments and segments[-1].end > end:
        last = segments[-1]
        end = max(last.start + 0.01, end)
        segments[-1] = Segment(last.symbol, last.start, end, min(last.hold_end, end))


def library() -> ctypes.CDLL:
    """espeak-ng, started."""
    return _synthesiser().library


def phones_of(text: str, voice: str) -> list[list[str]]:
    """The phones of `text` word by word, as espeak-ng would say it; [] where it has no such voice."""
    library = _synthesiser().library
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        return []
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    rest = ctypes.c_char_p(text.encode())
    words: list[list[str]] = []
    while rest.value:
        clause = library.espeak_TextToPhonemes(ctypes.byref(rest), 1, 2) or b""
        spoken = re.sub(r"\(\w+\)", "", clause.decode("utf-8", "replace"))
        words += [of_ipa(word) for word in spoken.split()]
    return [word for word in words if word]

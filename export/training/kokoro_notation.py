"""Text to Kokoro's tokens (espeak-ng and pypinyin know how it is pronounced), tokens to phones."""

from __future__ import annotations

import ctypes
import re
from typing import Final

from pypinyin.contrib.tone_convert import to_finals, to_initials

from export.training import espeak
from export.training.alignment import Sound, sound_of
from export.training.phones import of_ipa

_TIED_IPA: Final = 0x82 | ord("^") << 8
_ANY: Final = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("e^ɪ", "A"), ("ɔ^ɪ", "Y"), ("d^ʒ", "ʤ"), ("t^ʃ", "ʧ"), ("t^s", "ʦ"), ("d^z", "ʣ"),
)  # fmt: skip
_ENGLISH: Final = (
    *_ANY, ("ə^l", "ᵊl"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("n̩", "ᵊn"), ("l̩", "ᵊl"), ("m̩", "ᵊm"), ("ɜː", "ɜɹ"), ("ɚ", "əɹ"),
    ("ɐ", "ə"), ("ɾ", "T"), ("ʔ", "t"), ("eə", "ɛː"), ("r", "ɹ"), ("x", "k"), ("ɬ", "l"),
)  # fmt: skip
_INITIALS: Final = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
_FINALS: Final = {
    "a": "a0", "ai": "a0i", "an": "a0n", "ang": "a0ŋ", "ao": "a0u", "e": "ɤ0", "ei": "e0i", "en": "ə0n", "eng": "ə0ŋ",
    "er": "ɚ0", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "ja0u", "ie": "je0", "in": "i0n",
    "ing": "i0ŋ", "iong": "jʊ0ŋ", "iou": "jo0u", "o": "wo0", "ong": "ʊ0ŋ", "ou": "o0u", "u": "u0", "ua": "wa0",
    "uai": "wa0i", "uan": "wa0n", "uang": "wa0ŋ", "uei": "we0i", "uen": "wə0n", "ueng": "wə0ŋ", "uo": "wo0",
    "v": "y0", "ve": "ɥe0", "van": "ɥɛ0n", "vn": "y0n",
}  # fmt: skip
_TONES: Final = {"1": "→", "2": "↗", "3": "↓", "4": "↘"}

_SOUNDS: Final = {
    token: Sound(arpabet, symbols)
    for token, arpabet, symbols in (
        ("A", "EY", "eɪ"), ("I", "AY", "aɪ"), ("O", "OW", "oʊ"), ("Q", "OW", "əʊ"), ("W", "AW", "aʊ"),
        ("Y", "OY", "ɔɪ"), ("T", "D", "r"), ("ð", "DH", "θ"), ("ʒ", "ZH", "ʃ"), ("ʤ", "JH", "dʃ"), ("ʧ", "CH", "tʃ"),
        ("ʥ", "JH", "dʃ"), ("ʨ", "CH", "tʃ"), ("ꭧ", "CH", "tʃ"), ("ʦ", "T", "ts"), ("ʣ", "Z", "dz"), ("ᵊ", "AH", "ə"),
        ("ᵻ", "IH", "ɪ"),
    )
}  # fmt: skip
_GAPS: Final = re.compile(r"[ ,.;:!?]+")


def english(text: str, voice: str) -> str:
    """The tokens of an English sentence; `voice` is espeak-ng's, en-us or a British one."""
    spoken = _replaced(_spoken(text, voice), _ENGLISH)
    if voice == "en-us":
        spoken = spoken.replace("ː", "").replace("o", "ɔ")
    return spoken.replace("^", "") + "."


def european(text: str, voice: str) -> str:
    """The tokens of a sentence in another language that espeak-ng reads."""
    return _replaced(_spoken(text, voice), _ANY).replace("^", "") + "."


def mandarin(words: list[list[str]]) -> str:
    """The tokens of words of numbered pinyin syllables."""
    return " ".join("".join(_syllable(pinyin) for pinyin in word) for word in words) + "."


def words_of(tokens: str) -> list[list[Sound]]:
    """The phones between the gaps of `tokens`."""
    words = [[_sound(token) for token in word if token in _SOUNDS or of_ipa(token)] for word in _GAPS.split(tokens)]
    return [word for word in words if word]


def _sound(token: str) -> Sound:
    return _SOUNDS.get(token) or sound_of(of_ipa(token)[0])


def _syllable(pinyin: str) -> str:
    tone = _TONES.get(pinyin[-1], "")
    initial, final = to_initials(pinyin, strict=True), to_finals(pinyin, strict=True, v_to_u=False)
    sound = _FINALS.get(final, "")
    if final == "i" and initial in ("z", "c", "s", "zh", "ch", "sh", "r"):
        sound = "ɨ0"
    if final == "o" and initial in ("b", "p", "m", "f"):
        sound = "wo0"
    return _INITIALS.get(initial, "") + sound.replace("0", tone)


def _replaced(spoken: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        spoken = spoken.replace(old, new)
    return spoken


def _spoken(text: str, voice: str) -> str:
    """Espeak-ng's IPA, clauses parted by commas; empty where it has no such voice."""
    library = espeak.library()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        return ""
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    rest = ctypes.c_char_p(text.encode())
    clauses: list[str] = []
    while rest.value:
        clauses.append((library.espeak_TextToPhonemes(ctypes.byref(rest), 1, _TIED_IPA) or b"").decode())
    return ", ".join(clause.strip() for clause in clauses if clause.strip())

"""Files and messages that nobody would send: seeded, so that a finding can be had again."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_NUMBERS: Final = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TEXTS: Final = (
    "",
    "a",
    "../../etc/passwd",
    "a\r\nX: y",
    "\x00",
    "\u202e",
    "𝕏" * 300,
    "%s%n",
    "' OR 1=1 --",
    "{{7*7}}",
    "a" * 70_000,
    "-1",
    "0x10",
    "NaN",
    "https://example.com/",
)
_FLOATS: Final = (0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"))
_DEEPEST: Final = 4


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The file with one to eight changes, of which most hit its first 4 kB, where containers have their tables."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        end = len(changed) if chance.random() < 0.3 else min(len(changed), 4096)
        chance.choice(_CHANGES)(changed, chance.randrange(end + 1), chance)
    return bytes(changed)


def _flip(content: bytearray, at: int, chance: random.Random) -> None:
    for place in range(at, min(at + chance.randint(1, 16), len(content))):
        content[place] ^= 1 << chance.randrange(8)


def _number(content: bytearray, at: int, chance: random.Random) -> None:
    form = chance.choice((">I", "<I", ">H", "<H"))
    number = chance.choice(_NUMBERS) & (0xFFFFFFFF if form[1] == "I" else 0xFFFF)
    content[at : at + struct.calcsize(form)] = struct.pack(form, number)


def _cut(content: bytearray, at: int, chance: random.Random) -> None:
    del content[at : at + chance.choice((1, 4, 100, len(content)))]


def _repeat(content: bytearray, at: int, chance: random.Random) -> None:
    content[at:at] = content[at : at + chance.randint(1, 400)] * chance.randint(1, 20)


def _swap(content: bytearray, at: int, chance: random.Random) -> None:
    size, other = chance.randint(1, 200), chance.randrange(len(content) + 1)
    content[at : at + size], content[other : other + size] = content[other : other + size], content[at : at + size]


def _noise(content: bytearray, at: int, chance: random.Random) -> None:
    content[at : at + chance.randint(1, 64)] = chance.randbytes(chance.randint(0, 64))


def _box_size(content: bytearray, at: int, chance: random.Random) -> None:
    """The size that an MP4's box, or a chunk of RIFF or PNG, says of itself; by the next name of four letters."""
    for place in range(at, min(at + 4096, len(content) - 8)):
        if content[place : place + 4].isalpha():
            content[max(0, place - 4) : place] = struct.pack(">I", chance.choice(_NUMBERS))
            return


_CHANGES: Final[tuple[Callable[[bytearray, int, random.Random], None], ...]] = (
    _flip,
    _number,
    _number,
    _cut,
    _repeat,
    _swap,
    _noise,
    _box_size,
    _box_size,
)


def filled(message: Message, chance: random.Random, known: tuple[str, ...] = (), depth: int = 0) -> Message:
    """`message` with any of its fields set to what their types can hold; `known` are texts that mean something."""
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.4:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            getattr(message, field.name)[_value(key, chance, known)] = _value(value, chance, known)
        elif field.message_type is not None:
            if depth < _DEEPEST:
                target = getattr(message, field.name)
                filled(target.add() if field.is_repeated else target, chance, known, depth + 1)
        elif field.is_repeated:
            count = chance.choice((0, 1, 2, 50, 2000))
            getattr(message, field.name).extend(_value(field, chance, known) for _ in range(count))
        else:
            setattr(message, field.name, _value(field, chance, known))
    return message


def _value(field: Any, chance: random.Random, known: tuple[str, ...]) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = chance.choice((*known, *_TEXTS))
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return chance.choice(_FLOATS)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return chance.choice((0, 1, 99, -1))
    bits = 32 if kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32) else 64
    if kind in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64):
        return chance.choice((0, 1, 2, 1000, (1 << bits) - 1, 1 << (bits - 1)))
    return chance.choice((0, 1, -1, 1000, (1 << (bits - 1)) - 1, -(1 << (bits - 1))))

"""Names that others chose, on a line of a terminal or a log: nothing in them ends the line or commands the terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

# Control characters, marks that reverse text, lone surrogates (bytes of a file name that are no UTF-8), line ends.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""The text with each character that cannot be seen as an escape: a line end is \n, an escape character \x1b."""
    if text.isprintable():
        return text
    return "".join(_escaped(letter) if unicodedata.category(letter) in _HIDDEN else letter for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")

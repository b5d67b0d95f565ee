"""Which landmarks of the face mesh the renderer reads. Lines run from the left corner to the right, as pictured."""

from __future__ import annotations

from typing import Final

UPPER_OUTER: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
UPPER_INNER: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LOWER_OUTER: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
CHIN: Final = 152
SUBNASALE: Final = 2
LANDMARKS: Final = 478

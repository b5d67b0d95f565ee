"""How many files and connections this process may have open."""

from __future__ import annotations

import resource
from typing import Final

_WISHED: Final = 16_384


def descriptor_limit() -> int:
    """As many as the system lets us have, and no more than we can use; asked for now, if they were fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wished = _WISHED if hard == resource.RLIM_INFINITY else min(hard, _WISHED)
    if soft < wished:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
        soft = wished
    return soft

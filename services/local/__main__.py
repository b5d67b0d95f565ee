"""`python -m services.local install-triton`: installs the embedded Triton; quick when it is there already."""

from __future__ import annotations

import sys

from services.errors import ChorusError
from services.local.settings import LocalSettings
from services.local.triton_runtime import install_runtime, platform_problem


def main(arguments: list[str]) -> int:
    """The exit code of the command."""
    if arguments != ["install-triton"]:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    if (problem := platform_problem()) is not None:
        # No failure: everything else runs here, with a Triton elsewhere.
        sys.stderr.write(f"{problem}\n")
        return 0
    place = LocalSettings().triton_runtime
    try:
        installed = install_runtime(place)
    except ChorusError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"Triton {'installed in' if installed else 'is already in'} {place}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""deploy/docker/plans.py as a module: in the image of Triton it is a program, with services/local/gpus.py beside it."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from services.local import gpus

ROOT = Path(__file__).parents[1]
FILE = ROOT / "deploy" / "docker" / "plans.py"


@cache
def load_plans() -> ModuleType:
    """The program, not run."""
    sys.modules["gpus"] = gpus
    spec = importlib.util.spec_from_file_location("plans", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

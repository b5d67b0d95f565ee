"""A family of another package: found by its entry points, shown by every door, rendered with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running_stack import ROOT

_CARD = """
from services.jobs.families import FamilyCard

CARD = FamilyCard(name="grey", licence="CC0-1.0", description="Greys the mouth out")
"""
_FAMILY = """
import numpy as np
from services.preprocess.faces import CropSpec, MelSpec
from services.render.edits.compositing import Patch
from services.render.families.family import ModelFamily


class Grey:
    def introduce(self, introduction):
        pass

    def synthesise(self, batch):
        side = batch.crops.shape[1]
        grey = np.full((side, side, 4), 128, np.uint8)
        return [Patch(grey, affine, float(weight)) for affine, weight in zip(batch.to_crop, batch.weight)]


GREY = ModelFamily(
    name="grey",
    licence="CC0-1.0",
    crop=CropSpec(-0.5, -0.5, 1.0, (64,)),
    mel=MelSpec(0),
    models=(),
    animate=lambda speech, rate, options, triton: Grey(),
)
"""
_POINTS = """
[chorus.family_cards]
grey = grey_card:CARD
broken = grey_card:NOTHING
{default} = grey_card:CARD

[chorus.families]
grey = grey_family:GREY
"""
_DOORS = """
import sys
from services.jobs.families import family_cards
assert list(family_cards()) == ["default", "grey"], family_cards()
assert not {"numpy", "cv2"} & set(sys.modules)
"""
_RENDER = """
import numpy as np
from services.media import Frame
from services.preprocess.faces import FaceBatch
from services.render.families.registry import find_family

animator = find_family("grey").animate(None, None, None, None)
batch = FaceBatch(
    first_frame=0, track=0, present=np.array([True]), crops=np.zeros((1, 64, 64, 3), np.uint8),
    landmarks=np.zeros((1, 478, 3), np.float32), rest=np.zeros((1, 478, 3), np.float32),
    to_crop=np.array([[[1, 0, -20], [0, 1, -20]]], np.float32), weight=np.ones(1, np.float32),
    mels=np.zeros((1, 80, 0), np.float32),
)
(edit,) = animator.synthesise(batch)
assert type(edit).__name__ == "Patch"
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process for which the package with the family is installed."""
    (tmp_path / "grey_card.py").write_text(_CARD)
    (tmp_path / "grey_family.py").write_text(_FAMILY)
    about = tmp_path / "grey_family-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: grey-family\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(_POINTS.format(default="again"))
    return {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


def test_the_example_is_a_package_that_pip_installs_and_chorus_finds(example_family: Path) -> None:
    """The card without a library of pixels, the family under the same name and licence."""
    program = (
        "import sys; from services.jobs.families import family_cards; card = family_cards()['puppet'];"
        "assert not {'numpy', 'cv2'} & set(sys.modules);"
        "from services.render.families.registry import find_family; family = find_family('puppet');"
        "assert (family.name, family.licence) == (card.name, card.licence), card;"
        "assert family.models == card.models;"
        "print(family.animate.__module__)"
    )
    path = f"{example_family}{os.pathsep}{ROOT}"
    command = [sys.executable, "-c", program]
    child = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip() == "chorus_puppet.family"


@pytest.mark.parametrize("program", [_DOORS, _RENDER])
def test_a_family_of_another_package_is_shown_and_rendered_with(installed: dict[str, str], program: str) -> None:
    child = subprocess.run([sys.executable, "-c", program], env=installed, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    if program == _DOORS:
        # What is broken is told, and does not hide the others.
        assert "family card broken" in child.stderr
        assert "its name is taken" in child.stderr

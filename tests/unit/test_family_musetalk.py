"""The family of nets as MuseTalk: what its net is given, where it shows, and what an older preprocess does to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from services.errors import ChorusError
from services.jobs.families import DEFAULT_CARD
from services.jobs.imported import IMPORTED, ImportedFamily, write_manifest
from services.jobs.options import RenderOptions
from services.preprocess.faces import STATE_RATE, CropBox, FaceBatch, FaceIntroduction, Speech
from services.render.families.family import Animator
from services.render.families.imported.methods import imported_family
from services.render.families.registry import find_family
from services.triton import TritonClient
from tests.latent_nets import latent_family
from tests.unit.test_family_imported import COLUMNS, batch_of, frame, speech

RATE = Fraction(30000, 1001)
BOX = CropBox(20, 10, 140, 150)
HEARD, SILENT = 2.0, -1.0


class Net:
    """In Triton's place: what it is asked, and flat pictures."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, NDArray[np.generic]]] = []

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        assert (model, list(outputs)) == ("latent", ["mouth"])
        self.asked.append(inputs)
        return {"mouth": np.full((len(inputs["latents"]), 256, 256, 3), 120, np.uint8)}


def animator(net: Net, heard: Speech | None = None, options: RenderOptions | None = None) -> Animator:
    family = imported_family(latent_family(most_rows=5))
    return family.animate(heard or speech(), RATE, options or RenderOptions(), cast(TritonClient, net))


def batch(faces: int = 8, first_frame: int = 30) -> FaceBatch:
    """Of face k all latents are k."""
    numbers = np.arange(faces, dtype=np.float16)[:, None, None, None]
    return replace(
        batch_of(frame(), faces=faces, first_frame=first_frame),
        sound=np.full((faces, 10, 1920), HEARD, np.float16),
        silence=np.full((faces, 10, 1920), SILENT, np.float16),
        latents=np.broadcast_to(numbers, (faces, 8, 32, 32)),
    )


def introduced(mouths: Animator, box: CropBox | None = BOX) -> Animator:
    mouths.introduce(FaceIntroduction(0, 70.0, 0.1, batch(1), box))
    return mouths


def test_the_net_is_given_latents_and_states_as_the_original_lays_them_out() -> None:
    net, seen = Net(), batch()
    numbers = np.arange(10 * 1920, dtype=np.float32).reshape(10, 1920) % 1000
    edits = introduced(animator(net)).synthesise(replace(seen, sound=np.stack([numbers.astype(np.float16)] * 8)))
    assert len(edits) == 8
    assert [len(asked["latents"]) for asked in net.asked] == [len(asked["sound"]) for asked in net.asked] == [5, 3]
    latents = np.concatenate([asked["latents"] for asked in net.asked])
    sound = np.concatenate([asked["sound"] for asked in net.asked])
    assert latents.dtype == sound.dtype == np.float32
    assert latents[:, 0, 0, 0].tolist() == list(range(8))
    assert sound.shape == (8, 50, 384)
    # Ten states of five layers each, one behind the other in time; here somebody speaks, so that they are as heard.
    assert np.allclose(sound[0].reshape(10, 5, 384)[3, 2], numbers[3, 768:1152], atol=0.1)


def test_where_nobody_speaks_the_net_hears_silence_and_the_way_there_is_soft() -> None:
    silent = Net()
    introduced(animator(silent, speech(voice=0))).synthesise(batch())
    assert all((asked["sound"] == SILENT).all() for asked in silent.asked)
    voice = np.where(np.arange(COLUMNS) < 100, 1, 0).astype(np.float32)
    net = Net()
    mouths = introduced(animator(net, replace(speech(), voice=voice)))
    for first in range(0, 64, 8):
        mouths.synthesise(batch(first_frame=first))
    heard = np.concatenate([asked["sound"] for asked in net.asked]).reshape(64, 10, 1920)[:, :, 0]
    starts = [int(50 * number * 1001 / 30000) - 4 for number in range(64)]
    seconds = (np.array(starts)[:, None] + np.arange(10) + 0.5) / STATE_RATE
    assert heard[(seconds > 0.1) & (seconds < 1.15)] == pytest.approx(HEARD, abs=0.01)
    assert heard[seconds > 1.6] == pytest.approx(SILENT, abs=0.01)
    # Two frames that share a moment hear the same there.
    order = np.argsort(seconds, axis=None)
    assert (np.diff(heard.ravel()[order][seconds.ravel()[order] > 0.1]) <= 1e-3).all()
    assert np.unique(np.round(heard, 1)).size > 5


def test_in_pauses_the_footage_shows_its_own_mouth_if_it_is_asked_to() -> None:
    edits = introduced(animator(Net(), speech(voice=0), RenderOptions(silence="source"))).synthesise(batch())
    assert [edit.weight for edit in edits] == [0] * 8  # type: ignore[attr-defined]


def test_only_the_lower_half_of_its_box_is_laid_in() -> None:
    net, picture, before = Net(), frame(), frame()
    (edit,) = introduced(animator(net)).synthesise(batch(1))
    assert edit.pixels.shape == (70, 120, 4)  # type: ignore[attr-defined]
    edit.apply(picture)
    rows, columns = np.mgrid[:400, :600] + 0.5
    in_crop = np.stack([columns, rows], axis=-1) @ batch(1).to_crop[0, :, :2].T + batch(1).to_crop[0, :, 2]
    changed = picture.y != before.y
    assert changed.sum() > 1000
    assert in_crop[changed][:, 1].min() >= (BOX.top + BOX.bottom) / 2 - 1
    assert in_crop[changed][:, 0].min() >= BOX.left - 1
    assert in_crop[changed][:, 0].max() <= BOX.right + 1


@pytest.mark.parametrize("missing", ["latents", "sound", "box"])
def test_beside_a_preprocess_that_knows_no_nets_the_job_waits_for_another(missing: str) -> None:
    mouths = introduced(animator(Net()), None if missing == "box" else BOX)
    shown = batch() if missing == "box" else replace(batch(), **{missing: None})  # type: ignore[arg-type]
    with pytest.raises(ChorusError, match="older release") as caught:
        mouths.synthesise(shown)
    assert caught.value.retryable


@pytest.fixture
def families(tmp_path_factory: pytest.TempPathFactory) -> list[ImportedFamily]:
    """One of each method, imported."""
    folder = tmp_path_factory.mktemp("families")
    latent = latent_family()
    found = [latent, replace(latent, name="mel", side=96, method="wav2lip"), replace(latent, name="new", method="odd")]
    for family in found:
        (folder / family.name).mkdir()
        write_manifest(folder / family.name, family)
    IMPORTED.look_in(folder)
    return found


def test_a_family_is_rendered_by_its_method(families: list[ImportedFamily]) -> None:
    try:
        latent, mel = find_family("latent"), find_family("mel")
        closing = find_family("latent-closures")
        with pytest.raises(ChorusError, match="The family new does not work: method odd"):
            find_family("new")
    finally:
        IMPORTED.look_in(None)
    assert latent.models == ("latent", "latent-latents", "latent-sound")
    assert latent.sound_net is not None
    assert latent.source_net is not None
    assert (latent.sound_net.model, latent.source_net.model) == latent.models[:0:-1]
    assert families[0].source_sha256 in latent.sound_net.identity
    assert (mel.models, mel.sound_net, mel.source_net) == (("mel",), None, None)
    # With lips that shut it asks for the same, so that nothing is seen or heard twice.
    assert (closing.crop, closing.sound_net, closing.source_net) == (latent.crop, latent.sound_net, latent.source_net)
    assert closing.models == (*latent.models, *DEFAULT_CARD.models)
    assert closing.name == "latent-closures"

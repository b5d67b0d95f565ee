"""What a family's own net hears: pieces of 30 s, the windows of frames, silence beside them, and the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.errors import ChorusError
from services.preprocess.faces import SoundNet
from services.preprocess.mel import gain_of_levels, mel_of
from services.preprocess.states import SEGMENT, States, heard, map_states, silent, states_key, write_states

NET = SoundNet("mine-sound", "these weights", rows=10, lead=4)
STATE = 320
"""Samples"""


class Net:
    """In Triton's place: a state is the sum of its samples, and which state of the 30 s it is."""

    def __init__(self, states: int = 1500) -> None:
        self.asked: list[NDArray[np.float32]] = []
        self._states = states

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        assert (model, list(outputs)) == (NET.model, ["states"])
        samples = inputs["samples"].astype(np.float32)
        assert samples.shape == (1, SEGMENT)
        self.asked.append(samples[0])
        sums = samples.reshape(1, -1, STATE).sum(axis=2)[:, : self._states]
        return {"states": np.stack([sums, np.broadcast_to(np.arange(self._states), sums.shape)], axis=2)}


def states_of(rows: int) -> States:
    """Row k of the recording holds k + 1, row k of silence -k - 1."""
    every = np.arange(1, 1501, dtype=np.float16)[:, None] * np.ones((1, 3), np.float16)
    return States(every[:rows], -every)


def original(values: NDArray[np.float16], frame: int, rate: Fraction) -> NDArray[np.float16]:
    """As the original cuts: four rows of zeros before all, enough behind, ten from frame * 50 / rate on."""
    padded = np.concatenate([np.zeros((4, 3)), values, np.zeros((200, 3))])
    start = int(frame * 50 / rate)
    return padded[start : start + 10].astype(np.float16)


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(60)])
def test_a_frame_gets_the_ten_states_of_the_original(rate: Fraction) -> None:
    states, frames = states_of(203), int(203 / 50 * rate) + 3
    sound, silence = states.windows(NET, 0, frames, rate)
    assert sound.shape == silence.shape == (frames, 10, 3)
    for frame in range(frames):
        assert np.array_equal(sound[frame], original(states.rows, frame, rate)), frame
    # A batch in the middle is cut as the whole is.
    assert np.array_equal(states.windows(NET, 40, 8, rate)[0], sound[40:48])


def test_silence_lies_at_the_same_places_of_its_thirty_seconds() -> None:
    _, silence = states_of(10).windows(NET, 0, 1, Fraction(25))
    assert silence[0, :, 0].tolist() == [-1497, -1498, -1499, -1500, -1, -2, -3, -4, -5, -6]
    _, later = states_of(10).windows(NET, 752, 1, Fraction(25))
    assert later[0, :, 0].tolist() == list(range(-1, -11, -1))


def test_every_thirty_seconds_are_heard_by_themselves_and_levelled() -> None:
    samples = np.random.default_rng(0).uniform(-0.02, 0.02, 2 * SEGMENT + 5 * STATE + 17).astype(np.float32)
    edges = [0, 7, SEGMENT - 1, SEGMENT + 40_001, len(samples)]
    level_db = mel_of(samples)[1]
    net = Net()
    pieces = list(heard((samples[low:high] for low, high in pairwise(edges)), level_db, NET, net))
    assert [len(piece) for piece in pieces] == [1500, 1500, 5]
    gain = gain_of_levels(level_db)
    assert 2 < gain < 30
    for number, asked in enumerate(net.asked):
        part = samples[number * SEGMENT : (number + 1) * SEGMENT] * gain
        assert np.allclose(asked[: len(part)], part, atol=1e-6)
        assert not asked[len(part) :].any()
    assert pieces[2][:, 1].tolist() == [0, 1, 2, 3, 4]
    assert np.abs(silent(NET, net)[:, 0]).max() == 0


def test_nothing_louder_than_full_scale_is_shown_to_the_net() -> None:
    samples = np.full(SEGMENT, 0.01, np.float32)
    samples[100] = 0.9
    net = Net()
    list(heard([samples], mel_of(samples)[1], NET, net))
    assert np.abs(net.asked[0]).max() == 1


def test_less_than_a_state_at_the_end_is_not_asked_for() -> None:
    net = Net()
    samples = np.zeros(SEGMENT + STATE - 1, np.float32)
    assert [len(piece) for piece in heard([samples], mel_of(samples)[1], NET, net)] == [1500]
    assert len(net.asked) == 1


def test_what_is_written_is_mapped_again(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    silence, *pieces = (random.normal(size=(rows, 6)).astype(np.float16) for rows in (1500, 1500, 30))
    assert list(write_states(tmp_path / "states", silence, pieces)) == [1500, 1530]
    with map_states(tmp_path / "states") as states:
        assert np.array_equal(states.silence, silence)
        assert np.array_equal(states.rows, np.concatenate(pieces))
        assert isinstance(states.rows, np.memmap)


def test_a_net_with_other_states_is_refused() -> None:
    with pytest.raises(ChorusError, match=r"mine-sound gave \(1, 1499, 2\)"):
        silent(NET, Net(states=1499))


def test_states_lie_under_the_recording_and_the_weights() -> None:
    key = states_key("media/ab12", NET)
    assert key.startswith("states/ab12/")
    assert key == states_key("media/ab12", SoundNet("another name", NET.identity, rows=3, lead=1))
    assert key != states_key("media/ab12", SoundNet(NET.model, "others", rows=10, lead=4))

"""Everything that travels comes out as it went in."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from fractions import Fraction

import numpy as np
import pytest

from services.errors import ChorusError, ErrorKind
from services.media import DECODING_VERSION
from services.preprocess import messages
from services.preprocess.batches import faceless
from services.preprocess.faces import (
    CropBox,
    CropSpec,
    FaceBatch,
    FaceIntroduction,
    FaceRequest,
    FaceStreamItem,
    MelSpec,
    SoundNet,
    SourceNet,
    Speech,
)
from services.preprocess.summary import (
    FACTS_VERSION,
    AnalysisProgress,
    MediaFacts,
    SoundNote,
    TrackSummary,
    VideoAnalysis,
)
from services.preprocess.summary_messages import analysis_item, analysis_response, media_facts, probe_response
from services.preprocess.v1 import preprocess_pb2 as wire
from services.timeline import Extend

RANDOM = np.random.default_rng(2)
CROP = CropSpec(-0.75, -0.5, 1.5, (256, 384))
REQUEST = FaceRequest("videos/a", "audios/b", CROP, MelSpec(16), 77, Extend.LOOP)
SOUND_NET = SoundNet("mine-sound", "these weights", rows=10, lead=4)
SOURCE_NET = SourceNet("mine-latents", "these weights", 256, 8, outline=(234, 454, 152), middle=(5,), below=0.125)


def batch(rows: int, mel_columns: int = 16) -> FaceBatch:
    return FaceBatch(
        first_frame=8,
        track=3,
        present=np.ones(rows, np.bool_),
        crops=RANDOM.integers(0, 255, (rows, 64, 64, 3), dtype=np.uint8),
        landmarks=RANDOM.normal(size=(rows, 478, 3)).astype(np.float32),
        rest=RANDOM.normal(size=(rows, 478, 3)).astype(np.float32),
        to_crop=RANDOM.normal(size=(rows, 2, 3)).astype(np.float32),
        weight=RANDOM.uniform(size=rows).astype(np.float32),
        mels=RANDOM.normal(size=(rows, 80, mel_columns)).astype(np.float32),
    )


def speech_of(columns: int) -> Speech:
    return Speech(
        RANDOM.random((80, columns), np.float32),
        RANDOM.random(columns, np.float32),
        RANDOM.random(columns, np.float32),
        RANDOM.random((64, columns), np.float32).astype(np.float16),
    )


def with_nets(rows: int) -> FaceBatch:
    sound, silence = RANDOM.random((2, rows, 10, 12), np.float32).astype(np.float16)
    return replace(batch(rows, 0), sound=sound, silence=silence, latents=np.ones((rows, 8, 2, 3), np.float16))


def without_pixels(rows: int) -> FaceBatch:
    return replace(batch(rows), crops=np.zeros((0, 64, 64, 3), np.uint8))


def assert_same(first: object, second: object) -> None:
    assert type(first) is type(second)
    if isinstance(first, np.ndarray):
        assert isinstance(second, np.ndarray)
        assert first.dtype == second.dtype
        assert np.array_equal(first, second)
    elif is_dataclass(first):
        for field in fields(first):
            assert_same(getattr(first, field.name), getattr(second, field.name))
    else:
        assert first == second


@pytest.mark.parametrize(
    "item",
    [
        AnalysisProgress(3, 250),
        speech_of(33),
        FaceIntroduction(2, 160.5, 0.125, batch(4, 0)),
        batch(8),
        batch(1, 0),
        without_pixels(3),
        with_nets(8),
        FaceIntroduction(2, 160.5, 0.125, batch(4, 0), CropBox(4, 0, 60, 64)),
        faceless(16, 8),
    ],
    ids=lambda item: type(item).__name__,
)
def test_stream_items(item: FaceStreamItem) -> None:
    sent = [message.SerializeToString() for message in messages.stream_responses([item])]
    (received,) = messages.stream_items(map(wire.StreamFacesResponse.FromString, sent))
    assert_same(received, item)


def test_the_speech_of_a_long_recording_travels_in_pieces_of_less_than_a_mebibyte() -> None:
    speech = speech_of(4001)
    sent = list(messages.stream_responses([speech, AnalysisProgress(1, 1)]))
    assert [message.speech.columns for message in sent] == [2000, 2000, 1, 0]
    assert max(message.ByteSize() for message in sent) < 1 << 20
    received, _ = messages.stream_items(sent)
    assert_same(received, speech)


@pytest.mark.parametrize("order", [[1], [0, 2], [0, 0], [0, 1, 1], [0, 1, 2, 2]])
def test_a_piece_of_speech_out_of_turn_is_no_speech(order: list[int]) -> None:
    pieces = list(messages.stream_responses([speech_of(4001)]))
    with pytest.raises(ChorusError) as error:
        list(messages.stream_items([pieces[place] for place in order]))
    assert error.value.kind is ErrorKind.INTERNAL


@pytest.mark.parametrize("face", [None, 0, 2])
@pytest.mark.parametrize("pixels", [True, False])
def test_request(face: int | None, pixels: bool) -> None:
    crop = replace(CROP, pixels=pixels)
    request = FaceRequest("videos/a", "audios/b", crop, REQUEST.mel, 77, Extend.LOOP, face, "her.mp4", "speech.wav")
    assert messages.face_request(messages.stream_request(request)) == request


def test_a_request_with_nets() -> None:
    request = replace(
        REQUEST, sound_net=SOUND_NET, source_net=SOURCE_NET, video_name="her.mp4", audio_name="speech.wav"
    )
    assert messages.face_request(messages.stream_request(request)) == request


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, sound_net=replace(SOUND_NET, model="")),
        replace(REQUEST, sound_net=replace(SOUND_NET, identity="")),
        replace(REQUEST, sound_net=replace(SOUND_NET, rows=0)),
        replace(REQUEST, sound_net=replace(SOUND_NET, rows=100_000)),
        replace(REQUEST, source_net=replace(SOURCE_NET, side=0)),
        replace(REQUEST, source_net=replace(SOURCE_NET, side=5000)),
        replace(REQUEST, source_net=replace(SOURCE_NET, most_rows=0)),
        replace(REQUEST, source_net=replace(SOURCE_NET, outline=())),
        replace(REQUEST, source_net=replace(SOURCE_NET, middle=(478,))),
        replace(REQUEST, source_net=SOURCE_NET, crop=replace(CROP, pixels=False)),
    ],
)
def test_nets_that_nobody_can_ask_are_refused(request_: FaceRequest) -> None:
    with pytest.raises(ChorusError) as caught:
        messages.face_request(messages.stream_request(request_))
    assert caught.value.code == "net-unusable"


def test_facts_of_a_file() -> None:
    facts = MediaFacts(kind="audio", seconds=1.5, has_audio=True, sound_notes=(SoundNote.CLIPPED,), sound_track=2)
    answer = probe_response(facts, b"picture", "1.3")
    assert (media_facts(answer), answer.thumbnail, answer.facts_version) == (facts, b"picture", "1.3")


def test_facts_that_hang_on_how_files_are_decoded_have_its_version_in_theirs() -> None:
    assert FACTS_VERSION.split(".")[1:] == [DECODING_VERSION]


def test_analysis() -> None:
    track = TrackSummary(0, 1, 5, 99, 150.5, (1.0, 2.0, 3.0, 4.0), 0, usable=0.5, occluded=0.25, turned_away=0.125)
    analysis = VideoAnalysis(100, Fraction(30000, 1001), 1280, 720, 95, (track,))
    assert analysis_item(analysis_response(analysis)) == analysis
    assert analysis_item(analysis_response(AnalysisProgress(1, 2))) == AnalysisProgress(1, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"extend": "sideways"},
        {"frame_count": 0},
        {"crop": wire.CropSpec(left=0, top=0, extent=1.5)},
        {"crop": wire.CropSpec(left=0, top=0, extent=0, sizes=[256])},
        {"crop": wire.CropSpec(left=0, top=0, extent=1, sizes=[512, 256])},
        {"crop": wire.CropSpec(left=0, top=0, extent=1, sizes=[100_000])},
    ],
)
def test_impossible_requests_are_refused(change: dict[str, object]) -> None:
    message = messages.stream_request(REQUEST)
    for name, value in change.items():
        message.ClearField(name)  # type: ignore[arg-type]
        message.MergeFrom(wire.StreamFacesRequest(**{name: value}))  # type: ignore[arg-type]
    with pytest.raises(ChorusError) as caught:
        messages.face_request(message)
    assert caught.value.kind is ErrorKind.INVALID_INPUT

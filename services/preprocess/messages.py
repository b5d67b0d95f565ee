"""Wire messages of chorus.preprocess.v1 from and to the types of faces.py; only client.py and rpc.py call it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.errors import ChorusError, ErrorKind
from services.preprocess.faces import (
    LANDMARKS,
    MEL_BANDS,
    SPEECH_FEATURES,
    CropSpec,
    FaceBatch,
    FaceIntroduction,
    FaceRequest,
    FaceStreamItem,
    MelSpec,
    Speech,
)
from services.preprocess.summary import AnalysisProgress
from services.preprocess.summary_messages import progress, progress_message
from services.preprocess.v1 import preprocess_pb2 as wire
from services.timeline import Extend


def stream_request(request: FaceRequest) -> wire.StreamFacesRequest:
    """The request as it travels."""
    crop = request.crop
    return wire.StreamFacesRequest(
        video_key=request.video_key,
        audio_key=request.audio_key,
        crop=wire.CropSpec(left=crop.left, top=crop.top, extent=crop.extent, sizes=crop.sizes, pixels=crop.pixels),
        mel=wire.MelSpec(window=request.mel.window),
        frame_count=request.frame_count,
        extend=request.extend.value,
        face=request.face,
        video_name=request.video_name,
        audio_name=request.audio_name,
    )


def face_request(message: wire.StreamFacesRequest) -> FaceRequest:
    """The request behind `message`; INVALID_INPUT when it asks for something that does not exist."""
    crop = message.crop
    if message.extend not in list(Extend):
        raise ChorusError(ErrorKind.INVALID_INPUT, "extend-unknown", extend=message.extend, choices=", ".join(Extend))
    if not (crop.sizes and crop.extent > 0 and list(crop.sizes) == sorted(crop.sizes) and crop.sizes[-1] <= 1024):
        raise ChorusError(ErrorKind.INVALID_INPUT, "crop-unusable", limit=1024)
    if message.frame_count < 1:
        raise ChorusError(ErrorKind.INVALID_INPUT, "frame-count-unusable")
    return FaceRequest(
        video_key=message.video_key,
        audio_key=message.audio_key,
        crop=CropSpec(crop.left, crop.top, crop.extent, tuple(crop.sizes), crop.pixels),
        mel=MelSpec(message.mel.window),
        frame_count=message.frame_count,
        extend=Extend(message.extend),
        face=message.face if message.HasField("face") else None,
        video_name=message.video_name or message.video_key,
        audio_name=message.audio_name or message.audio_key,
    )


def stream_response(item: FaceStreamItem) -> wire.StreamFacesResponse:
    """One item of a face stream as it travels."""
    match item:
        case AnalysisProgress():
            return wire.StreamFacesResponse(progress=progress_message(item))
        case Speech():
            return wire.StreamFacesResponse(speech=_speech_message(item))
        case FaceIntroduction():
            introduction = wire.FaceIntroduction(
                track=item.track, eye_distance=item.eye_distance, references=_batch_message(item.references)
            )
            return wire.StreamFacesResponse(introduction=introduction)
        case FaceBatch():
            return wire.StreamFacesResponse(batch=_batch_message(item))


def stream_item(message: wire.StreamFacesResponse) -> FaceStreamItem:
    """The item behind `message`; its arrays are read-only views of the message's bytes."""
    match message.WhichOneof("event"):
        case "progress":
            return progress(message.progress)
        case "speech":
            return _speech(message.speech)
        case "introduction":
            introduction = message.introduction
            return FaceIntroduction(introduction.track, introduction.eye_distance, _batch(introduction.references))
        case "batch":
            return _batch(message.batch)
        case _:
            raise ChorusError(ErrorKind.INTERNAL, "preprocess-differs")


def _speech_message(speech: Speech) -> wire.Speech:
    return wire.Speech(
        columns=speech.mel.shape[1],
        mel=_packed(speech.mel),
        level_db=_packed(speech.level_db),
        voice=_packed(speech.voice),
        features=speech.features.astype("<f2").tobytes(),
    )


def _speech(message: wire.Speech) -> Speech:
    return Speech(
        mel=np.frombuffer(message.mel, "<f4").reshape(MEL_BANDS, message.columns),
        level_db=np.frombuffer(message.level_db, "<f4"),
        voice=np.frombuffer(message.voice, "<f4"),
        features=np.frombuffer(message.features, "<f2").reshape(SPEECH_FEATURES, message.columns),
    )


def _batch_message(batch: FaceBatch) -> wire.FaceBatch:
    return wire.FaceBatch(
        first_frame=batch.first_frame,
        track=batch.track,
        present=batch.present.tolist(),
        crop_size=batch.side,
        mel_window=batch.mels.shape[2],
        crops=batch.crops.tobytes(),
        landmarks=_packed(batch.landmarks),
        rest=_packed(batch.rest),
        to_crop=_packed(batch.to_crop),
        weight=_packed(batch.weight),
        mels=_packed(batch.mels),
    )


def _batch(message: wire.FaceBatch) -> FaceBatch:
    present = np.array(message.present, dtype=np.bool_)
    rows, side = int(present.sum()), message.crop_size
    return FaceBatch(
        first_frame=message.first_frame,
        track=message.track,
        present=present,
        crops=np.frombuffer(message.crops, np.uint8).reshape(rows if message.crops else 0, side, side, 3),
        landmarks=np.frombuffer(message.landmarks, "<f4").reshape(rows, LANDMARKS, 3),
        rest=np.frombuffer(message.rest, "<f4").reshape(rows, LANDMARKS, 3),
        to_crop=np.frombuffer(message.to_crop, "<f4").reshape(rows, 2, 3),
        weight=np.frombuffer(message.weight, "<f4"),
        mels=np.frombuffer(message.mels, "<f4").reshape(rows, MEL_BANDS, message.mel_window),
    )


def _packed(array: NDArray[np.float32]) -> bytes:
    return array.astype("<f4", copy=False).tobytes()

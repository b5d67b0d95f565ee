"""Wire messages of chorus.preprocess.v1 from and to the types of faces.py; only client.py and rpc.py call it."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import numpy as np

from services.errors import ChorusError, ErrorKind
from services.preprocess.faces import (
    LANDMARKS,
    MEL_BANDS,
    CropBox,
    CropSpec,
    FaceBatch,
    FaceIntroduction,
    FaceRequest,
    FaceStreamItem,
    MelSpec,
    Speech,
)
from services.preprocess.net_messages import (
    packed_halves,
    sound_net,
    sound_net_message,
    source_net,
    source_net_message,
    unpacked_halves,
)
from services.preprocess.speech_messages import JoinedSpeech, packed, speech_pieces
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
        sound_net=sound_net_message(request.sound_net),
        source_net=source_net_message(request.source_net),
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
        sound_net=sound_net(message),
        source_net=source_net(message),
    )


def stream_responses(items: Iterable[FaceStreamItem]) -> Generator[wire.StreamFacesResponse]:
    """The items of a face stream as they travel: each in a message, the speech in many."""
    for item in items:
        match item:
            case AnalysisProgress():
                yield wire.StreamFacesResponse(progress=progress_message(item))
            case Speech():
                yield from (wire.StreamFacesResponse(speech=piece) for piece in speech_pieces(item))
            case FaceIntroduction():
                introduction = wire.FaceIntroduction(
                    track=item.track,
                    eye_distance=item.eye_distance,
                    speaking_opening=item.speaking_opening,
                    references=_batch_message(item.references),
                    box=item.box,
                )
                yield wire.StreamFacesResponse(introduction=introduction)
            case FaceBatch():
                yield wire.StreamFacesResponse(batch=_batch_message(item))


def stream_items(responses: Iterable[wire.StreamFacesResponse]) -> Generator[FaceStreamItem]:
    """The inverse of stream_responses; arrays of faces are read-only views of their message's bytes.

    Raises INTERNAL for what no preprocess of this version sends.
    """
    pieces = JoinedSpeech()
    for response in responses:
        match response.WhichOneof("event"):
            case "progress":
                yield progress(response.progress)
            case "speech":
                if (speech := pieces.add(response.speech)) is not None:
                    yield speech
            case "introduction":
                introduction = response.introduction
                references = _batch(introduction.references)
                opening = introduction.speaking_opening
                box = CropBox(*introduction.box) if len(introduction.box) == len(CropBox._fields) else None
                yield FaceIntroduction(introduction.track, introduction.eye_distance, opening, references, box)
            case "batch":
                yield _batch(response.batch)
            case _:
                raise ChorusError(ErrorKind.INTERNAL, "preprocess-differs")


def _batch_message(batch: FaceBatch) -> wire.FaceBatch:
    return wire.FaceBatch(
        first_frame=batch.first_frame,
        track=batch.track,
        present=batch.present.tolist(),
        crop_size=batch.side,
        mel_window=batch.mels.shape[2],
        crops=batch.crops.tobytes(),
        landmarks=packed(batch.landmarks),
        rest=packed(batch.rest),
        to_crop=packed(batch.to_crop),
        weight=packed(batch.weight),
        mels=packed(batch.mels),
        sound=packed_halves(batch.sound),
        silence=packed_halves(batch.silence),
        sound_shape=() if batch.sound is None else batch.sound.shape[1:],
        latents=packed_halves(batch.latents),
        latent_shape=() if batch.latents is None else batch.latents.shape[1:],
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
        sound=unpacked_halves(message.sound, rows, message.sound_shape),
        silence=unpacked_halves(message.silence, rows, message.sound_shape),
        latents=unpacked_halves(message.latents, rows, message.latent_shape),
    )

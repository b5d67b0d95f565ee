"""The gRPC door of preprocess: wire messages in, wire messages out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Final

from services.errors import ChorusError, ErrorKind
from services.grpc_server import Context
from services.preprocess import messages
from services.preprocess.batches import Heard, stream_batches
from services.preprocess.faces import FaceRequest, FaceStreamItem
from services.preprocess.library import FaceLibrary
from services.preprocess.probing import ProbePool
from services.preprocess.summary import (
    FACTS_VERSION,
    AnalysisProgress,
    FirstLook,
    MediaFacts,
    SoundNote,
    VideoAnalysis,
)
from services.preprocess.summary_messages import analysis_response, probe_response
from services.preprocess.v1 import preprocess_pb2 as wire
from services.preprocess.v1.preprocess_pb2_grpc import PreprocessServiceServicer
from services.storage import Storage
from services.threaded import call_in_threads, iterate_in_threads

_MOST_STREAMS: Final = 32
SERVICE_NAME = wire.DESCRIPTOR.services_by_name["PreprocessService"].full_name


class PreprocessServicer(PreprocessServiceServicer):
    """The streams are generators that gRPC pulls: a batch is made while the one before travels, never more."""

    def __init__(self, library: FaceLibrary, storage: Storage, probes: ProbePool, threads: ThreadPoolExecutor) -> None:
        """`threads` do all the work."""
        self._library = library
        self._storage = storage
        self._probes = probes
        self._threads = threads
        # Each keeps its clip open between two items; those beyond wait, and cost nothing meanwhile.
        self._streams = asyncio.Semaphore(_MOST_STREAMS)

    async def Probe(  # noqa: N802  # the name in the proto
        self, request: wire.ProbeRequest, context: Context
    ) -> wire.ProbeResponse:
        """See preprocess.proto."""
        return probe_response(*await call_in_threads(self._threads, self._probe, request.key, request.name))

    async def AnalyseVideo(  # noqa: N802  # the name in the proto
        self, request: wire.AnalyseVideoRequest, context: Context
    ) -> AsyncIterator[wire.AnalyseVideoResponse]:
        """See preprocess.proto."""
        analysis = self._analysis(request.video_key, request.video_name or request.video_key)
        async with self._streams, aclosing(iterate_in_threads(analysis, self._threads)) as items:
            async for item in items:
                yield analysis_response(item)

    async def StreamFaces(  # noqa: N802  # the name in the proto
        self, request: wire.StreamFacesRequest, context: Context
    ) -> AsyncIterator[wire.StreamFacesResponse]:
        """See preprocess.proto."""
        faces = self._messages(messages.face_request(request))
        async with self._streams, aclosing(iterate_in_threads(faces, self._threads)) as items:
            async for item in items:
                yield item

    def _probe(self, key: str, name: str) -> tuple[MediaFacts, bytes, str]:
        with self._storage.local_copy(key) as path:
            facts, thumbnail = self._probes.probe(path, name)
            speaks = self._library.speaks(path, name) if facts.kind == "audio" else True
            if speaks is False:
                facts = replace(facts, sound_notes=(SoundNote.NO_SPEECH, *facts.sound_notes))
            return facts, thumbnail, "" if speaks is None else FACTS_VERSION

    def _analysis(self, video_key: str, name: str) -> Generator[AnalysisProgress | FirstLook | VideoAnalysis]:
        if (look := self._library.first_look(video_key, name)) is not None:
            yield look
        yield from self._library.ensure_tracks(video_key, name)
        with self._library.tracks(video_key) as tracks:
            if not tracks.tracks:
                raise no_face(name)
            yield tracks.analysis

    def _messages(self, request: FaceRequest) -> Generator[wire.StreamFacesResponse]:
        with closing(self._faces(request)) as items:
            yield from messages.stream_responses(items)

    def _faces(self, request: FaceRequest) -> Generator[FaceStreamItem]:
        yield from self._library.ensure_tracks(request.video_key, request.video_name)
        with (
            self._library.tracks(request.video_key) as tracks,
            self._library.clip(request.video_key, request.video_name) as clip,
        ):
            if not tracks.tracks:
                raise no_face(request.video_name)
            yield from self._library.ensure_speech(request.audio_key, request.audio_name)
            if request.sound_net is not None:
                yield from self._library.ensure_states(request.audio_key, request.sound_net, request.audio_name)
            with (
                self._library.speech(request.audio_key) as speech,
                self._library.states(request.audio_key, request.sound_net) as states,
            ):
                yield speech
                heard, seen = Heard(speech.mel, states), self._library.seen_faces(request.video_key, request.source_net)
                yield from stream_batches(clip, tracks, heard, request, self._library.frames, seen)


def no_face(name: str) -> ChorusError:
    """The error for a video that shows nobody."""
    return ChorusError(ErrorKind.NO_FACE, "no-face", name=name)

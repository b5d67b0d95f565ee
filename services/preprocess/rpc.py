"""The gRPC door of preprocess: wire messages in, wire messages out."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from services.errors import ChorusError, ErrorKind
from services.preprocess import messages
from services.preprocess.batches import stream_batches
from services.preprocess.faces import FaceRequest, FaceStreamItem
from services.preprocess.library import FaceLibrary
from services.preprocess.probing import ProbePool
from services.preprocess.summary import AnalysisProgress, MediaFacts, VideoAnalysis
from services.preprocess.summary_messages import analysis_response, probe_response
from services.preprocess.v1 import preprocess_pb2 as wire
from services.preprocess.v1.preprocess_pb2_grpc import PreprocessServiceServicer
from services.storage import Storage

SERVICE_NAME = wire.DESCRIPTOR.services_by_name["PreprocessService"].full_name


class PreprocessServicer(PreprocessServiceServicer):
    """The streams are generators that gRPC pulls: a batch is made while the one before travels, never more."""

    def __init__(self, library: FaceLibrary, storage: Storage, probes: ProbePool) -> None:
        self._library = library
        self._storage = storage
        self._probes = probes

    def Probe(  # noqa: N802  # the name in the proto
        self, request: wire.ProbeRequest, context: grpc.ServicerContext
    ) -> wire.ProbeResponse:
        """See preprocess.proto."""
        return probe_response(*self._probe(request.key, request.name))

    def AnalyseVideo(  # noqa: N802  # the name in the proto
        self, request: wire.AnalyseVideoRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.AnalyseVideoResponse]:
        """See preprocess.proto."""
        for item in self._analysis(request.video_key, request.video_name or request.video_key):
            yield analysis_response(item)

    def StreamFaces(  # noqa: N802  # the name in the proto
        self, request: wire.StreamFacesRequest, context: grpc.ServicerContext
    ) -> Iterator[wire.StreamFacesResponse]:
        """See preprocess.proto."""
        for item in self._faces(messages.face_request(request)):
            yield messages.stream_response(item)

    def _probe(self, key: str, name: str) -> tuple[MediaFacts, bytes]:
        with self._storage.local_copy(key) as path:
            return self._probes.probe(path, name)

    def _analysis(self, video_key: str, name: str) -> Iterator[AnalysisProgress | VideoAnalysis]:
        yield from self._library.ensure_tracks(video_key, name)
        with self._library.tracks(video_key) as tracks:
            if not tracks.tracks:
                raise no_face(name)
            yield tracks.analysis

    def _faces(self, request: FaceRequest) -> Iterator[FaceStreamItem]:
        yield from self._library.ensure_tracks(request.video_key, request.video_name)
        with (
            self._library.tracks(request.video_key) as tracks,
            self._library.clip(request.video_key, request.video_name) as clip,
        ):
            if not tracks.tracks:
                raise no_face(request.video_name)
            yield from self._library.ensure_speech(request.audio_key, request.audio_name)
            speech = self._library.speech(request.audio_key)
            yield speech
            yield from stream_batches(clip, tracks, speech.mel, request)


def no_face(name: str) -> ChorusError:
    """The error for a video that shows nobody."""
    return ChorusError(ErrorKind.NO_FACE, "no-face", name=name)

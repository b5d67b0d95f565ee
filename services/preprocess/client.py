"""The published way to preprocess: analyses and face streams over gRPC, as the types of faces.py."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Protocol, TypeVar

from services.errors import ChorusError, ErrorKind
from services.grpc_server import open_channel, translate_call_errors
from services.preprocess import messages
from services.preprocess.faces import AnalysisProgress, FaceRequest, FaceStreamItem, VideoAnalysis
from services.preprocess.v1 import preprocess_pb2, preprocess_pb2_grpc

Answer = TypeVar("Answer", covariant=True)


class _Call(Protocol[Answer]):
    """A streaming call in flight."""

    def __iter__(self) -> Iterator[Answer]: ...
    def cancel(self) -> bool: ...


class PreprocessClient:
    """One gRPC channel to preprocess; safe to share by threads."""

    def __init__(self, address: str, *, timeout_seconds: float = 60.0) -> None:
        """`address` is host:port; `timeout_seconds` is how long preprocess may stay silent inside a stream."""
        self._name = f"preprocess at {address}"
        self._timeout = timeout_seconds
        self._channel = open_channel(address)
        self._stub = preprocess_pb2_grpc.PreprocessServiceStub(self._channel)

    def analyse(
        self, video_key: str, *, name: str = "the video"
    ) -> Generator[AnalysisProgress | VideoAnalysis, None, None]:
        """Analyse the video under `video_key`, unless that was done before; the last item is the analysis.

        Raises ChorusError: NO_FACE when no frame shows a face, NOT_FOUND, INVALID_INPUT, UNAVAILABLE, DEADLINE.
        Closing the generator stops the analysis.
        """
        request = preprocess_pb2.AnalyseVideoRequest(video_key=video_key, video_name=name)
        with closing(self._answers(self._stub.AnalyseVideo(request))) as responses:
            for response in responses:
                yield messages.analysis_item(response)

    def stream_faces(self, request: FaceRequest) -> Generator[FaceStreamItem, None, None]:
        """Progress while the video is analysed, then the speech, then batches of up to 8 frames in output order.

        An introduction comes before the first batch of a track and whenever the stream comes back to it; batches
        cover frames 0..frame_count-1 without a hole. Raises as `analyse` does. Closing the generator stops the stream.
        """
        with closing(self._answers(self._stub.StreamFaces(messages.stream_request(request)))) as responses:
            for response in responses:
                yield messages.stream_item(response)

    def close(self) -> None:
        """Close the channel; streams in flight end with UNAVAILABLE."""
        self._channel.close()

    def _answers(self, call: _Call[Answer]) -> Generator[Answer, None, None]:
        """The messages of `call`; it is cancelled when it falls silent or when the caller goes away."""
        answers = iter(call)
        try:
            while (answer := self._next(call, answers)) is not None:
                yield answer
        finally:
            call.cancel()

    def _next(self, call: _Call[Answer], answers: Iterator[Answer]) -> Answer | None:
        """The next message, or None at the end; DEADLINE when none comes in time."""
        silent = threading.Event()

        def give_up() -> None:
            silent.set()
            call.cancel()

        # A gRPC deadline would limit the whole stream, and a ten-minute video is no reason to fail.
        alarm = threading.Timer(self._timeout, give_up)
        alarm.start()
        try:
            with translate_call_errors(self._name):
                return next(answers, None)
        except ChorusError as error:
            if silent.is_set():
                raise ChorusError(
                    ErrorKind.DEADLINE, "service-silent", service=self._name, seconds=self._timeout
                ) from error
            raise
        finally:
            alarm.cancel()

"""The published way to what a file is and who is seen in it; free of NumPy, for processes without pixels."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import grpc

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.grpc_client import Connection
from services.grpc_errors import translate_call_errors
from services.preprocess.calls import answers
from services.preprocess.summary import AnalysisProgress, FirstLook, MediaFacts, VideoAnalysis
from services.preprocess.summary_messages import analysis_item, media_facts
from services.preprocess.v1 import preprocess_pb2, preprocess_pb2_grpc
from services.tls.identity import ClientTls

_PATIENCE_SECONDS: Final = 15.0
# Above the time after which preprocess itself gives a file up, twice: somebody else's may come first.
_PROBE_SECONDS: Final = 150.0


@dataclass(frozen=True, slots=True)
class Probed:
    """What a file is, and a small JPEG of its first picture; empty for sound."""

    facts: MediaFacts
    thumbnail: bytes
    facts_version: str
    """As FACTS_VERSION; empty when a part could not be found out, and is to be found at another upload"""


class LookClient:
    """Calls preprocess; safe to share by threads."""

    def __init__(self, address: str, *, tls: ClientTls | None = None, timeout_seconds: float = 60.0) -> None:
        """`address` and `tls` are as for grpc_client.Connection.

        `timeout_seconds` is how long preprocess may stay silent inside an analysis.
        """
        self._name = f"preprocess at {address}"
        self._timeout = timeout_seconds
        self._connection = Connection(address, tls)

    def probe(self, key: str, *, name: str) -> Probed:
        """Look into the stored file under `key`; INVALID_INPUT says why the file called `name` cannot be used.

        A preprocess that is just starting again is waited for.
        """
        channel = self._connection.channel
        try:
            grpc.channel_ready_future(channel).result(_PATIENCE_SECONDS)
        except grpc.FutureTimeoutError as error:
            reason = f"{_PATIENCE_SECONDS:g} s"
            raise ChorusError(
                ErrorKind.UNAVAILABLE, "service-unreachable", service=self._name, reason=reason
            ) from error
        stub = preprocess_pb2_grpc.PreprocessServiceStub(channel)
        request = preprocess_pb2.ProbeRequest(key=key, name=name)
        with telemetry.span("preprocess Probe", kind="client") as span, translate_call_errors(self._name):
            answer = stub.Probe(request, timeout=_PROBE_SECONDS, metadata=span.headers)
        return Probed(media_facts(answer), answer.thumbnail, answer.facts_version)

    def analyse(
        self, video_key: str, *, name: str = "the video"
    ) -> Generator[AnalysisProgress | FirstLook | VideoAnalysis, None, None]:
        """Analyse the video under `video_key`, unless that was done before; the last item is the analysis.

        A first look, where there is one, comes before any progress.

        Raises ChorusError: NO_FACE when no frame shows a face, NOT_FOUND, INVALID_INPUT, UNAVAILABLE, DEADLINE.
        Closing the generator stops the analysis.
        """
        request = preprocess_pb2.AnalyseVideoRequest(video_key=video_key, video_name=name)
        stub = preprocess_pb2_grpc.PreprocessServiceStub(self._connection.channel)
        with telemetry.detached_span("preprocess AnalyseVideo", kind="client") as span:
            call = stub.AnalyseVideo(request, metadata=span.headers)
            with closing(answers(self._name, self._timeout, call)) as responses:
                for response in responses:
                    yield analysis_item(response)

    def close(self) -> None:
        """Close the connection; analyses in flight end with UNAVAILABLE."""
        self._connection.close()

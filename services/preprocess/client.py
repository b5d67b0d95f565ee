"""The published way to face streams over gRPC, as the types of faces.py."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from services import telemetry
from services.grpc_client import Connection
from services.preprocess import messages
from services.preprocess.calls import answers
from services.preprocess.faces import FaceRequest, FaceStreamItem
from services.preprocess.v1 import preprocess_pb2_grpc
from services.tls.identity import ClientTls


class PreprocessClient:
    """Calls preprocess; safe to share by threads."""

    def __init__(self, address: str, *, tls: ClientTls | None = None, timeout_seconds: float = 60.0) -> None:
        """`address` and `tls` are as for grpc_client.Connection.

        `timeout_seconds` is how long preprocess may stay silent inside a stream.
        """
        self._name = f"preprocess at {address}"
        self._timeout = timeout_seconds
        self._connection = Connection(address, tls)

    def stream_faces(self, request: FaceRequest) -> Generator[FaceStreamItem, None, None]:
        """Progress while the video is analysed, then the speech, then batches of up to 8 frames in output order.

        An introduction comes before the first batch of a track and whenever the stream comes back to it; batches
        cover frames 0..frame_count-1 without a hole. Raises as LookClient.analyse does. Closing the generator stops
        the stream.
        """
        stub = preprocess_pb2_grpc.PreprocessServiceStub(self._connection.channel)
        with telemetry.detached_span("preprocess StreamFaces", kind="client") as span:
            call = stub.StreamFaces(messages.stream_request(request), metadata=span.headers)
            with closing(answers(self._name, self._timeout, call)) as responses:
                yield from messages.stream_items(responses)

    def close(self) -> None:
        """Close the connection; streams in flight end with UNAVAILABLE."""
        self._connection.close()

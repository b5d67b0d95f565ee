"""A Triton that goes away while it answers: the inference is made again, and the job never hears of it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Final

import grpc
import numpy as np
import pytest
from tritonclient.grpc.service_pb2 import ModelInferRequest, ModelInferResponse
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server

from services.errors import ChorusError, ErrorKind
from services.triton import TritonClient

_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY = 0, 1, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_PREFACE_BYTES: Final = 24
# HPACK: ":status: 200" out of its table, the others as plain text.
_OPENING: Final = b"\x88\x00\x0ccontent-type\x10application/grpc"
_TRAILERS: Final = b"\x00\x0bgrpc-status\x010"


class BreakingServer:
    """HTTP/2 by hand, since no gRPC server ends so badly: the first calls break off once their answer has begun."""

    def __init__(self, broken_calls: int) -> None:
        self._left = broken_calls
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with closing(connection):
                    self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        connection.recv(_PREFACE_BYTES, socket.MSG_WAITALL)
        connection.sendall(_frame(_SETTINGS, 0, 0))
        while len(head := connection.recv(9, socket.MSG_WAITALL)) == 9:
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:])
            size = int.from_bytes(head[:3])
            body = connection.recv(size, socket.MSG_WAITALL) if size else b""
            if kind in (_SETTINGS, _PING) and not flags & _ACK:
                connection.sendall(_frame(kind, _ACK, 0, body if kind == _PING else b""))
            if kind == _DATA and flags & _END_STREAM and not self._answer(connection, stream):
                return

    def _answer(self, connection: socket.socket, stream: int) -> bool:
        self.calls += 1
        connection.sendall(_frame(_HEADERS, _END_HEADERS, stream, _OPENING))
        if self._left:
            self._left -= 1
            connection.sendall(_frame(_GOAWAY, 0, 0, struct.pack(">II", stream, 0)))
            return False
        message = _doubled().SerializeToString()
        connection.sendall(_frame(_DATA, 0, stream, b"\0" + struct.pack(">I", len(message)) + message))
        connection.sendall(_frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, _TRAILERS))
        return True


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body


def _doubled() -> ModelInferResponse:
    answer = ModelInferResponse(model_name="double")
    answer.outputs.add(name="y", datatype="FP32", shape=[1, 1])
    answer.raw_output_contents.append(np.float32(4).tobytes())
    return answer


def _infer(address: str) -> float:
    with closing(TritonClient(address, timeout_seconds=10)) as triton:
        return float(triton.infer("double", {"x": np.full((1, 1), 2, np.float32)}, ["y"])["y"][0, 0])


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    with closing(BreakingServer(broken_calls=1)) as server:
        assert _infer(server.address) == 4
        assert server.calls >= 2


class StoppingServer(GRPCInferenceServiceServicer):  # type: ignore[misc]  # generated, without types
    """The first calls meet no model any more, as those that come while Triton stops."""

    def __init__(self, refused: int) -> None:
        self._left = refused
        self.calls = 0

    def ModelInfer(  # noqa: N802  # named by the proto
        self, request: ModelInferRequest, context: grpc.ServicerContext
    ) -> ModelInferResponse:
        self.calls += 1
        self._left -= 1
        if self._left >= 0:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"'{request.model_name}' has no available versions")
        return _doubled()


@contextmanager
def served(servicer: StoppingServer) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_model_that_is_just_being_dropped_is_asked_for_again() -> None:
    stopping = StoppingServer(refused=2)
    with served(stopping) as address:
        assert _infer(address) == 4
    assert stopping.calls == 3


def test_a_model_that_stays_away_is_said_to_be_away() -> None:
    stopping = StoppingServer(refused=100)
    with served(stopping) as address, pytest.raises(ChorusError) as error:
        _infer(address)
    assert error.value.kind is ErrorKind.UNAVAILABLE
    assert stopping.calls == 5


def test_a_triton_that_always_breaks_off_is_said_to_be_away() -> None:
    with closing(BreakingServer(broken_calls=100)) as server:
        with pytest.raises(ChorusError) as error:
            _infer(server.address)
        assert error.value.kind is ErrorKind.UNAVAILABLE
        # Twice by us; gRPC repeats by itself what breaks off before it has seen the answer begin.
        assert 2 <= server.calls <= 4

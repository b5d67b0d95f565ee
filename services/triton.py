"""Inference on Triton over gRPC, synchronous and shared by threads; the only import of tritonclient."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from services import telemetry
from services.errors import ChorusError, ErrorKind
from services.grpc_client import CHANNEL_OPTIONS
from services.tls.files import FileMade
from services.tls.identity import ClientTls

PLAN_SECONDS = 600.0
"""How long a server may take to load a model: on a GPU TensorRT makes plans of a large net, once"""
_READY_SECONDS = 5.0
# What a call ends with whose server went away under it. gRPC itself repeats it until the answer begins; one that broke
# off after that is repeated here, which costs nothing but time: inference changes nothing.
_BROKEN_OFF = ("UNAVAILABLE", "UNKNOWN")
_AFTER_BROKEN_OFF = (0.0,)
# Seconds before each repetition. A server that is stopping drops its models before its connections: of several
# replicas another takes the call, and no job is tried twice for it.
_WHILE_IT_CHANGES = (0.0, 0.2, 0.5, 1.0)

# Of a model that is not loaded yet or being unloaded, or whose process has died.
_NOT_NOW = ("is not ready", "is not found", "is not healthy", "has no available versions")

Observe = Callable[[str, int, float, str], None]
"""Hears of every call: its model, its rows, its seconds, and the kind of its error or nothing"""


class TritonClient:
    """One gRPC channel to Triton, or to the replicas of it behind a name."""

    def __init__(
        self,
        address: str,
        *,
        tls: ClientTls | None = None,
        timeout_seconds: float = 60.0,
        observe: Observe = telemetry.inference,
    ) -> None:
        """`address` and `tls` are as for grpc_client.Connection; the timeout holds for each call.

        `observe` is called in the thread that made the call.
        """
        self._address = address
        self._tls = tls
        self._timeout = timeout_seconds
        self._observe = observe
        self._clients = FileMade(tls.files if tls else [], self._open)

    def infer(
        self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        """Run a batch (first axis) through `model`; types and shapes must be those of its config.pbtxt.

        The arrays that come back are read only. Raises UNAVAILABLE when Triton is gone or the model not loaded,
        DEADLINE when it takes longer than the timeout, INTERNAL when the model refuses or fails.
        """
        rows, started = len(next(iter(inputs.values()))), time.perf_counter()
        try:
            answer = self._answer(model, inputs, outputs)
        except InferenceServerException as error:
            failure = self._failure(error, model)
            self._tell(model, rows, time.perf_counter() - started, failure.kind)
            raise failure from error
        self._tell(model, rows, time.perf_counter() - started, "")
        return {name: _output(answer.as_numpy(name), model, name) for name in outputs}

    def _answer(self, model: str, inputs: Mapping[str, NDArray[np.generic]], outputs: Sequence[str]) -> InferResult:
        def call() -> InferResult:
            return self._clients.current().infer(
                model,
                [_input(name, array) for name, array in inputs.items()],
                outputs=[InferRequestedOutput(name) for name in outputs],
                client_timeout=self._timeout,
            )

        repeated = 0
        while True:
            try:
                return call()
            except InferenceServerException as error:
                pauses = _pauses_after(error)
                if repeated == len(pauses):
                    raise
            time.sleep(pauses[repeated])
            repeated += 1

    def ready(self, models: Sequence[str]) -> bool:
        """True when the server answers and every model is loaded."""
        client = self._clients.current()
        with suppress(InferenceServerException):
            return bool(client.is_server_ready(client_timeout=_READY_SECONDS)) and all(
                client.is_model_ready(model, client_timeout=_READY_SECONDS) for model in models
            )
        return False

    def alive(self) -> bool:
        """True when the server answers that it lives and takes calls."""
        client = self._clients.current()
        with suppress(InferenceServerException):
            return bool(
                client.is_server_live(client_timeout=_READY_SECONDS)
                and client.is_server_ready(client_timeout=_READY_SECONDS)
            )
        return False

    def load(self, model: str) -> None:
        """Have the server load `model` from its repositories, or load it again; errors are those of infer."""
        try:
            self._clients.current().load_model(model, client_timeout=self._timeout)
        except InferenceServerException as error:
            raise self._failure(error, model) from error

    def unload(self, model: str) -> None:
        """Have the server drop `model`; errors are those of infer."""
        try:
            self._clients.current().unload_model(model, client_timeout=self._timeout)
        except InferenceServerException as error:
            raise self._failure(error, model) from error

    def names(self) -> set[str]:
        """The models that lie in the server's repositories, loaded or not; errors are those of infer."""
        try:
            index = self._clients.current().get_model_repository_index(client_timeout=self._timeout)
        except InferenceServerException as error:
            raise self._failure(error, "") from error
        return {model.name for model in index.models}

    def computed(self, model: str) -> tuple[int, float]:
        """How many requests the server has answered with `model` up to now, and the seconds that it computed for them.

        Errors are those of infer.
        """
        try:
            answer = self._clients.current().get_inference_statistics(model, client_timeout=self._timeout)
        except InferenceServerException as error:
            raise self._failure(error, model) from error
        found = [version.inference_stats.compute_infer for version in answer.model_stats]
        return sum(each.count for each in found), sum(each.ns for each in found) / 1e9

    def close(self) -> None:
        """Close the channel."""
        self._clients.current().close()

    def _tell(self, model: str, rows: int, seconds: float, failure: str) -> None:
        self._observe(model, rows, seconds, failure)
        telemetry.current_span().note_call(f"triton {model}", rows, seconds, failed=bool(failure))

    def _open(self) -> InferenceServerClient:
        credentials = None if self._tls is None else self._tls.grpc_credentials()
        return InferenceServerClient(self._address, creds=credentials, channel_args=list(CHANNEL_OPTIONS))

    def _failure(self, error: InferenceServerException, model: str) -> ChorusError:
        status = _status(error)
        if status in ("UNAVAILABLE", "CANCELLED") or _will_come_back(error):
            reason = _first_line(error)
            return ChorusError(
                ErrorKind.UNAVAILABLE, "model-not-served", address=self._address, model=model, reason=reason
            )
        if status == "DEADLINE_EXCEEDED":
            return ChorusError(ErrorKind.DEADLINE, "model-overloaded", model=model, seconds=self._timeout)
        return ChorusError(ErrorKind.INTERNAL, "model-failed", model=model, reason=_first_line(error))


def _input(name: str, array: NDArray[np.generic]) -> InferInput:
    tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(np.ascontiguousarray(array))
    return tensor


def _output(array: NDArray[np.generic] | None, model: str, name: str) -> NDArray[np.generic]:
    if array is None:
        raise ChorusError(ErrorKind.INTERNAL, "model-output-missing", model=model, output=name)
    return array


def _status(error: InferenceServerException) -> str:
    # tritonclient gives it as text, such as "StatusCode.UNAVAILABLE".
    return str(error.status() or "").rpartition(".")[2]


def _pauses_after(error: InferenceServerException) -> Sequence[float]:
    if _will_come_back(error):
        return _WHILE_IT_CHANGES
    return _AFTER_BROKEN_OFF if _status(error) in _BROKEN_OFF else ()


def _will_come_back(error: InferenceServerException) -> bool:
    message = str(error.message())
    return any(words in message for words in _NOT_NOW)


def _first_line(error: InferenceServerException) -> str:
    return str(error.message() or error).strip().partition("\n")[0]

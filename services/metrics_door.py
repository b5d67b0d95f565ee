"""/metrics, /healthz and /readyz of a process, for Prometheus and for whoever supervises it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from services import telemetry
from services.crowd import Crowd
from services.errors import ChorusError, ErrorKind

_TEXT: Final = "text/plain; charset=utf-8"
_ASK_SECONDS: Final = 10.0
# Each takes a thread. Prometheus, a kubelet and a person with a browser need a few; one address leaves room for others.
_MOST: Final = 32
_MOST_OF_ONE: Final = 8


def open_metrics_door(
    host: str, port: int, is_ready: Callable[[], bool] = lambda: True, hung: Callable[[], Sequence[str]] = list
) -> int:
    """Answer from daemon threads, and return the port; 0 as `port` opens nothing and returns 0.

    There are few at once, and who comes beyond them is hung up on. However many clients the other doors of the process
    have, this one answers: what restarts a process asks here. `is_ready` and `hung` are called in its threads.

    /healthz: 503 while `hung` names parts of the process that do not go on. /readyz: 503 then, and while `is_ready`
    says no. UNAVAILABLE when the address is taken.
    """
    if not port:
        return 0
    try:
        server = _Server((host, port), partial(_Door, is_ready, hung))
    except OSError as error:
        raise ChorusError(ErrorKind.UNAVAILABLE, "cannot-listen", address=f"{host}:{port}") from error
    threading.Thread(target=server.serve_forever, name="metrics-door", daemon=True).start()
    return int(server.server_address[1])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _MOST

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lock = threading.Lock()
        self._crowd = Crowd(_MOST, _MOST_OF_ONE)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            has_room = self._crowd.enter(client_address[0])
        if not has_room:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no further thread can be started
            self._leave(client_address)
            raise  # the loop hangs up, and goes on

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(client_address)

    def _leave(self, client_address: Any) -> None:
        with self._lock:
            self._crowd.leave(client_address[0])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that says nothing, or goes, is no news."""


class _Door(BaseHTTPRequestHandler):
    timeout = _ASK_SECONDS
    """Who says nothing for that long is hung up on"""

    def __init__(self, is_ready: Callable[[], bool], hung: Callable[[], Sequence[str]], *connection: Any) -> None:
        self._is_ready = is_ready
        self._hung = hung
        super().__init__(*connection)  # it answers the request before it returns

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(HTTPStatus.OK, *telemetry.metrics_text(self.headers.get("Accept", "")))
        elif path == "/healthz":
            self._answer_probe([])
        elif path == "/readyz":
            self._answer_probe([] if self._is_ready() else ["not ready"])
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"here are /metrics, /healthz and /readyz\n", _TEXT)

    def _answer_probe(self, problems: list[str]) -> None:
        problems += [f"{part} does not go on" for part in self._hung()]
        status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        self._answer(status, f"{', '.join(problems) or 'ok'}\n".encode(), _TEXT)

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a probe every few seconds would fill the log."""

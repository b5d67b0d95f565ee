"""/metrics, /healthz and /readyz of a process, for Prometheus and for whoever supervises it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from services import telemetry
from services.errors import ChorusError, ErrorKind

_TEXT: Final = "text/plain; charset=utf-8"
_ASK_SECONDS: Final = 10.0


def open_metrics_door(
    host: str, port: int, is_ready: Callable[[], bool] = lambda: True, hung: Callable[[], Sequence[str]] = list
) -> int:
    """Answer from daemon threads, and return the port; 0 as `port` opens nothing and returns 0.

    /healthz: 503 while `hung` names parts of the process that do not go on. /readyz: 503 then, and while `is_ready`
    says no. UNAVAILABLE when the address is taken.
    """
    if not port:
        return 0
    try:
        server = ThreadingHTTPServer((host, port), partial(_Door, is_ready, hung))
    except OSError as error:
        raise ChorusError(ErrorKind.UNAVAILABLE, "cannot-listen", address=f"{host}:{port}") from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics-door", daemon=True).start()
    return int(server.server_address[1])


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

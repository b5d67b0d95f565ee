"""What counts as an answer of a process that the supervisor asks."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from services.local.ports import free_port
from services.local.stack import _answers


@pytest.mark.parametrize(
    ("status", "headers", "alive"),
    [(200, {}, True), (503, {}, False), (503, {"Retry-After": "10"}, True), (404, {}, False)],
    ids=["well", "hung", "too many connections", "somebody else"],
)
def test_a_crowded_process_lives_and_a_hung_one_does_not(status: int, headers: dict[str, str], alive: bool) -> None:
    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        asked = threading.Thread(target=server.handle_request)
        asked.start()
        assert _answers(f"http://127.0.0.1:{server.server_port}/healthz") is alive
        asked.join(10)


def test_nobody_who_listens_is_no_answer() -> None:
    assert not _answers(f"http://127.0.0.1:{free_port()}/healthz")

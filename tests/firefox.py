"""Debian's own Firefox without a window, by WebDriver BiDi: a W3C protocol of JSON on a WebSocket.

Playwright's Firefox is a build of its own, fetched from elsewhere, and its BiDi (1.65) asks for commands that an ESR
does not have. Selenium brings a manager that fetches its driver from elsewhere, too; Firefox itself speaks BiDi.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

_START_SECONDS: Final = 60
_END_SECONDS: Final = 15
_PATIENCE_SECONDS: Final = 30
_IN_JSON: Final = "async (given) => JSON.stringify(await (%s)(...JSON.parse(given))) ?? 'null'"
_ADDRESS: Final = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class FirefoxError(AssertionError):
    """What Firefox, or a script in its page, says went wrong."""


class Firefox:
    """A session with one tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._asked = 0
        self.troubles: list[str] = []
        """What the console of any page called an error, and what no script caught"""
        self._ask("session.new", {"capabilities": {"alwaysMatch": {"unhandledPromptBehavior": {"default": "ignore"}}}})
        self._ask("session.subscribe", {"events": ["log.entryAdded"]})
        self._tab = self._ask("browsingContext.getTree", {})["contexts"][0]["context"]

    def goto(self, address: str) -> None:
        """Open a page, and wait until it has loaded."""
        self._ask("browsingContext.navigate", {"context": self._tab, "url": address, "wait": "complete"})

    def set_viewport(self, width: int, height: int) -> None:
        """In CSS pixels."""
        size = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", {"context": self._tab, "viewport": size})

    def call(self, function: str, *arguments: object, patience: float = _PATIENCE_SECONDS) -> Any:
        """What a function of JavaScript gives, or its promise; arguments and answer are JSON."""
        asked = {
            "functionDeclaration": _IN_JSON % function,
            "arguments": [{"type": "string", "value": json.dumps(arguments)}],
            "target": {"context": self._tab},
            "awaitPromise": True,
            "userActivation": True,
        }
        answer = self._ask("script.callFunction", asked, patience)
        if answer["type"] == "exception":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    def wait_for(self, condition: str, *arguments: object, patience: float = _PATIENCE_SECONDS) -> Any:
        """The first true answer of a function that is asked again and again; pages may come and go meanwhile."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                if answer := self.call(condition, *arguments, patience=max(1.0, end - time.monotonic())):
                    return answer
            except FirefoxError:  # the page went away under the question
                pass
            time.sleep(0.1)
        raise FirefoxError(f"not within {patience} s: {condition}")

    def choose_files(self, selector: str, *paths: Path) -> None:
        """As with the dialog of a file field."""
        nodes = {"context": self._tab, "locator": {"type": "css", "value": selector}}
        field = self._ask("browsingContext.locateNodes", nodes)["nodes"][0]
        element = {"sharedId": field["sharedId"]}
        self._ask("input.setFiles", {"context": self._tab, "element": element, "files": [str(path) for path in paths]})

    def screenshot(self, path: Path) -> Path:
        """What the window shows, as PNG."""
        path.write_bytes(
            base64.b64decode(self._ask("browsingContext.captureScreenshot", {"context": self._tab})["data"])
        )
        return path

    def _ask(self, method: str, parameters: Mapping[str, Any], patience: float = _PATIENCE_SECONDS) -> Any:
        self._asked += 1
        self._connection.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
        end = time.monotonic() + patience
        while True:
            said = json.loads(self._connection.recv(timeout=max(0.0, end - time.monotonic())))
            if said["type"] == "event":
                self._hear(said)
            elif said["id"] == self._asked:
                if said["type"] == "error":
                    raise FirefoxError(f"{method}: {said['message']}")
                return said["result"]

    def _hear(self, said: Mapping[str, Any]) -> None:
        entry = said["params"]
        if said["method"] == "log.entryAdded" and entry["level"] == "error":
            self.troubles.append(entry["text"])


@contextmanager
def open_firefox(downloads: Path | None = None) -> Iterator[Firefox]:
    """A Firefox that lives as long as the block; what it downloads goes into the folder, without a question."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    assert path is not None, "install Firefox first: apt-get install firefox-esr (make browser)"
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
        Path(profile, "user.js").write_text("".join(_preferences(downloads)))
        command = [
            path,
            "--headless",
            "--no-remote",
            "--profile",
            profile,
            "--remote-debugging-port",
            "0",
            "about:blank",
        ]
        said = Path(profile, "said.txt")
        with said.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
            try:
                with connect(_address(process, said) + "/session", max_size=None) as connection:
                    yield Firefox(connection)
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_END_SECONDS)
                process.kill()


def _preferences(downloads: Path | None) -> Iterator[str]:
    wanted: dict[str, object] = {
        "media.autoplay.default": 0,
        "intl.accept_languages": "en-US",
        "datareporting.policy.dataSubmissionEnabled": False,
        "app.update.enabled": False,
    }
    if downloads:
        wanted |= {"browser.download.folderList": 2, "browser.download.dir": str(downloads)}
        wanted |= {
            "browser.download.useDownloadDir": True,
            "browser.download.always_ask_before_handling_new_types": False,
        }
    for name, value in wanted.items():
        yield f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"


def _address(process: subprocess.Popen[bytes], said: Path) -> str:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := _ADDRESS.search(said.read_text(errors="replace")):
            return found[1]
        time.sleep(0.05)
    raise FirefoxError(f"Firefox does not listen: {said.read_text(errors='replace')[-2000:]}")

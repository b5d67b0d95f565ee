"""The child of preflight.py, `python -m services.library.preflight_process ADDRESS`: one content, JSON in and out."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any, Final

from services import telemetry
from services.errors import ChorusError, ErrorKind, error_to_json
from services.library.findings import Findings, Verdict
from services.library.verdict import judge
from services.preprocess.client import PreprocessClient
from services.preprocess.faces import AnalysisProgress

_REPORT_SECONDS: Final = 0.25


def main() -> None:
    """Say how far the analysis is, and at last `found` or `failed`; ends at once when its standard input is closed."""
    request = json.loads(sys.stdin.readline())
    telemetry.configure_logging("preflight", "INFO")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        findings = _find(request, sys.argv[1])
    except ChorusError as error:
        _say(failed=error_to_json(error))
    else:
        _say(found=asdict(findings))


def _find(request: Mapping[str, str], address: str) -> Findings:
    said = 0.0
    with closing(PreprocessClient(address)) as preprocess:
        try:
            for item in preprocess.analyse(request["video_key"], name=request["name"]):
                if not isinstance(item, AnalysisProgress):
                    return judge(item)
                if time.monotonic() - said > _REPORT_SECONDS:
                    said = time.monotonic()
                    _say(progress=asdict(item))
        except ChorusError as error:
            if error.kind is ErrorKind.NO_FACE:
                return Findings(verdict=Verdict.NO_FACE)
            raise
    raise ChorusError(ErrorKind.UNAVAILABLE, "analysis-broke-off", name=request["name"])


def _say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()

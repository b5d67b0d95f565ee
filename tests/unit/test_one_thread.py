"""Threads that would only spin beside the work of other processes are not started."""

from __future__ import annotations

import json
import subprocess
import sys

_ASK = """
import json, cv2, numpy
from threadpoolctl import threadpool_info
def threads(): return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
before = threads()
from services.one_thread import compute_on_one_thread
compute_on_one_thread()
numpy.ones((500, 500)) @ numpy.ones((500, 500))
print(json.dumps([before, threads(), cv2.getNumThreads()]))
"""


def test_linear_algebra_and_opencv_stay_on_one_thread() -> None:
    answer = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=60, check=True)
    before, after, opencv = json.loads(answer.stdout)
    assert before
    assert set(after) == {1}
    assert opencv == 1

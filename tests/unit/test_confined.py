"""What a process may take: more than that is an error that it can tell, and a render's is told in words."""

from __future__ import annotations

import subprocess
import sys

from services.errors import ErrorKind
from services.jobs.options import RenderOptions
from services.jobs.spec import JobSpec
from services.render.process import _failure

_GREEDY = """
import resource
from pathlib import Path
from services.confined import confine
confine(64 << 20, file_bytes=10)
try:
    bytearray(256 << 20)
except MemoryError:
    first_to_go = Path("/proc/self/oom_score_adj").read_text().strip()
    bounds = (resource.getrlimit(each)[0] for each in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE))
    print("too much", first_to_go, *bounds)
"""


def test_more_memory_than_that_is_an_error_nothing_is_dumped_and_others_stay() -> None:
    said = subprocess.run([sys.executable, "-c", _GREEDY], capture_output=True, text=True, timeout=60, check=False)
    assert said.stdout.split() == ["too", "much", "1000", "0", "10"], said.stderr


def test_a_render_that_takes_too_much_names_its_video() -> None:
    spec = JobSpec(
        job_id="job",
        batch_id="batch",
        video_key="uploads/v",
        video_name="huge.mp4",
        audio_key="uploads/a",
        audio_name="speech.wav",
        output_key="outputs/job.mp4",
        poster_key="outputs/job.jpg",
        options=RenderOptions(),
    )
    failure = _failure(MemoryError(), spec)
    assert (failure.kind, failure.code) == (ErrorKind.TOO_LARGE, "render-needs-too-much")
    assert "huge.mp4" in str(failure)

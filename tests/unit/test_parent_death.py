"""A child whose parent died before it could ask the kernel to follow does not begin."""

from __future__ import annotations

import os
import subprocess
import sys

from services.parent_death import dying_with_us


def test_a_command_runs_only_for_the_parent_that_started_it() -> None:
    command = dying_with_us(["echo", "begun"])
    mine = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert (mine.returncode, mine.stdout) == (0, b"begun\n")
    orphaned = [word if word != str(os.getpid()) else "1" for word in command]
    died = subprocess.run(orphaned, capture_output=True, timeout=30, check=False)
    assert (died.returncode, died.stdout) == (1, b"")


def test_a_child_of_multiprocessing_ends_when_its_parent_is_gone() -> None:
    program = (
        "import sys; from services.parent_death import die_with_parent; die_with_parent(int(sys.argv[1])); print(1)"
    )
    for parent, said in ((os.getpid(), b"1\n"), (1, b"")):
        done = subprocess.run(
            [sys.executable, "-c", program, str(parent)], capture_output=True, timeout=30, check=False
        )
        assert done.stdout == said

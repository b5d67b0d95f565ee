"""Every process that ours start dies with who started it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import services

SOURCES = sorted(Path(services.__path__[0]).rglob("*.py"))
STARTS = frozenset({"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"})
OTHER_STARTS = frozenset(
    {"fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen", "create_subprocess_exec"}
    | {"create_subprocess_shell", "ProcessPoolExecutor", "Process", "Pool"}
)
# psutil.Process looks at processes.
HARMLESS = frozenset({"psutil.Process"})
# nvidia-smi, which ends by itself; Triton's image has that file, and none of ours that it could import.
ALONE = ("gpus.py", "command")
COPIED = ("zygote.py", "os.fork")


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Dotted names of what a file calls."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef))


def test_every_command_is_started_so_that_it_dies_with_us() -> None:
    started = [
        (path.name, ast.unparse(call.args[0]))
        for path in SOURCES
        for name, call in calls(path)
        if name.startswith("subprocess.") and name.removeprefix("subprocess.") in STARTS
    ]
    assert len(started) >= 4
    assert [each for each in started if not each[1].startswith("dying_with_us(")] == [ALONE]


def test_children_of_multiprocessing_die_with_us() -> None:
    pools = [ast.unparse(call) for path in SOURCES for name, call in calls(path) if name == "ProcessPool"]
    assert pools
    # The initialiser's first act, or its only one.
    assert [pool for pool in pools if "initializer=_confine, initargs=[os.getpid()]" not in pool] == []
    confine = next(node for path in SOURCES for node in functions(path) if node.name == "_confine")
    assert [ast.unparse(each) for each in confine.body[1:2]] == ["die_with_parent(parent)"]


def test_nothing_is_started_in_another_way() -> None:
    other = [
        (path.name, name)
        for path in SOURCES
        for name, _ in calls(path)
        if name.rpartition(".")[2] in OTHER_STARTS and name not in HARMLESS
    ]
    assert other == [COPIED]


def test_copies_of_a_process_die_with_it() -> None:
    copy = next(node for path in SOURCES for node in functions(path) if node.name == "_be_child")
    protected = next(node for node in copy.body if isinstance(node, ast.Try))
    # A process group of its own, and then at once: nothing of a job has begun.
    assert [ast.unparse(each) for each in protected.body[:2]] == ["os.setsid()", "die_with_parent(zygote)"]

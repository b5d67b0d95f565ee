"""Children that need no imports: copies (forks) of a process that has loaded what they need, the zygote.

Whoever wants children starts it once (`Zygote`); it serves them (`serve`) from one thread and does no work itself. What
a child is given, its files, its memory's bound, its end, is its own; it shares only what was loaded before.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, NoReturn

from services.parent_death import die_with_parent, dying_with_us

_PR_SET_NAME: Final = 15
_CODE: Final = struct.Struct("<i")
_ASKED: Final = b"child"
_FILES: Final = 3
"""That come with a wish for a child: its stdin, its stdout, and our end of the line on which we tell how it ended"""
_END_SECONDS: Final = 10.0
# NumPy and OpenCV start OpenBLAS's threads when they are loaded; those of a zygote are not in its copies.
_NO_THREADS: Final = ("OPENBLAS_NUM_THREADS=1",)


class ForkedChild:
    """One child of a zygote; whoever holds it must `end` it."""

    def __init__(self, zygote: subprocess.Popen[bytes], control: socket.socket) -> None:
        """Ask for it; OSError when the zygote is gone."""
        self._zygote = zygote
        self._code: int | None = None
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._line, their_line = socket.socketpair()
        self.stdin, self.stdout = os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb")
        try:
            with their_line:
                socket.send_fds(control, [_ASKED], [theirs_in, theirs_out, their_line.fileno()])
        except OSError:
            self._close()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def wait(self, seconds: float) -> int:
        """Its exit code, negative for the signal that killed it, and it; TimeoutError when it does not end in time."""
        if self._code is None:
            self._line.settimeout(seconds)
            told = self._line.recv(_CODE.size)
            self._code = int(_CODE.unpack(told)[0]) if told else self._code_of_zygote(seconds)
        return self._code

    def end(self) -> None:
        """Kill it, and all processes that it has started in its group; a zygote that does not do it goes with it."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)
            try:
                self.wait(_END_SECONDS)
            except TimeoutError:
                self._zygote.kill()
        self._close()

    def _code_of_zygote(self, seconds: float) -> int:
        """It is gone without a word, and its children with it."""
        try:
            return self._zygote.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error

    def _close(self) -> None:
        for each in (self.stdin, self.stdout, self._line):
            with suppress(OSError):  # what it did not read of its stdin
                each.close()


class Zygote:
    """The process of which children are copies, started when it is needed or `warm`ed; safe to share by threads.

    It and its children end with this object: hold it as long as them.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """`command` loads what children need and calls `serve`."""
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        # The kernel ends it when the thread that started it ends.
        self._starter = ThreadPoolExecutor(1, "zygote")

    def warm(self) -> None:
        """Have it load now; does not wait for it."""
        with self._lock:
            self._running()

    def child(self) -> ForkedChild:
        """A new child; of a new zygote when somebody killed the last one."""
        with self._lock:
            try:
                return ForkedChild(*self._running())
            except OSError:  # it died just now
                self._drop()
                return ForkedChild(*self._running())

    def close(self) -> None:
        """End it and all its children; one that is asked for later begins anew."""
        with self._lock:
            self._drop()

    def _running(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        if self._process is None or self._control is None or self._process.poll() is not None:
            self._drop()
            self._process, self._control = self._starter.submit(self._start).result()
        return self._process, self._control

    def _start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        # Messages with borders: files belong to one of them.
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = ["env", *_NO_THREADS, *self._command]
            process = subprocess.Popen(dying_with_us(command), stdin=theirs.fileno(), start_new_session=True)
        # One that is killed is buried at once, not when somebody next looks at it.
        threading.Thread(target=process.wait, name="zygote", daemon=True).start()
        return process, control

    def _drop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._control = None


def serve(work: Callable[[], int], name: str) -> None:
    """Copy this process for each child that is asked for on standard input, until the asker hangs up.

    `work` is what a child does, with a stdin and a stdout of its own; it gives the exit code. `name` is shown for it
    by tools like ps. This process must have no other thread, and keep nothing that children must not share.
    """
    control = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    gc.collect()
    gc.freeze()  # what no child's collector touches stays one page for all
    _Server(control, work, name).serve()


class _Server:
    """The zygote's own loop."""

    def __init__(self, control: socket.socket, work: Callable[[], int], name: str) -> None:
        self._control = control
        self._work = work
        self._name = name
        self._lines: dict[int, socket.socket] = {}
        """Of each child that lives, by process id: closed by whoever wants its end"""
        self._ending: set[int] = set()
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)

    def serve(self) -> None:
        """Until the asker hangs up."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        while True:
            lines = {line: child for child, line in self._lines.items() if child not in self._ending}
            watched: list[int | socket.socket] = [self._control, self._woken, *lines]
            ready = select.select(watched, [], [])[0]
            for line in lines.keys() & set(ready):
                self._kill(lines[line])
            if self._woken in ready:
                with suppress(BlockingIOError):
                    os.read(self._woken, 1 << 10)
                self._bury()
            if self._control in ready and not self._take_wish():
                return

    def _take_wish(self) -> bool:
        wish, files, _, _ = socket.recv_fds(self._control, len(_ASKED), _FILES)
        if not wish:
            return False
        asked_in, asked_out, line = files
        zygote, child = os.getpid(), os.fork()
        if not child:
            self._be_child(zygote, asked_in, asked_out, line)
        os.close(asked_in)
        os.close(asked_out)
        self._lines[child] = socket.socket(fileno=line)
        return True

    def _kill(self, child: int) -> None:
        """It is not buried yet, so the number is still its own; in its first moment it has no group of its own."""
        self._ending.add(child)
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                kill(child, signal.SIGKILL)

    def _bury(self) -> None:
        while self._lines:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            self._ending.discard(child)
            with self._lines.pop(child) as line, suppress(OSError):
                line.sendall(_CODE.pack(os.waitstatus_to_exitcode(status)))

    def _be_child(self, zygote: int, asked_in: int, asked_out: int, line: int) -> NoReturn:
        code = 1
        try:
            os.setsid()
            die_with_parent(zygote)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(asked_in, 0)
            os.dup2(asked_out, 1)
            for each in (self._control, *self._lines.values()):
                each.close()
            for number in (asked_in, asked_out, line, self._woken, self._waker):
                os.close(number)
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(_PR_SET_NAME, self._name.encode())
            code = self._work()
            sys.stdout.flush()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            # Not by way of the zygote's frames, and of what it would tidy up.
            os._exit(code)

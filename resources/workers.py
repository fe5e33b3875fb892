"""Several processes side by side, each with one piece of work, and none of them left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

LOOK_SECONDS = 0.05
GRACE_SECONDS = 20.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Ended:
    """A process that is over.

    Attributes:
        name: of its piece of work.
        status: exit status; minus the signal's number when it was killed.
        out: what it wrote to standard output.
        err: and to standard error.
        seconds: wall-clock time.
    """

    name: str
    status: int
    out: str
    err: str
    seconds: float


@dataclass(frozen=True)
class _Worker:
    name: str
    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]
    started: float

    def ended(self) -> Ended:
        texts = []
        for stream in (self.out, self.err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
            stream.close()
        return Ended(self.name, self.process.returncode, texts[0], texts[1], time.monotonic() - self.started)


def run_side_by_side(commands: Mapping[str, Sequence[str]], most: int) -> Iterator[Ended]:
    """Run commands, at most so many at a time; yields each as it ends. Leaving early stops what is running.

    Args:
        commands: name → command line.
        most: number of processes at a time.
    """
    waiting, running = deque(commands.items()), list[_Worker]()
    try:
        while waiting or running:
            while waiting and len(running) < most:
                running.append(_start(*waiting.popleft()))
            over = [worker for worker in running if worker.process.poll() is not None]
            running = [worker for worker in running if worker not in over]
            yield from [worker.ended() for worker in over]
            time.sleep(0 if over else LOOK_SECONDS)
    finally:
        _stop(running)


def _start(name: str, command: Sequence[str]) -> _Worker:
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 (closed by ended)
    process = subprocess.Popen(list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    return _Worker(name, process, out, err, time.monotonic())


def _stop(workers: Sequence[_Worker]) -> None:
    """Interrupt as Ctrl-C does, so that finished steps are kept and nothing is half written; then insist."""
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.process.send_signal(signal.SIGINT)
    until = time.monotonic() + GRACE_SECONDS
    for worker in workers:
        try:
            worker.process.wait(max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        worker.ended()


def die_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent ends in whatever way; on Linux, elsewhere it does nothing.

    Args:
        parent: process id of the parent, which may be gone already.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)

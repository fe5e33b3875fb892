"""Processes side by side: how many at a time, what they say, and that none is left behind."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from resources.workers import run_side_by_side

HOLDS = "import time; time.sleep(60)"


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-I", "-c", textwrap.dedent(code), *map(str, arguments)]


def wait_for(condition: object, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.02)


def test_each_ends_with_its_status_and_its_words() -> None:
    commands = {
        "good": python("print('fine ü')"),
        "bad": python("import sys; sys.exit('no')"),
        "killed": python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        "talks": python("print('x' * 1_000_000)"),  # more than a pipe holds
    }
    ended = {each.name: each for each in run_side_by_side(commands, 2)}
    assert {name: each.status for name, each in ended.items()} == {"good": 0, "bad": 1, "killed": -9, "talks": 0}
    assert ended["good"].out == "fine ü\n"
    assert ended["bad"].err == "no\n"
    assert len(ended["talks"].out) == 1_000_001


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_run_at_a_time_and_no_more(tmp_path: Path, most: int) -> None:
    code = """
        import pathlib, sys, time
        folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
        (folder / name).touch()
        end = time.monotonic() + 0.3
        seen = 0
        while time.monotonic() < end:
            seen = max(seen, len(list(folder.iterdir())))
            time.sleep(0.01)
        (folder / name).unlink()
        print(seen)
    """
    names = [f"w{number}" for number in range(5)]
    commands = {name: python(code, tmp_path, name) for name in names}
    ended = list(run_side_by_side(commands, most))
    assert sorted(each.name for each in ended) == names
    assert max(int(each.out) for each in ended) <= most


def test_leaving_early_stops_what_is_running() -> None:
    before = {child.pid for child in psutil.Process().children()}
    ends = run_side_by_side({"quick": python("pass"), "slow": python(HOLDS)}, 2)
    assert next(ends).name == "quick"
    assert len({child.pid for child in psutil.Process().children()} - before) == 1
    ends.close()  # type: ignore[attr-defined]
    assert {child.pid for child in psutil.Process().children()} == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system call is Linux's")
def test_a_worker_dies_with_its_parent(tmp_path: Path) -> None:
    worker = f"""
        import os, sys, pathlib
        sys.path[:0] = {sys.path!r}
        from resources.workers import die_with_parent
        die_with_parent(int(sys.argv[1]))
        pathlib.Path(sys.argv[2]).write_text(str(os.getpid()))
        {HOLDS}
    """
    parent = f"""
        import os, subprocess, sys
        subprocess.Popen([sys.executable, "-I", "-c", {textwrap.dedent(worker)!r}, str(os.getpid()), sys.argv[1]])
        {HOLDS}
    """
    import subprocess

    mark = tmp_path / "pid"
    process = subprocess.Popen(python(parent, mark))
    wait_for(lambda: mark.exists() and mark.read_text())
    pid = int(mark.read_text())
    assert psutil.pid_exists(pid)
    process.kill()
    process.wait()
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_worker_whose_parent_is_gone_already_ends() -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}; from resources.workers import die_with_parent; die_with_parent(1)"
    (ended,) = run_side_by_side({"late": python(code)}, 1)
    expected = -signal.SIGKILL if sys.platform.startswith("linux") and os.getpid() != 1 else 0
    assert ended.status == expected

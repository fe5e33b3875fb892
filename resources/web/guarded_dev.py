"""`dagster dev` with its web server behind the guard, for `python -m`; arguments as usual."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Any

PLAIN = "dagster_webserver"
GUARDED = "resources.web.guarded_webserver"


def with_guard(arguments: Sequence[str]) -> list[str]:
    """The command of a child process, with the guarded web server in place of the plain one."""
    return [GUARDED if argument == PLAIN else argument for argument in arguments]


def run(arguments: Sequence[str]) -> None:
    """Start the web server, the daemon and one code server, and end them together."""
    import dagster as dg
    from dagster._cli import dev as module

    dev: Any = module  # its names are private; a test holds that they are there
    start = dev.open_ipc_subprocess

    def start_guarded(command: Sequence[str], **kwargs: Any) -> Any:
        return start(with_guard(command), **kwargs)

    dev.open_ipc_subprocess = start_guarded
    # Its children end with an interrupt alone: a plain kill would leave them, and a script's child ignores interrupts.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    warnings.simplefilter("ignore", dg.SupersessionWarning)  # its successor needs a project layout of its own
    dev.dev_command(list(arguments))


if __name__ == "__main__":
    run(sys.argv[1:])

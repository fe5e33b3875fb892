"""Dagster's web server behind the guard: `python -m resources.web.guarded_webserver`, with its usual arguments."""

from __future__ import annotations

import os
import sys
from typing import Any

from resources.web.guard import Guard

TOKEN_VARIABLE = "DSAM_UI_TOKEN"  # noqa: S105


def port_of(arguments: list[str]) -> int:
    """The value of `--port`."""
    return int(arguments[arguments.index("--port") + 1])


def run(arguments: list[str], token: str) -> None:
    """Serve Dagster's application with a guard in front of it."""
    from dagster_webserver import cli as module

    cli: Any = module  # the name that is replaced is private; a test holds that it is there
    create_app, port = cli.create_app_from_workspace_process_context, port_of(arguments)

    def guarded(*args: Any, **kwargs: Any) -> Guard:
        return Guard(create_app(*args, **kwargs), port, token)

    cli.create_app_from_workspace_process_context = guarded
    cli.main()


if __name__ == "__main__":
    run(sys.argv, os.environ[TOKEN_VARIABLE])

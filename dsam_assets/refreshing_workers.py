"""Refreshing several markets side by side: a process for each, so that one that is killed takes no other with it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dsam_assets.refreshing import INPUTS
from resources.workers import Ended, run_side_by_side

if TYPE_CHECKING:
    from dsam_assets.refreshing import Fleet

PROGRAM = (sys.executable, "-m", "dsam_assets.cli")
ATTEMPTS = 2  # a process that ends without an answer is started once more; a market that fails answers


def refresh_side_by_side(fleet: Fleet, markets: Sequence[str], most: int) -> Iterator[dict[str, Any]]:
    """Materialise what is stale of each market; yields what was done for each as a document, in the order of ending.

    Args:
        fleet: the folder.
        markets: names.
        most: number of markets at a time.
    """
    _prepare(fleet, markets)
    left = list(markets)
    for attempt in range(ATTEMPTS):
        crashed: list[str] = []
        commands = {market: _command(fleet, market) for market in left}
        for ended in run_side_by_side(commands, most):
            document = _answer(ended)
            if document is not None:
                yield document
            elif attempt + 1 < ATTEMPTS:
                crashed.append(ended.name)
            else:
                yield _crashed(fleet, ended)
        left = crashed


def _prepare(fleet: Fleet, markets: Sequence[str]) -> None:
    """Create Dagster's files before several processes would do it at once."""
    from resources.local_instance import local_instance
    from resources.locations import prepare_dagster_home
    from resources.places import require_state

    require_state(fleet.places)
    with local_instance(prepare_dagster_home(fleet.places.dagster_home), *markets):
        return


def _command(fleet: Fleet, market: str) -> list[str]:
    where = ("--configs", str(fleet.places.configs))
    return [*PROGRAM, "refresh", market, *where, "--json", "--worker", str(os.getpid())]


def _answer(ended: Ended) -> dict[str, Any] | None:
    try:
        (document,) = json.loads(ended.out)["markets"]
    except (ValueError, KeyError, TypeError):
        return None
    return document if isinstance(document, dict) else None


def _crashed(fleet: Fleet, ended: Ended) -> dict[str, Any]:
    """What is said of a market whose process ended without an answer."""
    last = next((line for line in reversed(ended.err.splitlines()) if line.strip()), "")
    how = f"was killed by {_signal(-ended.status)}" if ended.status < 0 else f"ended with status {ended.status}"
    what = f"The process that computed it {how}, {ATTEMPTS} times{f': {last.strip()}' if last else ''}."
    fleet.store.note_problem(ended.name, INPUTS, what)
    nothing = {"why": [], "computed": [], "reused": 0, "verdict": None, "run_dir": None}
    return {"market": ended.name, "outcome": "failed", **nothing, "message": what, "seconds": round(ended.seconds, 3)}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

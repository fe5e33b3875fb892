"""How fast a fleet is made: a backfill through the UI with two fits at a time, and `dsam refresh --concurrency 2`.

Writes markets with Stan fits of their own (102 weeks, 4 coefficients, 4 chains), serves them, backfills them, and makes
them again in a store of its own from the terminal. Prints markets per minute, the memory of the whole process family at
its peak, and which share of the runs' time was spent in the assets themselves rather than in Dagster and imports.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "live")]

from live_markets import write_market  # noqa: E402
from served_ui import Served, wait_for  # noqa: E402
from small_market import CONFIG  # noqa: E402

POLL = 0.5
ERRORS = ("database is locked", "Traceback")


@dataclass
class Family:
    """Memory of a process and everything below it while it is watched; what is shared counts in proportion."""

    process: psutil.Process
    peak: float = 0.0
    most: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.over.wait(POLL):
            try:
                members = [self.process, *self.process.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            self.peak = max(self.peak, sum(map(_own_memory, members)) / 2**20)
            self.most = max(self.most, len(members))


def _own_memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):
        return 0


@contextmanager
def watched(pid: int) -> Iterator[Family]:
    family = Family(psutil.Process(pid))
    thread = threading.Thread(target=family.watch)
    thread.start()
    try:
        yield family
    finally:
        family.over.set()
        thread.join()


def backfilled(folder: Path, markets: Sequence[str]) -> dict[str, Any]:
    """The markets through the UI's backfill."""
    ui = Served(folder)
    ui.start()
    try:
        with watched(ui.pid) as family:
            started = time.time()
            backfill = ui.backfill(list(markets), ui.partitioned(executable=True))
            runs = ui.finished(len(markets))
            wait_for("the end of the backfill", lambda: ui.backfill_status(backfill) not in ("REQUESTED",), 120)
            status = ui.backfill_status(backfill)
    finally:
        left = ui.stop()
    begun, ended = min(run["startTime"] for run in runs), max(run["endTime"] for run in runs)
    log = ui.log.read_text()
    return {
        "status": status,
        "markets": len({run["market"] for run in runs if run["status"] == "SUCCESS"}),
        "failed_or_retried_runs": len([run for run in runs if run["status"] != "SUCCESS"]) + len(runs) - len(markets),
        "seconds_until_the_first_run": begun - started,
        "markets_per_minute": 60 * len(runs) / (ended - begun),
        "seconds_of_a_run": sum(run["endTime"] - run["startTime"] for run in runs) / len(runs),
        "seconds_in_assets": asset_seconds(folder, markets) / len(markets),
        "peak_memory_mib": family.peak,
        "most_processes": family.most,
        "errors_in_the_log": {words: log.count(words) for words in ERRORS},
        "pool_slots_held": held_slots(folder),
        "left_processes": left,
    }


def refreshed(folder: Path, markets: Sequence[str]) -> dict[str, Any]:
    """The same markets from the terminal, two at a time."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DSAM_BROWSER": "none"}
    command = [sys.executable, "-m", "dsam_assets.cli", "refresh", "--configs", str(folder)]
    started = time.time()
    process = subprocess.Popen(
        [*command, "--concurrency", "2", "--json"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with watched(process.pid) as family:
        out, said = process.communicate(timeout=7200)
    seconds = time.time() - started
    outcomes = [each["outcome"] for each in json.loads(out)["markets"]]
    return {
        "status": process.returncode,
        "markets": outcomes.count("refreshed"),
        "markets_per_minute": 60 * len(markets) / seconds,
        "seconds_in_assets": asset_seconds(folder, markets) / len(markets),
        "peak_memory_mib": family.peak,
        "most_processes": family.most,
        "errors_in_the_log": {words: said.decode().count(words) for words in ERRORS},
        "left_processes": [each.name() for each in family.process.children()] if family.process.is_running() else [],
    }


def asset_seconds(folder: Path, markets: Sequence[str]) -> float:
    """Sum of what the assets' own records say."""
    from resources.store import Store

    store = Store(str(folder / ".dsam" / "store"))
    records = [store.record(market, asset) for market in markets for asset in _assets()]
    return sum(record.metadata["shown"]["seconds"] for record in records if record is not None)


def _assets() -> list[str]:
    from dsam_assets.staleness import declared

    return list(declared())


def held_slots(folder: Path) -> int:
    """Slots of the Stan pool that are still taken."""
    index = folder / ".dsam" / "dagster" / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(index)) as connection:
        return int(connection.execute("SELECT count(*) FROM concurrency_slots WHERE run_id IS NOT NULL").fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, default=50)
    parser.add_argument("--only", choices=("backfill", "refresh"))
    options = parser.parse_args()
    markets = [f"m{number:02d}" for number in range(options.markets)]
    print(f"{options.markets} markets, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB")
    for name, made in (("backfill", backfilled), ("refresh", refreshed)):
        if options.only in (None, name):
            with tempfile.TemporaryDirectory(prefix=name) as folder:
                configs = Path(folder) / "configs"
                for market in markets:
                    write_market(configs, market, CONFIG)
                found = made(configs, markets)
            print(f"{name}:")
            for key, value in found.items():
                print(f"  {key}: {value:.3g}" if isinstance(value, float) else f"  {key}: {value}", flush=True)


if __name__ == "__main__":
    main()

"""Dagster's instance for a run in this process: it does not wait for the disk, and leaves the terminal alone."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg


# Dagster would send the process's output through a file, a `tail` and a watcher process per stream: late lines, no
# progress bar, and the watchers' tracebacks after Ctrl-C. On a terminal the output is there to be read.
NO_CAPTURE = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}


SELDOM = (100_000, 50, 100)  # Python 3.12's own are 700, 10, 10


@contextmanager
def local_instance(home: Path, *markets: str) -> Iterator[dg.DagsterInstance]:
    """The instance of a Dagster home, for one run in this process; the markets are registered."""
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    reference = InstanceRef.from_dir(str(home), overrides=NO_CAPTURE)
    with quick_sqlite(), dg.DagsterInstance.from_ref(reference) as instance:
        instance.add_dynamic_partitions("market", list(markets))
        with quick_instance(instance):
            yield instance


@contextmanager
def quick_instance(instance: dg.DagsterInstance) -> Iterator[None]:
    """An instance that is quicker while one run of this process uses it, and as it was afterwards.

    Dagster opens its SQLite files anew for each of some hundred events, compiles its statements anew, commits to disk
    each time, and merges the write-ahead log on closing. On a busy disk that takes longer than the model. A power cut
    may lose the last events, never results: these are in the store, which is written through.
    """
    ask = instance.has_dynamic_partition
    # Asked some 500 times in a run, each time with two queries; the answer does not change meanwhile.
    instance.has_dynamic_partition = cache(ask)  # type: ignore[method-assign]
    try:
        with quick_sqlite(), kept_engines(), seldom_collected():
            yield
    finally:
        instance.has_dynamic_partition = ask  # type: ignore[method-assign]


@contextmanager
def kept_engines() -> Iterator[None]:
    """The event log makes an engine per file instead of one per connection, and its connections are used again.

    An engine remembers compiled statements, and a connection what it has read of its file. For one run of a process at
    a time; within one, a second use changes nothing.
    """
    from dagster._core.storage.event_log.sqlite import sqlite_event_log as module
    from sqlalchemy.pool import QueuePool

    log: Any = module  # the name that is replaced is no part of its interface; a test holds that it is there
    create, engines = log.create_engine, {}
    if getattr(create, "keeps", False):
        yield
        return

    def kept(url: str, **settings: Any) -> Any:
        if url not in engines:
            engines[url] = create(url, **{**settings, "poolclass": QueuePool})
            engines[url].dispose = lambda: None  # the log disposes of its engine after each connection
        return engines[url]

    kept.keeps = True  # type: ignore[attr-defined]
    log.create_engine = kept
    try:
        yield
    finally:
        log.create_engine = create
        for engine in engines.values():
            del engine.dispose
            engine.dispose()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Look for unreachable cycles less often: a run makes hundreds of thousands of objects and few of them."""
    usual = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@contextmanager
def quick_sqlite() -> Iterator[None]:
    """SQLite files that SQLAlchemy opens meanwhile stay open, and commit without waiting for the disk."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    held: dict[str, sqlite3.Connection] = {}

    def relax(connection: object, _: object) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return  # an operator's database server looks after itself
        connection.execute("PRAGMA synchronous=NORMAL")
        for _, _, file in connection.execute("PRAGMA database_list").fetchall():
            if file and file not in held:
                held[file] = sqlite3.connect(file, check_same_thread=False)
            if file:
                # Reading makes it a user of the log; the log is merged when the last of these closes.
                held[file].execute("PRAGMA schema_version").fetchone()

    event.listen(Engine, "connect", relax)
    try:
        yield
    finally:
        event.remove(Engine, "connect", relax)
        for connection in held.values():
            connection.close()

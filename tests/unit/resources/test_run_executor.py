"""How the steps of a served run are executed: in the run's own process, with its event files kept open meanwhile."""

import gc
import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite import sqlite_event_log

from dsam_assets.definitions import build_definitions
from resources.local_instance import SELDOM, kept_engines
from resources.locations import Locations
from resources.run_executor import run_executor

WHERE = "PROBED_FOLDER"
MADE: list[object] = []  # engines of the event log
OPENED: list[object] = []  # SQLite connections, by the event log or whoever else


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Connections that are made from here on; the probe's own count reads the same list."""
    connect = sqlite3.dbapi2.connect

    def counted(database: object, *arguments: Any, **settings: Any) -> Any:
        OPENED.append(database)
        return connect(database, *arguments, **settings)

    monkeypatch.setattr(sqlite3.dbapi2, "connect", counted)
    OPENED.clear()
    return OPENED


def open_databases(folder: Path) -> list[str]:
    """Database files below a folder that this process has open."""
    return sorted(each.path for each in psutil.Process().open_files() if each.path.startswith(f"{folder}/"))


def synchronous(folder: Path) -> int:
    """SQLite's setting for files that are opened now: 1 is normal, 2 is full."""
    engine = sa.create_engine(f"sqlite:///{folder / 'probe.db'}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        return int(connection.execute(sa.text("PRAGMA synchronous")).scalar_one())


@dg.op
def look(context: dg.OpExecutionContext) -> None:
    folder = Path(os.environ[WHERE])
    known = [context.instance.has_dynamic_partition("market", "uk")]
    context.instance.add_dynamic_partitions("market", ["uk"])
    known.append(context.instance.has_dynamic_partition("market", "uk"))
    made, opened = len(MADE), len(OPENED)
    context.instance.get_dynamic_partitions("market")
    made, opened = len(MADE) - made, len(OPENED) - opened
    found = {
        "process": os.getpid(),
        "synchronous": synchronous(folder),
        "known": known,
        "engines": made,
        "connections": opened,
        "collected": gc.get_threshold()[0],
    }
    (folder / "seen.json").write_text(json.dumps(found))


@dg.job(executor_def=run_executor)
def probe() -> None:
    look()


def test_a_run_is_quick_and_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[object]
) -> None:
    monkeypatch.setenv(WHERE, str(tmp_path))
    create, usual = sqlite_event_log.create_engine, gc.get_threshold()

    def counted(*arguments: Any, **settings: Any) -> Any:
        MADE.append(arguments)
        return create(*arguments, **settings)

    monkeypatch.setattr(sqlite_event_log, "create_engine", counted)
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        assert dg.execute_job(dg.reconstructable(probe), instance=instance).success
        assert open_databases(tmp_path) == []
        assert instance.has_dynamic_partition("market", "uk")
    assert opened
    assert gc.get_threshold() == usual
    assert sqlite_event_log.create_engine is counted
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen == {
        "process": os.getpid(),
        "synchronous": 1,
        "known": [False, False],  # asked once
        "engines": 0,
        "connections": 0,
        "collected": SELDOM[0],
    }
    assert synchronous(tmp_path) == 2


def test_a_second_use_within_one_changes_nothing(tmp_path: Path) -> None:
    create = sqlite_event_log.create_engine
    with kept_engines():
        outer = sqlite_event_log.create_engine
        engine = outer(f"sqlite:///{tmp_path / 'a.db'}")
        with kept_engines():
            assert sqlite_event_log.create_engine is outer
            assert outer(f"sqlite:///{tmp_path / 'a.db'}") is engine
        assert sqlite_event_log.create_engine is outer
    assert sqlite_event_log.create_engine is create


@pytest.mark.parametrize("job", ["refit", "refresh", "fleet", "observe_sources", "__ASSET_JOB"])
def test_every_run_is_executed_like_that(tmp_path: Path, job: str) -> None:
    definitions = build_definitions(Locations(tmp_path, str(tmp_path / "store"), tmp_path / "dagster"))
    assert definitions.get_repository_def().get_job(job).executor_def is run_executor

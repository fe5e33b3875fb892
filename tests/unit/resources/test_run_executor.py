"""How the steps of a served run are executed: in the run's own process, with its event files kept open meanwhile."""

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite import sqlite_event_log

from dsam_assets.definitions import build_definitions
from resources.locations import Locations
from resources.run_executor import run_executor

WHERE = "PROBED_FOLDER"
MADE: list[object] = []  # engines of the event log


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
    made = len(MADE)
    context.instance.get_dynamic_partitions("market")
    made = len(MADE) - made
    found = {"process": os.getpid(), "synchronous": synchronous(folder), "known": known, "engines": made}
    (folder / "seen.json").write_text(json.dumps(found))


@dg.job(executor_def=run_executor)
def probe() -> None:
    look()


def test_a_run_is_quick_and_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WHERE, str(tmp_path))
    create = sqlite_event_log.create_engine

    def counted(*arguments: Any, **settings: Any) -> Any:
        MADE.append(arguments)
        return create(*arguments, **settings)

    monkeypatch.setattr(sqlite_event_log, "create_engine", counted)
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        assert dg.execute_job(dg.reconstructable(probe), instance=instance).success
        assert instance.has_dynamic_partition("market", "uk")
    assert sqlite_event_log.create_engine is counted
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen == {"process": os.getpid(), "synchronous": 1, "known": [False, False], "engines": 0}  # asked once
    assert synchronous(tmp_path) == 2


@pytest.mark.parametrize("job", ["refit", "refresh", "fleet", "observe_sources", "__ASSET_JOB"])
def test_every_run_is_executed_like_that(tmp_path: Path, job: str) -> None:
    definitions = build_definitions(Locations(tmp_path, str(tmp_path / "store"), tmp_path / "dagster"))
    assert definitions.get_repository_def().get_job(job).executor_def is run_executor

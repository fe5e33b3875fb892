"""Whether the process of a run is still there, and what becomes of the run when it is not."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._daemon.monitoring.run_monitoring import monitor_started_run

from resources.locations import prepare_dagster_home
from resources.run_launcher import PROCESS_TAG, WatchedRunLauncher, process_tag


@dg.job
def nothing() -> None:
    return


@pytest.fixture
def gone() -> str:
    """Process id and start of a process that is over."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        created = psutil.Process(process.pid).create_time()
        process.communicate(b"\n")
    return f"{process.pid} {created:.2f}"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(prepare_dagster_home(tmp_path / "home"))) as found:
        yield found


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    run = instance.create_run_for_job(nothing, tags=tags)
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", nothing.name), run.run_id)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status == dg.DagsterRunStatus.STARTED
    return found


def monitored(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    """The run after the daemon has looked at it."""
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
    workspace: Any = None
    monitor_started_run(instance, workspace, record, logging.getLogger("test"))
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found


def test_a_run_of_a_living_process_goes_on(instance: dg.DagsterInstance) -> None:
    run = started(instance, process_tag())
    assert monitored(instance, run).status == dg.DagsterRunStatus.STARTED


def test_a_run_of_a_process_that_is_gone_has_failed(instance: dg.DagsterInstance, gone: str) -> None:
    run = started(instance, {PROCESS_TAG: f" {gone}"})
    assert monitored(instance, run).status == dg.DagsterRunStatus.FAILURE
    said = [event.message for event in instance.all_logs(run.run_id)]
    assert any(f"the process {gone.split()[0]} is gone" in text for text in said)


def test_another_process_with_the_same_number_is_not_the_runs() -> None:
    (tag,) = process_tag("r").values()
    _, pid, created = tag.split()
    reused = dg.DagsterRun("job", run_id="r", tags={PROCESS_TAG: f"r {pid} {float(created) - 60:.2f}"})
    assert WatchedRunLauncher().check_run_worker_health(reused).status == WorkerStatus.FAILED


def test_what_a_retried_run_took_over_from_its_parent_does_not_count(gone: str) -> None:
    for tags in ({PROCESS_TAG: f"parent {gone}"}, {}):
        retried = dg.DagsterRun("job", run_id="child", tags=tags)
        assert WatchedRunLauncher().check_run_worker_health(retried).status == WorkerStatus.RUNNING


def test_the_mark_is_not_shown() -> None:
    from dagster._core.storage.tags import HIDDEN_TAG_PREFIX

    assert PROCESS_TAG.startswith(HIDDEN_TAG_PREFIX)

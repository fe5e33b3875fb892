"""Starting runs, and telling whether the process of a run is still there.

Dagster learns of a worker's end from the server that started it. When that server went down with it, as when the
machine lost power, the run would count as going until its time is up, and hold up its market all the while.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

if TYPE_CHECKING:
    from dagster import DagsterRun

PROCESS_TAG = ".dagster/dsam_process"  # tags that begin like this are not shown by the UI


def process_tag(run_id: str = "") -> dict[str, str]:
    """Marks a run as that of this process. A retried run takes over its parent's tags, so that its own id is named."""
    return {PROCESS_TAG: f"{run_id} {os.getpid()} {psutil.Process().create_time():.2f}"}


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's own launcher; run monitoring may ask it for the health of runs of this machine."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Failed when the run's process is gone; a run that names none is taken to be well until its time is up."""
        owner, _, process = run.tags.get(PROCESS_TAG, "").partition(" ")
        if not process or owner not in ("", run.run_id) or _lives(*process.split()):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"the process {process.split()[0]} is gone")


def _lives(pid: str, created: str) -> bool:
    """Whether there is this process, and not another one that has its number by now."""
    try:
        process = psutil.Process(int(pid))
        return bool(process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - float(created)) < 1)
    except psutil.NoSuchProcess:
        return False

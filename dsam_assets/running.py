"""Running one market from Python or the terminal: the same graph as the UI's, in this process."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dsam_assets.errors import DsamError
from dsam_assets.halted_report import read
from dsam_assets.report.artefacts import DECISIONS
from resources.local_instance import seldom_collected

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd

    from dsam_assets.diagnostics.report import DiagnosticsReport
    from resources.locations import Locations
    from resources.store import Store

GATE_EXIT_STATUS = 3
# Assets whose records tell a run's story; those of the decisions are left out when a gate halts.
EVIDENCE = (
    "model_frame", "design_matrix", "stationarity_report", "transfer_entropy_report", "prior_predictive",
    "diagnostics_report", "fit_metrics", "loo", "tscv", "transform_sensitivity",
)  # fmt: skip

type Status = Literal["complete", "halted"]


class RunFailedError(DsamError):
    """A step of the graph failed; the message is the step's own.

    Attributes:
        details: the step's traceback when it failed unexpectedly, else empty.
    """

    def __init__(self, what: str, exit_status: int = 2, details: str = "") -> None:
        super().__init__(what)
        self.exit_status = exit_status
        self.details = details


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Attributes:
        market: partition key.
        path: the run folder.
        status: `complete`, or `halted` when a gate stopped the decision assets.
        halted_by: the gate's message when halted.
        report: the verdict.
        facts: metadata of the evidence, and of the decisions unless halted.
        tables: the decisions' tables by name; empty without an allocation.
        files: number of files in the run folder.
        seconds: wall-clock time of the whole run.
    """

    market: str
    path: Path
    status: Status
    halted_by: str
    report: DiagnosticsReport
    facts: Mapping[str, Mapping[str, Any]]
    tables: Mapping[str, pd.DataFrame]
    files: int
    seconds: float

    @property
    def checks(self) -> pd.DataFrame:
        """The verdict's rows."""
        return self.report.to_frame()

    @property
    def plan(self) -> pd.DataFrame:
        """Budget by channel; empty without an allocation."""
        import pandas as pd

        return self.tables.get("budget_allocation", pd.DataFrame())


@seldom_collected()
def run_from_yaml(
    path: Path | str,
    *,
    run_dir: str | None = None,
    force: bool = False,
    progress: bool = False,
    only: Collection[str] | None = None,
) -> RunResult:
    """Run one config from data to run folder; steps whose code and inputs are unchanged are reused.

    Args:
        path: the YAML config.
        run_dir: run folder; by default `outputs.run_dir`, else a dated folder below `outputs.root_dir`.
        force: compute every step again.
        progress: show a progress bar while sampling.
        only: materialise these assets alone, as a refresh; all others must be current.

    Raises:
        DsamError: a bad input, before anything is written, or a failed step.
        KeyboardInterrupt: the run was interrupted; steps that were finished are kept.
    """
    from dsam_assets.preflight import load_checked, preflight
    from resources.locations import locations
    from resources.places import market_of, require_state, run_folder

    started = time.perf_counter()
    file = Path(path)
    loaded = load_checked(file)
    market = market_of(file)
    target = run_folder(loaded.config, run_dir)
    preflight(loaded)
    places = locations(file.parent.resolve())
    require_state(places)
    if loaded.config.model.force_recompile:
        _recompile(loaded.config.model.type)
    outcome = _execute(places, market, target, force=force, progress=progress, only=only)
    return _result(places.store, market, target, outcome, started)


def _recompile(model_class: str) -> None:
    from dsam_assets.fit.programs import first_that_compiles, programs_of
    from resources.toolchain.executables import executable

    first_that_compiles(programs_of(model_class), lambda program: executable(program, force=True))


def _execute(
    places: Locations,
    market: str,
    target: Path,
    *,
    force: bool,
    progress: bool,
    only: Collection[str] | None,
) -> dg.ExecuteInProcessResult:
    from dsam_assets.diagnostics.convergence import arviz_statistics

    arviz_statistics()  # before Dagster
    import dagster as dg

    from dsam_assets.assets.interpretation import RUN_DIR_TAG
    from dsam_assets.assets.market_asset import FORCE_TAG
    from dsam_assets.definitions import build_definitions
    from resources.local_instance import local_instance
    from resources.locations import prepare_dagster_home
    from resources.run_launcher import process_tag

    home = prepare_dagster_home(places.dagster_home)
    job = build_definitions(places, progress=progress).resolve_job_def("refit" if only is None else "refresh")
    with local_instance(home, market) as instance:
        return job.execute_in_process(
            partition_key=market,
            instance=instance,
            tags={RUN_DIR_TAG: str(target), **process_tag(), **({FORCE_TAG: "true"} if force else {})},
            asset_selection=None if only is None else [dg.AssetKey(name.split("/")) for name in only],
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def _result(root: str, market: str, target: Path, outcome: dg.ExecuteInProcessResult, started: float) -> RunResult:
    from resources.store import Store

    store = Store(root)
    status: Status = "complete"
    message = ""
    if not outcome.success:
        if _interrupted(outcome):
            raise KeyboardInterrupt
        failure = first_failure(outcome)
        if failure.exit_status != GATE_EXIT_STATUS:
            raise failure
        status, message = "halted", failure.what
        _write_halted(store, market, target)
    return _read_result(store, market, target, status, message, started)


def _interrupted(outcome: dg.ExecuteInProcessResult) -> bool:
    """Whether Ctrl-C ended the run: Dagster turns it into a failure like any other."""
    reasons = [event.job_failure_data.failure_reason for event in outcome.all_events if event.is_job_failure]
    return any(reason is not None and reason.name == "UNEXPECTED_TERMINATION" for reason in reasons)


def first_failure(outcome: dg.ExecuteInProcessResult) -> RunFailedError:
    """The error of the first step that failed by itself."""
    for event in outcome.all_events:
        if not event.is_step_failure:
            continue
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            status = data.user_failure_data.metadata.get("exit_status")
            return RunFailedError(data.user_failure_data.description, 2 if status is None else int(str(status.value)))
        cause = data.error.cause if data.error is not None and data.error.cause is not None else data.error
        reason = cause.message.strip() if cause is not None else "no reason recorded"
        return RunFailedError(
            f"The step {event.step_key} failed unexpectedly.\n  got:     {reason}",
            details="" if data.error is None else data.error.to_string(),
        )
    return RunFailedError("The run failed before its first step.")


def _write_halted(store: Store, market: str, target: Path) -> None:
    from dsam_assets.halted_report import halted_documents
    from resources.run_folder import write_run_folder

    report, documents = read(store, market, "config/report", "slice"), halted_documents(store, market)
    overwrite = report.outputs.overwrite
    write_run_folder(store, market, report, target, status="halted", overwrite=overwrite, further=documents)


def _read_result(store: Store, market: str, target: Path, status: Status, message: str, started: float) -> RunResult:
    names = EVIDENCE if status == "halted" else EVIDENCE + DECISIONS
    records = {name: record for name in names if (record := store.record(market, name)) is not None}
    decided = [name for name in DECISIONS if name in records]
    return RunResult(
        market=market,
        path=target,
        status=status,
        halted_by=message,
        report=read(store, market, "diagnostics_report", "report"),
        facts={name: record.metadata["shown"] for name, record in records.items()},
        tables={key: table for name in decided for key, table in read(store, market, name, "tables").items()},
        files=sum(1 for file in target.rglob("*") if file.is_file()),
        seconds=time.perf_counter() - started,
    )

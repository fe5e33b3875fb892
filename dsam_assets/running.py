"""Running one market from Python or the terminal: the same graph as the UI's, in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dsam_assets.errors import DsamError

if TYPE_CHECKING:
    import dagster as dg
    import pandas as pd

GATE_EXIT_STATUS = 3


class RunFailedError(DsamError):
    """A step of the graph failed; the message is the step's own."""

    def __init__(self, what: str, exit_status: int = 2) -> None:
        super().__init__(what)
        self.exit_status = exit_status


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Attributes:
        market: partition key.
        path: the run folder.
        status: `complete`, or `halted` when a gate stopped the decision assets.
        halted_by: the gate's message when halted.
        checks: the verdict's rows.
        facts: metadata of the verdict and of the allocation.
        plan: budget by channel; empty without an allocation.
        files: number of files in the run folder.
    """

    market: str
    path: Path
    status: Literal["complete", "halted"]
    halted_by: str
    checks: pd.DataFrame
    facts: Mapping[str, Mapping[str, Any]]
    plan: pd.DataFrame
    files: int


def run_from_yaml(path: Path | str, *, run_dir: str | None = None, force: bool = False, progress: bool = False) -> RunResult:
    """Run one config from data to run folder; steps whose code and inputs are unchanged are reused.

    Args:
        path: the YAML config.
        run_dir: run folder; by default `outputs.run_dir`, else a dated folder below `outputs.root_dir`.
        force: compute every step again.
        progress: show a progress bar while sampling.

    Raises:
        DsamError: a bad input, before anything is written, or a failed step.
    """
    from dsam_assets.config.load import market_key
    from dsam_assets.preflight import load_checked, preflight
    from resources.locations import locations
    from resources.run_folder import require_writable, run_folder_path

    file = Path(path)
    market = market_key(file)
    loaded = load_checked(file)
    config = loaded.config
    target = run_folder_path(config.outputs, config.model.name, run_dir, datetime.now())  # noqa: DTZ005 (local time)
    require_writable(target, overwrite=config.outputs.overwrite)
    preflight(loaded)
    if config.model.force_recompile:
        _recompile()
    places = locations(file.resolve().parent)
    outcome = _execute(places, market, target, force=force, progress=progress)
    return _result(places.store, market, target, outcome)


def _recompile() -> None:
    from resources.toolchain.executables import executable

    executable("linear", force=True)


def _execute(places: Any, market: str, target: Path, *, force: bool, progress: bool) -> dg.ExecuteInProcessResult:
    import dagster as dg

    from dsam_assets.assets.interpretation import RUN_DIR_TAG
    from dsam_assets.assets.market_asset import FORCE_TAG
    from dsam_assets.definitions import build_definitions
    from resources.locations import prepare_dagster_home

    home = prepare_dagster_home(places.dagster_home)
    tags = {RUN_DIR_TAG: str(target), **({FORCE_TAG: "true"} if force else {})}
    job = build_definitions(places, progress=progress).resolve_job_def("refit")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_dynamic_partitions("market", [market])
        return job.execute_in_process(
            partition_key=market,
            instance=instance,
            tags=tags,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def _result(root: str, market: str, target: Path, outcome: dg.ExecuteInProcessResult) -> RunResult:
    from resources.store import Store

    store = Store(root)
    if outcome.success:
        return _read_result(store, market, target, "complete", "")
    message, exit_status = first_failure(outcome)
    if exit_status != GATE_EXIT_STATUS:
        raise RunFailedError(message, exit_status)
    _write_halted(store, market, target)
    return _read_result(store, market, target, "halted", message)


def first_failure(outcome: dg.ExecuteInProcessResult) -> tuple[str, int]:
    """Message and exit status of the first step that failed by itself."""
    for event in outcome.all_events:
        if not event.is_step_failure:
            continue
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            status = data.user_failure_data.metadata.get("exit_status")
            return data.user_failure_data.description, 2 if status is None else int(status.value)
        cause = data.error.cause if data.error is not None and data.error.cause is not None else data.error
        reason = cause.message.strip() if cause is not None else "no reason recorded"
        return f"The step {event.step_key} failed unexpectedly.\n  got:     {reason}", 2
    return "The run failed before its first step.", 2


def _write_halted(store: Any, market: str, target: Path) -> None:
    from resources.run_folder import write_run_folder

    report = _read(store, market, "config/report", "slice")
    write_run_folder(store, market, report, target, status="halted", overwrite=report.outputs.overwrite)


def _read(store: Any, market: str, asset: str, codec: str) -> Any:
    from resources.codecs import CODECS

    record = store.record(market, asset)
    return CODECS[codec].decode(asset, tuple(record.files), lambda name: store.read(market, record, name))


def _read_result(store: Any, market: str, target: Path, status: Literal["complete", "halted"], message: str) -> RunResult:
    import pandas as pd

    names = ("model_frame", "design_matrix", "diagnostics_report", "fit_metrics", "loo", "allocation")
    records = {name: store.record(market, name) for name in names}
    plan = pd.DataFrame()
    if status == "complete" and "budget_allocation.parquet" in records["allocation"].files:
        plan = _read(store, market, "allocation", "tables")["budget_allocation"]
    return RunResult(
        market=market,
        path=target,
        status=status,
        halted_by=message,
        checks=_read(store, market, "diagnostics_report", "report").to_frame(),
        facts={name: record.metadata["shown"] for name, record in records.items() if record is not None},
        plan=plan,
        files=sum(1 for file in target.rglob("*") if file.is_file()),
    )

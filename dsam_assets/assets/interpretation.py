"""Stage 80: the report and the run folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dsam_assets.assets.making import require_current
from dsam_assets.assets.market_asset import Published, market_asset
from resources.run_folder import BUNDLED_ASSETS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dagster as dg
    import pandas as pd

    from dsam_assets.config.slices import ReportSlice
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.diagnostics.stamped import StampedTables

RUN_DIR_TAG = "dsam/run_dir"


@market_asset(codec="text", code=["report"])
def report(
    context: dg.AssetExecutionContext,
    spec_summary: pd.DataFrame,
    observed: Mapping[str, pd.DataFrame],
    fit_metrics: pd.DataFrame,
    loo: Mapping[str, pd.DataFrame],
    diagnostics_report: DiagnosticsReport,
    decomposition: Mapping[str, pd.DataFrame],
    refresh_drift: Mapping[str, pd.DataFrame],
    allocation: StampedTables,
    pre_run_plots: Mapping[str, str],
    model_fit_plots: Mapping[str, str],
    diagnostics_plots: Mapping[str, str],
    model_selection_plots: Mapping[str, str],
    post_run_plots: Mapping[str, str],
    optimisation_plots: Mapping[str, str],
    forecast: StampedTables,
    forecast_plots: Mapping[str, str],
    config_report: ReportSlice,
) -> Published:
    """The report: `report.html`, `business_report.md`, and their facts in `interpretation.json`."""
    from dsam_assets.report.documents import report_documents
    from dsam_assets.report.interpretation import Evidence

    tables = {
        "spec_summary": spec_summary, "fit_metrics": fit_metrics, **observed, **loo, **decomposition,
        **refresh_drift, **allocation.tables, **forecast.tables,
    }  # fmt: skip
    figures = {
        **pre_run_plots, **model_fit_plots, **diagnostics_plots, **model_selection_plots, **post_run_plots,
        **optimisation_plots, **forecast_plots,
    }  # fmt: skip
    evidence = Evidence(context.partition_key, config_report.name, diagnostics_report, tables)
    documents = report_documents(evidence, figures)
    return Published(documents, {"kilobytes": round(len(documents["report.html"]) / 1000)})


# The verdict is an input of its own.
SNAPSHOT_OF = tuple(name for name in BUNDLED_ASSETS if name != "diagnostics_report")


@market_asset(codec="json", code=["report"], after=SNAPSHOT_OF, always_run=True)
def run_bundle(
    context: dg.AssetExecutionContext, config_report: ReportSlice, diagnostics_report: DiagnosticsReport
) -> Published:
    """An immutable snapshot of all results: `<store>/_runs/<time>_<market>`, or where the caller asked for it."""
    from dsam_assets.diagnostics.report import enforce
    from resources.run_folder import write_run_folder

    enforce(diagnostics_report)
    store, market = context.resources.store.open(), context.partition_key
    require_current(store, market, SNAPSHOT_OF)
    dated = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{market}"
    target = Path(context.run.tags.get(RUN_DIR_TAG) or Path(store.root) / "_runs" / dated)
    overwrite = RUN_DIR_TAG in context.run.tags and config_report.outputs.overwrite
    folder = write_run_folder(store, market, config_report, target, status="complete", overwrite=overwrite)
    facts = {"path": str(folder.path), "files": len(folder.manifest["files"])}
    return Published(facts, facts)

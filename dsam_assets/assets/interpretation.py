"""Stage 80: the run folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dsam_assets.assets.market_asset import Published, market_asset

if TYPE_CHECKING:
    import dagster as dg

    from dsam_assets.config.slices import ReportSlice

RUN_DIR_TAG = "dsam/run_dir"

SNAPSHOT_OF = (
    "resolved_config", "session_info", "design_matrix_manifest", "data_dictionary", "spec_summary", "vif_report",
    "prior_table", "fit_metrics", "posterior_summary", "fitted", "observed", "residuals", "chain_diagnostics",
    "diagnostics_report", "allocation",
)  # fmt: skip


@market_asset(codec="json", code=["report"], after=SNAPSHOT_OF, always_run=True)
def run_bundle(context: dg.AssetExecutionContext, config_report: ReportSlice) -> Published:
    """An immutable snapshot of all results: `<store>/_runs/<time>_<market>`, or where the caller asked for it."""
    from resources.run_folder import write_run_folder

    store, market = context.resources.store.open(), context.partition_key
    dated = f"{datetime.now(UTC):%Y%m%d_%H%M%S}_{market}"
    target = Path(context.run.tags.get(RUN_DIR_TAG) or Path(store.root) / "_runs" / dated)
    overwrite = RUN_DIR_TAG in context.run.tags and config_report.outputs.overwrite
    folder = write_run_folder(store, market, config_report, target, status="complete", overwrite=overwrite)
    facts = {"path": str(folder.path), "files": len(folder.manifest["files"])}
    return Published(facts, facts)

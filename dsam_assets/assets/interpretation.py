"""Stage 80: the run folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dsam_assets.assets.making import require_current
from dsam_assets.assets.market_asset import Published, market_asset
from resources.run_folder import BUNDLED_ASSETS

if TYPE_CHECKING:
    import dagster as dg

    from dsam_assets.config.slices import ReportSlice
    from dsam_assets.diagnostics.report import DiagnosticsReport

RUN_DIR_TAG = "dsam/run_dir"

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

"""Jobs over the graph."""

import dagster as dg

from dsam_assets.assets.sources import SOURCES

refit = dg.define_asset_job(
    "refit",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(*SOURCES),
    executor_def=dg.in_process_executor,
    description="Everything of one market, from config to run folder; unchanged steps are reused.",
)
observe = dg.define_asset_job(
    "observe_sources",
    selection=dg.AssetSelection.assets(*SOURCES),
    executor_def=dg.in_process_executor,
    description="Look at the files that markets are made from and record their content versions.",
)

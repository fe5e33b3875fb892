"""Jobs over the graph."""

import dagster as dg

refit = dg.define_asset_job(
    "refit",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("config_file", "data_file"),
    executor_def=dg.in_process_executor,
    description="Everything of one market, from config to run folder; unchanged steps are reused.",
)
observe = dg.define_asset_job(
    "observe_sources",
    selection=dg.AssetSelection.assets("config_file", "data_file"),
    executor_def=dg.in_process_executor,
    description="Look at the config and data files of markets and record their content versions.",
)

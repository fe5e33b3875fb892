"""Jobs over the graph."""

import dagster as dg

from dsam_assets.assets.fleet_asset import FLEET_GROUP
from dsam_assets.assets.market_asset import REFRESH_TAG
from dsam_assets.assets.sources import SOURCES
from resources.run_executor import run_executor

MARKET_ASSETS = dg.AssetSelection.all() - dg.AssetSelection.assets(*SOURCES) - dg.AssetSelection.groups(FLEET_GROUP)

refit = dg.define_asset_job(
    "refit",
    selection=MARKET_ASSETS,
    executor_def=run_executor,
    description="Everything of one market, from config to run folder; unchanged steps are reused.",
)
refresh = dg.define_asset_job(
    "refresh",
    selection=MARKET_ASSETS,
    executor_def=run_executor,
    tags={REFRESH_TAG: "true"},
    description="What is stale of one market: a run folder is written only if there is something new in it.",
)
fleet_job = dg.define_asset_job(
    "fleet",
    selection=dg.AssetSelection.groups(FLEET_GROUP),
    executor_def=run_executor,
    description="The views of all markets, made from what the store holds now.",
)
observe = dg.define_asset_job(
    "observe_sources",
    selection=dg.AssetSelection.assets(*SOURCES),
    executor_def=run_executor,
    description="Look at the files that markets are made from and record their content versions.",
)

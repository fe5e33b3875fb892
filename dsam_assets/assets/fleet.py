"""All markets at a glance. Nothing here belongs to one partition, and no market can stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsam_assets.assets.fleet_asset import FleetView, fleet_asset, registered_markets
from dsam_assets.assets.types import table_columns, tables_type

if TYPE_CHECKING:
    import dagster as dg


@fleet_asset(
    codec="comparison",
    code=["selection", "comparing", "stored_evidence"],
    after=["spec_summary", "observed", "fit_metrics", "diagnostics_report", "loo", "tscv"],
    columns=table_columns("model_comparison"),
    dagster_type=tables_type("comparison", "markets by comparison set", lambda compared: compared.tables),
)
def model_comparison(context: dg.AssetExecutionContext) -> FleetView:
    """Markets that fit the same rows of the same response, ranked by how well they predict, with the decision matrix;
    other markets beside them with their own numbers. Computed from what the store holds now."""
    from dsam_assets.report.fleet_words import comparison_preview
    from dsam_assets.selection.fleet_comparison import compare_markets
    from dsam_assets.stored_evidence import fleet_evidence

    store, catalogue = context.resources.store.open(), context.resources.catalogue
    compared = compare_markets(fleet_evidence(store, catalogue, registered_markets(context)))
    return FleetView(compared, compared.facts(), comparison_preview(compared))


@fleet_asset(
    codec="fleet_status",
    code=["stored_status", "staleness", "stale_causes", "report"],
    after=["observed", "posterior", "diagnostics_report", "loo", "refresh_drift", "allocation", "report"],
    columns=table_columns("fleet_status"),
    dagster_type=tables_type("fleet_status", "markets by gate", lambda status: status.tables),
)
def fleet_status(context: dg.AssetExecutionContext) -> FleetView:
    """Markets × gates, worst first: verdict, reliability, age of data and of fit, ELPD, what changed since the last
    fit, efficiency of the portfolio, what is stale and why, and the last problem. Computed from what the store and the
    folder of configs hold now."""
    from dsam_assets.report.fleet_page import status_preview
    from dsam_assets.stored_status import stored_status

    store, catalogue = context.resources.store.open(), context.resources.catalogue
    status = stored_status(store, catalogue, registered_markets(context))
    return FleetView(status, status.facts(), status_preview(status))

"""How assets are marked in the catalogue, so that people find and select them."""

from __future__ import annotations

from dsam_assets.report.artefacts import DECISIONS

# What an asset's files are.
KINDS = {
    "figures": "plotly",
    "table": "parquet",
    "bulk_table": "parquet",
    "tables": "parquet",
    "bulk_tables": "parquet",
    "json": "json",
    "text": "text",
    "matrix": "parquet",
    "draws": "netcdf",
    "report": "parquet",
    "slice": "json",
    "allocation": "parquet",
    "response_curves": "parquet",
    "efficient_frontier": "parquet",
    "fleet_status": "html",
    "comparison": "parquet",
    "forecast": "parquet",
}
DECISION_TAG = "dsam/decision"


def kinds_of(codec: str) -> set[str]:
    """The kind of file that a codec writes."""
    return {KINDS[codec]}


def decision_tags(asset: str) -> dict[str, str]:
    """Marks what only a verdict that does not halt lets through."""
    return {DECISION_TAG: ""} if asset in DECISIONS else {}

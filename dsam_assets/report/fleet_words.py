"""The fleet's tables as short Markdown, for previews in the UI."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from dsam_assets.selection.fleet_comparison import FleetComparison

SHOWN = 20  # rows of a preview


def comparison_preview(compared: FleetComparison) -> str:
    """Each comparison set with its recommendation, then the markets that are not compared."""
    table = compared.tables["model_comparison"]
    parts = []
    for number, comparison in enumerate(compared.comparisons, 1):
        rows = table[table["comparison_set"] == number].to_dict("records")
        parts += [
            f"**Set {number}: {comparison.ranking.runs[0].facts.get('response')}, "
            f"{comparison.ranking.pointwise.shape[1]:,} rows**",
            markdown_table(
                ("rank", "market", "ELPD", "difference", "status", "k > 0.7", "TSCV RMSE"), map(_ranked, rows)
            ),
            escaped(comparison.recommendation),
        ]
    others = table[table["comparison_set"].isna()].to_dict("records")
    if others:
        parts += ["**Not compared**", markdown_table(("market", "ELPD", "status", "why"), map(_alone, others))]
    return "\n\n".join(parts) or "No market is registered."


def _ranked(row: dict[Any, Any]) -> tuple[str, ...]:
    market = f"**{row['run']}**" if row["recommended"] else row["run"]
    difference = "" if row["rank"] == 1 else f"{row['elpd_diff']:+,.1f} ± {row['se_diff']:,.1f}"
    error = shown_number(row["tscv_rmse_kpi"])
    rank = "" if pd.isna(row["rank"]) else str(row["rank"])
    return rank, market, shown_number(row["kpi_elpd_loo"]), difference, row["overall"], str(row["n_k_gt_0_7"]), error


def _alone(row: dict[Any, Any]) -> tuple[str, ...]:
    return row["run"], shown_number(row["kpi_elpd_loo"]), row["overall"] or "", row["problem"] or row["reason"]


def shown_number(value: Any) -> str:
    """A number with its thousands separated; empty when it is missing."""
    return "" if pd.isna(value) else f"{value:,.1f}"


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, cut after the first rows; text of the data is shown and never taken as markup."""
    body = [[escaped(cell) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body[:SHOWN]]
    more = [f"\n… and {len(body) - SHOWN} more"] if len(body) > SHOWN else []
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), *more])


def escaped(text: str) -> str:
    """Text that is no markup in Markdown, on one line."""
    flat = " ".join(str(text).split())
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")

"""Comparing the markets of a fleet: those that explain the same rows of the same response are ranked, others never are.

A market is one config, so two specifications for one country are two markets over one data file. Such markets form a
comparison set; within it the rules, and the code, are those of comparing runs. An ELPD is a sum over rows: between
markets with other rows it measures the data, so these stand side by side without a rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dsam_assets.selection.compare import RunEvidence, same_data
from dsam_assets.selection.recommendation import DTYPES, FEWEST, Comparison, compare_evidence

FIT = ("r2", "rmse", "smape")
ALONE = "no other market fits the same rows of the same response"
_SET_COLUMNS = ("comparison_set", "response", "n_rows", "markets", "recommended", "recommendation", "notes")
_MATRIX_COLUMNS = ("comparison_set", "criterion", "weight", "market", "value")
_DTYPES = {**DTYPES, "comparison_set": "Int64", "recommended": "bool", **dict.fromkeys(FIT, "float64")}


@dataclass(frozen=True)
class FleetComparison:
    """Markets side by side.

    Attributes:
        tables: `model_comparison`, one row per market, comparison sets first and each set best first;
            `comparison_sets`, one row per set with its recommendation; `decision_matrix`, one row per set, criterion
            and market.
        comparisons: the sets, as `dsam compare` would have them.
    """

    tables: Mapping[str, pd.DataFrame]
    comparisons: tuple[Comparison, ...]

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        table = self.tables["model_comparison"]
        return {
            "markets": len(table),
            "with_scores": int(table["kpi_elpd_loo"].notna().sum()),
            "ranked": int(table["rank"].notna().sum()),
            "comparison_sets": len(self.comparisons),
        }

    def document(self) -> dict[str, Any]:
        """The same facts for machines."""
        table, sets = self.tables["model_comparison"], self.tables["comparison_sets"]
        return {
            "comparison_sets": [
                {
                    **row,
                    "markets": records(table[table["comparison_set"] == row["comparison_set"]]),
                    "decision_matrix": records(comparison.matrix),
                    "notes": list(comparison.notes),
                }
                for row, comparison in zip(records(sets), self.comparisons, strict=True)
            ],
            "not_compared": records(table[table["comparison_set"].isna()]),
        }


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON objects; what is missing is null, and infinity, which JSON does not have, is a text."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): _finite(value) for name, value in row.items()} for row in plain.to_dict("records")]


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def compare_markets(markets: Sequence[RunEvidence]) -> FleetComparison:
    """Compare what is stored of each market; `facts` may also hold `r2`, `rmse`, `smape` and `problem`.

    The order of `markets` is the order of sets and of markets that are not compared. A market whose evidence is
    missing keeps its row: `RunEvidence.gap` says why.
    """
    groups = comparison_sets(markets)
    compared = tuple(compare_evidence(group) for group in groups)
    inside = {run.run for group in groups for run in group}
    rows: list[dict[Any, Any]] = [
        {"comparison_set": number, **row}
        for number, comparison in enumerate(compared, 1)
        for row in comparison.table.to_dict("records")
    ]
    rows += [_alone(run) for run in markets if run.run not in inside]
    facts = {run.run: run.facts for run in markets}
    extra = [{name: facts[row["run"]].get(name) for name in (*FIT, "problem")} for row in rows]
    complete = [{**row, **more} for row, more in zip(rows, extra, strict=True)]
    blank = [{**_alone(RunEvidence("", "", {})), **dict.fromkeys((*FIT, "problem"))}]  # columns, when there is no row
    tables = {
        "model_comparison": pd.DataFrame(complete or blank).astype(_DTYPES).head(len(complete)),
        "comparison_sets": _sets_table(compared),
        "decision_matrix": _matrix_table(compared),
    }
    return FleetComparison(tables, compared)


def comparison_sets(markets: Sequence[RunEvidence]) -> list[tuple[RunEvidence, ...]]:
    """Markets that can be ranked and explain the same rows of the same response, in sets of two or more."""
    sets: list[list[RunEvidence]] = []
    for market in markets:
        if market.unranked:
            continue
        home = next((each for each in sets if same_data(each[0], market)), None)
        if home is None:
            sets.append([market])
        else:
            home.append(market)
    return [tuple(each) for each in sets if len(each) >= FEWEST]


def _alone(run: RunEvidence) -> dict[str, Any]:
    """The row of a market that is not compared: its own numbers, no rank."""
    (row,) = compare_evidence([run]).table.to_dict("records")
    return {
        "comparison_set": None,
        **{str(name): value for name, value in row.items()},
        "rank": None,
        "reason": run.unranked or ALONE,
        "elpd_diff": math.nan,
        "se_diff": math.nan,
    }


def _sets_table(compared: Sequence[Comparison]) -> pd.DataFrame:
    rows = [
        {
            "comparison_set": number,
            "response": comparison.ranking.runs[0].facts.get("response"),
            "n_rows": comparison.ranking.pointwise.shape[1],
            "markets": ", ".join(run.run for run in comparison.ranking.runs),
            "recommended": comparison.recommended or None,
            "recommendation": comparison.recommendation,
            "notes": " ".join(comparison.notes),
        }
        for number, comparison in enumerate(compared, 1)
    ]
    return pd.DataFrame(rows, columns=list(_SET_COLUMNS)).astype({"comparison_set": "int64", "n_rows": "int64"})


def _matrix_table(compared: Sequence[Comparison]) -> pd.DataFrame:
    rows = [
        (number, row["criterion"], row["weight"], run.run, row[run.run])
        for number, comparison in enumerate(compared, 1)
        for row in comparison.matrix.to_dict("records")
        for run in comparison.ranking.runs
    ]
    return pd.DataFrame(rows, columns=list(_MATRIX_COLUMNS)).astype({"comparison_set": "int64"})

"""A budget plan as it is published: its tables, and the state of the evidence under it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.from_config import problem_from_config
from dsam_assets.allocation.summary import allocation_tables
from dsam_assets.verdict import Overall, Reliability

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.fit.draws import Draws

CAVEAT = "Passing checks show that the computation is sound under the model; they do not show causality."


@dataclass(frozen=True)
class BudgetPlan:
    """Allocation tables with their reliability; `tables` is empty when the config asks for no allocation."""

    tables: Mapping[str, pd.DataFrame]
    reliability: Reliability
    overall: Overall
    reasons: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Content of `budget_optimisation.json`."""
        return {
            "enabled": bool(self.tables),
            "reliability": self.reliability,
            "diagnostics_overall": self.overall,
            "reasons": list(self.reasons),
            "caveat": CAVEAT,
            **{name: _records(frame) for name, frame in self.tables.items()},
        }

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        stamp = {"enabled": bool(self.tables), "reliability": self.reliability, "overall": self.overall}
        if not self.tables:
            return stamp
        row = self.tables["budget_summary"].iloc[0]
        return {
            **stamp,
            "method": str(row["method"]),
            "estimate": str(row["estimate"]),
            "level": str(row["level"]),
            "score": float(row["score"]),
            "budget": float(row["budget_total"]),
        }


def plan_budget(
    draws: Draws, matrix: ModelMatrix, frame: pd.DataFrame, section: Any, report: DiagnosticsReport
) -> BudgetPlan:
    """Solve the config's budget problem and stamp the plan with the verdict.

    Args:
        draws: the posterior.
        matrix: the model matrix; its rows say which rows of the frame were modelled.
        frame: the data file.
        section: the config's `allocation` section with `kpi_type`.
        report: the verdict; `diagnostics.report.enforce` has let it through.
    """
    tables: Mapping[str, pd.DataFrame] = {}
    if section.allocation.enabled:
        problem = problem_from_config(
            section.allocation,
            terms=matrix.terms,
            coefficients=draws.coef_flat,
            frame=frame.iloc[matrix.rows],
            response_scale=matrix.response_scale,
            kpi_type=section.kpi_type,
        )
        stamp = {"reliability": report.reliability, "diagnostics_overall": report.overall, **_basis(draws, matrix)}
        tables = _stamped(allocation_tables(allocate(problem)), stamp)
    return BudgetPlan(tables, report.reliability, report.overall, report.reasons)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON objects with every digit; missing values are null, an infinite bound is the text `inf`."""
    known = frame.astype(object).where(frame.notna(), None)
    return [{str(key): _json_number(value) for key, value in row.items()} for row in known.to_dict("records")]


def _json_number(value: Any) -> Any:
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _basis(draws: Draws, matrix: ModelMatrix) -> dict[str, str]:
    """Whose effects the plan is made from, and whether anything is known about their uncertainty."""
    groups = dict.fromkeys(f"{len(group.levels)} of {group.key}" for group in matrix.groups)
    return {
        "estimate": "point" if draws.is_point else "posterior",
        "level": "population" if groups else "model",
        "groups": ", ".join(groups),
    }


def _stamped(tables: Mapping[str, pd.DataFrame], stamp: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {**tables, "budget_summary": tables["budget_summary"].assign(**stamp)}

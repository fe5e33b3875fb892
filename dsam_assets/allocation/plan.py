"""A budget plan as it is published: its tables, and the state of the evidence under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.from_config import UnitData, panel_problem
from dsam_assets.allocation.held import hold
from dsam_assets.allocation.levels import EVERY_GROUP, POPULATION, decision_units, unit_effects
from dsam_assets.allocation.scenarios import budget_scenarios, named_budgets, scenario_tables
from dsam_assets.allocation.summary import allocation_tables
from dsam_assets.diagnostics.stamped import StampedTables
from dsam_assets.errors import AllocationError
from dsam_assets.scales import observed_to_kpi

if TYPE_CHECKING:
    from dsam_assets.allocation.problem import Problem
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.diagnostics.report import DiagnosticsReport
    from dsam_assets.fit.draws import Draws


@dataclass(frozen=True)
class BudgetPlan(StampedTables):
    """Allocation tables with their reliability; `tables` is empty when the config asks for no allocation."""

    def facts(self) -> dict[str, Any]:
        """Key numbers for the asset's metadata."""
        stamp = super().facts()
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


def budget_problem(
    draws: Draws, matrix: ModelMatrix, frame: pd.DataFrame, section: Any, held: Mapping[str, str] | None = None
) -> Problem:
    """The budget problem that the config asks of a fitted model.

    Args:
        draws: the posterior.
        matrix: the model matrix; its rows say which rows of the frame were modelled.
        frame: the data file.
        section: the config's `allocation` section with `kpi_type`.
        held: why channels stay at their reference spend, by model term.
    """
    level, modelled = section.allocation.level, frame.iloc[matrix.rows]
    units = decision_units(level, matrix)
    terms, effects = unit_effects(level, units, draws, matrix)
    kpi = observed_to_kpi(matrix.response, matrix.response_scale)
    data = [
        UnitData(unit.name, values, modelled.iloc[unit.rows], float(kpi[unit.rows].mean()))
        for unit, values in zip(units, effects, strict=True)
    ]
    problem = panel_problem(
        section.allocation, terms=terms, units=data, response_scale=matrix.response_scale, kpi_type=section.kpi_type
    )
    return hold(problem, held or {})


def plan_budget(
    draws: Draws,
    matrix: ModelMatrix,
    frame: pd.DataFrame,
    section: Any,
    report: DiagnosticsReport,
    evidence: pd.DataFrame | None,
) -> BudgetPlan:
    """Solve the config's budget problem and stamp the plan with the verdict.

    Args:
        draws: the posterior.
        matrix: the model matrix; its rows say which rows of the frame were modelled.
        frame: the data file.
        section: the config's `allocation` section with `kpi_type`.
        report: the verdict; `diagnostics.report.enforce` has let it through.
        evidence: what the data say about each channel, as `decomposition.evidence.channel_evidence` returns it; not
            needed without an allocation.
    """
    tables: dict[str, pd.DataFrame] = {}
    if section.allocation.enabled:
        known = _evidence_of(section.allocation, evidence)
        held = known.loc[known["weak"], "why"].to_dict() if section.allocation.hold_weak else {}
        found = allocate(budget_problem(draws, matrix, frame, section, held))
        stamp = {
            "reliability": report.reliability, "diagnostics_overall": report.overall, "waived": report.waived,
        }  # fmt: skip
        basis = _basis(draws, matrix, section.allocation.level)
        scenarios = budget_scenarios(found.problem, found.best_spend, named_budgets(section.allocation))
        tables = _stamped(allocation_tables(found, known), {**stamp, **basis})
        tables |= scenario_tables(found.problem, found.best_spend, scenarios)
    return BudgetPlan(tables, report.reliability, report.overall, report.reasons)


def _evidence_of(section: Any, evidence: pd.DataFrame | None) -> pd.DataFrame:
    """The evidence by model term, for every channel of the plan.

    Raises:
        AllocationError: a channel has none.
    """
    terms = [str(channel.term) for channel in section.channels]
    known = pd.DataFrame() if evidence is None else evidence.set_index("term")
    missing = [term for term in terms if term not in known.index]
    if missing:
        raise AllocationError(
            "The evidence about some channels is missing.",
            where="allocation.channels[].term",
            got=", ".join(missing),
            wanted="a row of channel_evidence for every channel",
            fix="Decompose the fit with the same channels first.",
        )
    return known.loc[terms]


def _basis(draws: Draws, matrix: ModelMatrix, level: str) -> dict[str, str]:
    """Whose effects the plan is made from, and whether anything is known about their uncertainty."""
    groups = dict.fromkeys(f"{len(group.levels)} of {group.key}" for group in matrix.groups)
    named = level not in (POPULATION, EVERY_GROUP)
    kind = {POPULATION: "population" if groups else "model", EVERY_GROUP: "group"}.get(level, "unit")
    return {
        "estimate": "point" if draws.is_point else "posterior",
        "level": kind,
        "groups": level if named else ", ".join(groups),
    }


def _stamped(tables: Mapping[str, pd.DataFrame], stamp: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {**tables, "budget_summary": tables["budget_summary"].assign(**stamp)}

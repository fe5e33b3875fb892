"""The way from the reference's KPI to the plan's, one step per channel; the steps add up in every draw.

Under an identity response a channel's step is its own change. Under a log response channels multiply, so that what a
channel adds depends on who came before it. The attribution here knows no order: with δ_c the channel's change of
log(KPI) and Δ their sum in its panel unit, each gets baseline · δ_c · (exp(Δ) − 1)/Δ. It is what every channel adds
while all move together from reference to plan at constant speed in log(KPI) (the Aumann–Shapley value of that path, and
the logarithmic-mean Divisia index of Ang 2004, "Decomposition analysis for policymaking in energy").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsam_assets.allocation.allocate import Allocation
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.rows import estimate
from dsam_assets.scales import FloatArray


def attributed_change(problem: Problem, plan: FloatArray) -> FloatArray:
    """Draws of each channel's part of the KPI change per period from the reference to the plan, (C,) → (S, C)."""
    steps = problem.coefficients * (problem.bank.value(plan) - problem.bank.value(problem.reference))
    if problem.response_scale == "identity":
        return steps
    together = np.empty_like(steps)
    for positions in problem.unit_positions:
        together[:, positions] = steps[:, positions].sum(axis=1, keepdims=True)
    growth = np.divide(np.expm1(together), together, out=np.ones_like(together), where=together != 0.0)
    return Objective(problem).channel_levels * steps * growth


def waterfall_rows(allocation: Allocation) -> Mapping[str, Any]:
    """A start, the channels from the largest gain to the largest loss, and an end."""
    problem, plan = allocation.problem, allocation.best_spend
    parts = attributed_change(problem, plan)
    order = np.argsort(-parts.mean(axis=0), kind="stable")
    steps = np.concatenate([[0.0], parts.mean(axis=0)[order], [0.0]])
    level = (problem.kpi_baseline or 0.0) + np.cumsum(steps)
    changes = np.column_stack([np.zeros(len(parts)), parts[:, order], allocation.outcome.kpi])
    spend = (plan - problem.reference)[order]
    money = (problem.money_rates * (plan - problem.reference))[order]
    return {
        "step": ["REFERENCE", *(problem.names[i] for i in order), "PLAN"],
        "kind": ["start", *["channel"] * len(order), "end"],
        "delta_spend": [0.0, *spend, spend.sum()],
        "delta_spend_currency": [0.0, *money, money.sum()],
        **estimate(changes, "delta_kpi"),
        "kpi_from": [level[0], *level[:-2], level[0]],
        "kpi_to": level,
        "response_unit": problem.response_unit,
    }

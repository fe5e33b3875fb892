"""The plan beside its rivals: draw by draw, because both share every uncertainty, and in shares of the budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dsam_assets.allocation.allocate import Allocation
from dsam_assets.allocation.budget import split_like
from dsam_assets.allocation.channel_response import joint_response, responses_at
from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.rows import estimate
from dsam_assets.fit.spread import has_spread, probability, quantiles
from dsam_assets.scales import FloatArray

# The reference's split of the budget is a rival of its own where it moves a channel by more than this share of it.
_SAME = 0.005
_LEVELS = {"difference_q05": 0.05, "difference_q25": 0.25, "difference_p50": 0.5, "difference_q75": 0.75,
           "difference_q95": 0.95}  # fmt: skip


def confidence_rows(allocation: Allocation) -> Mapping[str, Any]:
    """Channels against their reference, then the whole plan against the reference and its split of this budget."""
    problem, plan = allocation.problem, allocation.best_spend
    blocks = [
        _block(problem, list(problem.names), "reference", "kpi", responses_at(problem, problem.reference),
               responses_at(problem, plan))
    ]  # fmt: skip
    for rival, spend in _rivals(problem, plan).items():
        before, after = joint_response(problem, spend)[:, None], joint_response(problem, plan)[:, None]
        blocks.append(_block(problem, ["TOTAL"], rival, "kpi", before, after))
        if problem.value_per_kpi is not None and not problem.relative:
            value, rates = problem.value_per_kpi, problem.money_rates
            profits = (value * before - rates @ spend, value * after - rates @ plan)
            blocks.append(_block(problem, ["TOTAL"], rival, "profit", *profits))
    return {key: np.concatenate([np.asarray(block[key]) for block in blocks]) for key in blocks[0]}


def _rivals(problem: Problem, plan: FloatArray) -> Mapping[str, FloatArray]:
    total = float(plan.sum())
    split = split_like(problem.reference, problem.lower, np.minimum(problem.upper, total), total)
    rivals = {"reference": problem.reference}
    same = np.allclose(split, problem.reference, rtol=0.0, atol=_SAME * total)
    return rivals if same else {**rivals, "reference_split": split}


def _block(
    problem: Problem, names: list[str], rival: str, quantity: str, before: FloatArray, after: FloatArray
) -> dict[str, Any]:
    difference = after - before
    count, total = len(names), names == ["TOTAL"]
    return {
        "channel": names,
        "is_total": [total] * count,
        "rival": [rival] * count,
        "quantity": [quantity] * count,
        "unit": ["currency" if quantity == "profit" else problem.response_unit] * count,
        **estimate(before, "rival"),
        **estimate(after, "plan"),
        "difference_mean": difference.mean(axis=0),
        **dict(zip(_LEVELS, quantiles(difference, list(_LEVELS.values())), strict=True)),
        **{key: [_of_draws(key, column) if total else np.nan for column in difference.T] for key in _CHANCES},
    }


def _mean_shortfall(difference: FloatArray) -> float:
    return float(np.maximum(-difference, 0.0).mean())


def _shortfall_when_worse(difference: FloatArray) -> float:
    worse = difference[difference < 0.0]
    return float(-worse.mean()) if worse.size else float("nan")


_CHANCES = {
    "probability_better": lambda difference: probability(difference > 0.0),
    "expected_loss": _mean_shortfall,
    "loss_if_worse": _shortfall_when_worse,
}


def _of_draws(key: str, difference: FloatArray) -> float:
    """A number over paired draws; missing for a single draw, and where both plans are the same."""
    if not has_spread(len(difference)) or not difference.any():
        return float("nan")
    return _CHANCES[key](difference)


def share_rows(allocation: Allocation) -> Mapping[str, Any]:
    """Each channel's part of the money, at the reference and in the plan, and the totals."""
    problem, plan = allocation.problem, allocation.best_spend
    rates = problem.money_rates
    columns = {
        "spend_reference": problem.reference,
        "spend_optimised": plan,
        "spend_reference_currency": rates * problem.reference,
        "spend_optimised_currency": rates * plan,
    }
    shares = {f"share_{when}": _shares(columns[f"spend_{when}_currency"]) for when in ("reference", "optimised")}
    return {
        "channel": [*problem.names, "TOTAL"],
        "is_total": [False] * len(plan) + [True],
        **{key: np.append(values, values.sum()) for key, values in columns.items()},
        **shares,
        "share_change": shares["share_optimised"] - shares["share_reference"],
    }


def _shares(money: FloatArray) -> FloatArray:
    """Parts of the total, and the total's own; missing when there is none."""
    total = float(money.sum())
    return np.append(money / total, 1.0) if total > 0.0 else np.full(len(money) + 1, np.nan)

"""Refuses budget problems that have no answer, and says which number stands in the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dsam_assets.errors import AllocationError

if TYPE_CHECKING:
    from dsam_assets.allocation.problem import Problem

# Sums of bounds are compared with the budget up to this share of it, so that 0.1 + 0.2 meets 0.3.
SUM_TOLERANCE = 1e-12

# The fewest draws that have a spread.
MIN_DRAWS = 2

# The scenario decides which plans are feasible.
SCENARIOS: Mapping[str, str] = {
    "max_response": "spend exactly budget.total",
    "target_efficiency": "spend as much as the target efficiency and budget.total allow",
}


def check_problem(problem: Problem) -> None:
    """Raise `AllocationError` unless the problem is well posed."""
    _check_names(problem)
    _check_total(problem)
    _check_draws(problem)
    _check_channels(problem)
    _check_choices(problem)
    _check_money(problem)
    _check_log(problem)
    _check_target(problem)
    _check_sums(problem)


def _check_names(problem: Problem) -> None:
    if not problem.channels:
        raise AllocationError(
            "There are no channels to allocate to.",
            where="allocation.channels",
            wanted="at least one channel",
            fix="List the channels with their terms and bounds.",
        )
    names = [channel.name for channel in problem.channels]
    terms = [" of ".join(filter(None, (channel.term, channel.unit))) for channel in problem.channels]
    for what, labels in (("name", names), ("term", terms)):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise AllocationError(
                f"A channel {what} occurs more than once.",
                where=f"allocation.channels[].{what}",
                got=", ".join(twice),
                wanted=f"every {what} once",
                fix="Remove or rename the duplicates.",
            )


def _check_draws(problem: Problem) -> None:
    draws = problem.coefficients
    if draws.ndim != 2 or draws.shape[1] != len(problem.channels) or draws.shape[0] < 1:
        raise AllocationError(
            "The posterior draws do not match the channels.",
            where="coefficients",
            got=f"shape {draws.shape}",
            wanted=f"shape (draws ≥ 1, {len(problem.channels)})",
            fix="Pass one column of draws per channel.",
        )
    if problem.risk != "mean" and len(draws) < MIN_DRAWS:
        raise AllocationError(
            "A point estimate has no spread of draws that a risk measure could weigh.",
            where="allocation.objective.risk.type",
            got=f"{problem.risk} with {len(draws)} draw",
            wanted=f"mean, or at least {MIN_DRAWS} draws",
            fix="Use risk type mean, or fit with fit.method: mcmc and allocation.posterior.draws of a few hundred.",
        )
    bad = ~np.isfinite(draws)
    if bad.any():
        terms = [c.term for c, column in zip(problem.channels, bad.T, strict=True) if column.any()]
        raise AllocationError(
            "Some posterior draws of the channels' coefficients are not finite.",
            where=", ".join(terms),
            got=f"{int(bad.sum())} of {draws.size} values are NaN or infinite",
            wanted="finite draws",
            fix="Check the fit's diagnostics and refit before allocating.",
        )


def _check_channels(problem: Problem) -> None:
    for channel in problem.channels:
        where = f"allocation channel `{channel.name}`"
        if not (np.isfinite(channel.lower) and channel.lower >= 0.0):
            raise AllocationError(
                "A spend minimum is not a number ≥ 0.",
                where=f"{where}, bounds.min",
                got=channel.lower,
                wanted="a finite number ≥ 0",
                fix="Set the minimum to a finite number ≥ 0.",
            )
        if not channel.upper >= channel.lower:
            raise AllocationError(
                "A spend maximum is below its minimum.",
                where=f"{where}, bounds",
                got=f"min {channel.lower:g}, max {channel.upper:g}",
                wanted="min ≤ max",
                fix="Raise the maximum or lower the minimum.",
            )
        if not (np.isfinite(channel.reference) and channel.reference >= 0.0):
            raise AllocationError(
                "A reference spend is not a number ≥ 0.",
                where=f"{where}, reference_spend",
                got=channel.reference,
                wanted="a finite number ≥ 0",
                fix="Set allocation.reference_spend, or correct the spend column.",
            )
        if not (np.isfinite(channel.currency_rate) and channel.currency_rate >= 0.0):
            raise AllocationError(
                "A channel's money per unit of spend is not a number ≥ 0.",
                where=f"{where}, currency_col",
                got=channel.currency_rate,
                wanted="a finite number ≥ 0",
                fix="Check the currency and spend columns of this channel.",
            )


def _check_choices(problem: Problem) -> None:
    from dsam_assets.allocation.objective import TARGETS
    from dsam_assets.allocation.problem import no_such_choice
    from dsam_assets.allocation.risk import RISKS

    for what, where, got, known in (
        ("scenario", "allocation.scenario", problem.scenario, SCENARIOS),
        ("objective", "allocation.objective.target", problem.target, TARGETS),
        ("risk measure", "allocation.objective.risk.type", problem.risk, RISKS),
    ):
        if got not in known:
            raise no_such_choice(what, where, got, list(known))
    if not (np.isfinite(problem.risk_lambda) and problem.risk_lambda >= 0.0):
        raise AllocationError(
            "The weight of the standard deviation is not a number ≥ 0.",
            where="allocation.objective.risk.lambda",
            got=problem.risk_lambda,
            wanted="a finite number ≥ 0",
            fix="Set lambda to 1 for a cautious plan, or use risk type mean.",
        )
    if not 0.0 < problem.risk_quantile < 1.0:
        raise AllocationError(
            "The level of the quantile is not between 0 and 1.",
            where="allocation.objective.risk.quantile",
            got=problem.risk_quantile,
            wanted="a number > 0 and < 1",
            fix="Set quantile to 0.1 for a plan that does well in 9 draws of 10.",
        )


def _check_money(problem: Problem) -> None:
    for key, number in (
        ("objective.value_per_kpi", problem.value_per_kpi),
        ("objective.kpi_baseline", problem.kpi_baseline),
        ("currency_scale", problem.currency_scale),
    ):
        if number is not None and not (np.isfinite(number) and number > 0.0):
            raise AllocationError(
                f"`{key}` is not a positive number.",
                where=f"allocation.{key}",
                got=number,
                wanted="a finite number > 0",
                fix="Set it to a positive number, or leave it out.",
            )
    if problem.target == "profit" and problem.value_per_kpi is None:
        raise AllocationError(
            "Profit cannot be computed without the value of a KPI unit.",
            where="allocation.objective.value_per_kpi",
            wanted="a number > 0",
            fix="Set value_per_kpi (1 for a KPI in money), or use target: kpi_uplift.",
        )


def _check_log(problem: Problem) -> None:
    if not problem.relative:
        return
    efficiency = problem.scenario == "target_efficiency"
    if problem.target == "profit" or efficiency or not problem.allow_relative_log_uplift:
        needs = "profit needs KPI units" if problem.target == "profit" else "KPI units"
        needs = "an efficiency needs KPI units" if efficiency else needs
        raise AllocationError(
            "A model of log(KPI) gives relative changes; without a baseline they have no KPI units.",
            where="allocation.objective.kpi_baseline",
            wanted=f"the KPI per period at the reference spend ({needs})",
            fix="Set kpi_baseline, or for kpi_uplift set allow_relative_log_uplift: true.",
        )


def _check_target(problem: Problem) -> None:
    value = problem.target_value
    if problem.scenario != "target_efficiency" or (value is not None and np.isfinite(value) and value > 0.0):
        return
    raise AllocationError(
        "A target efficiency is missing.",
        where="allocation.target_value",
        got=value,
        wanted="a number > 0: the least ROI, or for kpi_type subscriptions the largest cost per KPI unit",
        fix="Set allocation.target_value, or use scenario: max_response.",
    )


def _check_total(problem: Problem) -> None:
    total = problem.total
    if problem.scenario == "target_efficiency" and total == np.inf:
        if not np.isfinite(problem.upper.sum()) or problem.upper.sum() <= 0.0:
            raise AllocationError(
                "Nothing limits the spend of a target_efficiency plan, or its limits allow none.",
                where="allocation.channels[].bounds.max",
                got=f"maxima sum to {float(problem.upper.sum()):g}",
                wanted="finite maxima, one of them > 0, or a budget.total",
                fix="Write the largest spend that each channel could take.",
            )
        return
    if not (np.isfinite(total) and total > 0.0):
        raise AllocationError(
            "The budget is not a positive number.",
            where="allocation.budget.total",
            got=total,
            wanted="a finite number > 0",
            fix="Set the budget per period, in the units of the spend columns.",
        )


def _check_sums(problem: Problem) -> None:
    total = problem.total
    slack = SUM_TOLERANCE * total
    least, most = float(problem.lower.sum()), float(problem.upper.sum())
    if least > total + slack:
        raise AllocationError(
            "The channels' minimum spends exceed the budget.",
            where="allocation.channels[].bounds.min",
            got=f"minima sum to {least:,.12g}, budget is {total:,.12g}: {least - total:,.12g} too much",
            wanted="sum of minima ≤ budget.total",
            fix="Raise budget.total or lower some minima.",
        )
    if problem.scenario == "max_response" and most < total - slack:
        raise AllocationError(
            "The channels' maximum spends cannot take the whole budget.",
            where="allocation.channels[].bounds.max",
            got=f"maxima sum to {most:,.12g}, budget is {total:,.12g}: {total - most:,.12g} is left over",
            wanted="sum of maxima ≥ budget.total",
            fix="Lower budget.total or raise some maxima.",
        )

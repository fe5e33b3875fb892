"""Builds a `Problem` from the config's allocation section, the posterior draws and the modelled rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.allocation.problem import Channel, KpiType, Problem
from dsam_assets.design.response import response_from
from dsam_assets.errors import AllocationError
from dsam_assets.scales import FloatArray, ResponseScale

# Used when allocation.seed is null: a plan must not depend on when it was made.
SEED_WHEN_NULL = 0
_THINNING_STREAM = 0


@dataclass(frozen=True, eq=False)
class UnitData:
    """What a plan knows of one unit: of the panel's average group, of one group, or of each.

    Attributes:
        name: the group's label; empty for the average.
        coefficients: posterior draws of the K coefficients on the original scale, shape (S, K).
        frame: its modelled rows; spend means, maxima and currency rates come from here.
        kpi: its mean KPI per period; only ratios matter, and only under a log response of several units.
    """

    name: str
    coefficients: FloatArray
    frame: pd.DataFrame
    kpi: float = 1.0


def problem_from_config(
    section: Any,
    *,
    terms: Sequence[str],
    coefficients: FloatArray,
    frame: pd.DataFrame,
    response_scale: ResponseScale,
    kpi_type: KpiType = "revenue",
) -> Problem:
    """The budget problem that the config describes, for one set of coefficients; `panel_problem` says more.

    Args:
        section: `config.allocation`, with the specification's key names as attributes.
        terms: names of the K coefficients.
        coefficients: posterior draws on the original scale, shape (S, K).
        frame: the modelled rows only.
        response_scale: scale of the model's response.
        kpi_type: `model.kpi_type`.
    """
    units = [UnitData("", coefficients, frame)]
    return panel_problem(section, terms=terms, units=units, response_scale=response_scale, kpi_type=kpi_type)


def panel_problem(
    section: Any,
    *,
    terms: Sequence[str],
    units: Sequence[UnitData],
    response_scale: ResponseScale,
    kpi_type: KpiType = "revenue",
) -> Problem:
    """The budget problem that the config describes, over one unit or several.

    With several units every channel is a decision of each, named `TV (north)`. Bounds, responses and a given reference
    are those of a channel in one unit; the budget and the KPI baseline are those of all units together, and the
    baseline is divided as the observed KPI is.

    Returns:
        The problem, with at most `allocation.posterior.draws` draws, chosen at random without replacement by the seed.
        A channel's currency rate is Σ currency_col / Σ spend_col over the modelled rows, 1 without a currency column.

    Raises:
        AllocationError: a term, column or number is missing or cannot be used, or the problem is infeasible.
    """
    seed = SEED_WHEN_NULL if section.seed is None else int(section.seed)
    columns = _term_positions([channel.term for channel in section.channels], terms)
    kept = _kept_draws(len(units[0].coefficients), section.posterior.draws, seed)
    several, whole = len(units) > 1, sum(unit.kpi for unit in units)
    channels = [channel for unit in units for channel in _unit_channels(section, unit, several)]
    goal = section.objective
    return Problem(
        channels=tuple(channels),
        coefficients=np.concatenate([unit.coefficients[kept][:, columns] for unit in units], axis=1),
        total=_budget(section),
        response_scale=response_scale,
        scenario=section.scenario,
        target=goal.target,
        risk=goal.risk.type,
        target_value=section.target_value,
        risk_lambda=goal.risk.lambda_,
        risk_quantile=goal.risk.quantile,
        value_per_kpi=goal.value_per_kpi,
        kpi_baseline=goal.kpi_baseline,
        unit_shares={unit.name: unit.kpi / whole for unit in units} if several else {},
        allow_relative_log_uplift=goal.allow_relative_log_uplift,
        currency_scale=1.0 if section.currency_scale is None else float(section.currency_scale),
        kpi_type=kpi_type,
        n_candidates=int(section.n_candidates),
        seed=seed,
    )


def _unit_channels(section: Any, unit: UnitData, several: bool) -> list[Channel]:
    references = _references(section, unit.frame)
    channels = [_channel(row, spend, unit.frame) for row, spend in zip(section.channels, references, strict=True)]
    return [
        replace(channel, unit=unit.name, name=f"{channel.name} ({unit.name})" if several else channel.name)
        for channel in channels
    ]


def _budget(section: Any) -> float:
    if section.budget.total is None and section.scenario == "target_efficiency":
        return float("inf")
    if section.budget.total is None:
        raise AllocationError(
            "The budget is missing.",
            where="allocation.budget.total",
            wanted="a number > 0: spend per period over all channels",
            fix="Set allocation.budget.total.",
        )
    return float(section.budget.total)


def _term_positions(wanted: Sequence[str], terms: Sequence[str]) -> list[int]:
    missing = [term for term in wanted if term not in terms]
    if missing:
        raise AllocationError(
            "Some channels' terms have no posterior coefficients.",
            where="allocation.channels[].term",
            got=", ".join(missing),
            wanted="terms of the model: " + ", ".join(terms),
            fix="Use the term's name exactly as the model shows it.",
        )
    return [list(terms).index(term) for term in wanted]


def _kept_draws(available: int, wanted: int | None, seed: int) -> np.ndarray:
    if wanted is None or available <= wanted:
        return np.arange(available)
    rng = np.random.default_rng([seed, _THINNING_STREAM])
    return np.sort(rng.choice(available, size=wanted, replace=False))


def _name(channel: Any) -> str:
    return str(channel.term if channel.name is None else channel.name)


def _spend_col(channel: Any) -> str:
    return _name(channel) if channel.spend_col is None else str(channel.spend_col)


def _channel(channel: Any, reference: float, frame: pd.DataFrame) -> Channel:
    name, spend_col = _name(channel), _spend_col(channel)
    known = spend_col in frame.columns
    rate = 1.0 if channel.currency_col is None else _currency_rate(frame, name, spend_col, str(channel.currency_col))
    upper = channel.bounds.max
    return Channel(
        name=name,
        term=str(channel.term),
        response=response_from(channel.response),
        lower=float(channel.bounds.min),
        upper=float("inf") if upper is None else float(upper),
        reference=reference,
        observed_max=float(_numbers(frame, name, spend_col).max()) if known else float("nan"),
        currency_rate=rate,
    )


def _references(section: Any, frame: pd.DataFrame) -> list[float]:
    """Reference per channel: as given (one number for all, a list in order, or by name), else the spend's mean."""
    given, names = section.reference_spend, [_name(channel) for channel in section.channels]
    if given is None:
        return [float(_numbers(frame, _name(c), _spend_col(c)).mean()) for c in section.channels]
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise _reference_mismatch(", ".join(map(str, given)), "one entry per channel: " + ", ".join(names))
        return [float(given[name]) for name in names]
    if isinstance(given, Sequence):
        if len(given) != len(names):
            raise _reference_mismatch(f"{len(given)} numbers", f"{len(names)} numbers, in the channels' order")
        return [float(number) for number in given]
    return [float(given)] * len(names)


def _reference_mismatch(got: str, wanted: str) -> AllocationError:
    return AllocationError(
        "The reference spend does not match the channels.",
        where="allocation.reference_spend",
        got=got,
        wanted=wanted,
        fix="Give one reference per channel, or leave it out to use the mean of each spend column.",
    )


def _numbers(frame: pd.DataFrame, name: str, column: str) -> FloatArray:
    """A column of the modelled rows as finite numbers."""
    where = f"allocation channel `{name}`, column `{column}`"
    if column not in frame.columns:
        raise AllocationError(
            "A channel's column is not in the data.",
            where=where,
            wanted="a column of the data: " + ", ".join(map(str, frame.columns)),
            fix="Correct spend_col or currency_col; without a spend column, give allocation.reference_spend.",
        )
    try:
        numbers = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise AllocationError(
            "A channel's column is not numeric.", where=where, got=str(frame[column].dtype), fix="Use a numeric column."
        ) from error
    bad = int((~np.isfinite(numbers)).sum())
    if bad or not len(numbers):
        raise AllocationError(
            "A channel's column has missing or infinite values in the modelled rows.",
            where=where,
            got=f"{bad} of {len(numbers)} rows",
            wanted="a finite number in every modelled row",
            fix="Fill the gaps (0 for no spend), or choose another column.",
        )
    return numbers


def _currency_rate(frame: pd.DataFrame, name: str, spend_col: str, currency_col: str) -> float:
    spend, money = float(_numbers(frame, name, spend_col).sum()), float(_numbers(frame, name, currency_col).sum())
    if spend <= 0.0:
        raise AllocationError(
            "Money per unit of spend cannot be computed: the spend column sums to nothing.",
            where=f"allocation channel `{name}`, column `{spend_col}`",
            got=spend,
            wanted="a sum > 0",
            fix="Correct spend_col, or leave currency_col out.",
        )
    return money / spend

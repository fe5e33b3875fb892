"""The budget problem: channels, posterior draws, bounds and what is to be maximised.

A `Problem` that exists is well posed: it is checked when it is made. Spend is per period (per modelled row, as the mean
of the spend column is), in the units of each channel's spend column; money is spend × currency rate × currency scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.response import Response, ResponseBank
from dsam_assets.errors import AllocationError
from dsam_assets.scales import FloatArray, ResponseScale

KpiType = Literal["revenue", "subscriptions"]


@dataclass(frozen=True)
class Channel:
    """One spend decision.

    Attributes:
        name: label, unique.
        term: the model term whose coefficient multiplies the response.
        response: spend → value in the linear predictor.
        lower: smallest spend per period, ≥ 0.
        upper: largest spend per period; may be inf, because nothing beyond the budget can be spent anyway.
        reference: spend per period that the plan is compared with.
        observed_max: largest spend in the modelled rows; NaN when the spend column is not in the data.
        currency_rate: money per unit of the spend column.
        unit: panel unit whose rows the spend reaches; empty when the decision is not one of several units'.
        held: why the spend is kept at its reference; empty when it is free.
    """

    name: str
    term: str
    response: Response
    lower: float
    upper: float
    reference: float
    observed_max: float = float("nan")
    currency_rate: float = 1.0
    unit: str = ""
    held: str = ""


@dataclass(frozen=True, eq=False)
class Problem:
    """What to allocate, under what, for what.

    Attributes:
        channels: C channels.
        coefficients: posterior draws of the channels' coefficients on the original scale, shape (S, C).
        total: the budget per period; every plan sums to it. For `target_efficiency` the most that may be spent, inf for
            as much as the maxima allow.
        response_scale: `identity`, or `log` when the model's response is log(KPI).
        scenario: what is fixed and what is sought; a key of `SCENARIOS`.
        target: `kpi_uplift` or `profit`.
        risk: how draws of the objective become one score; a key of `risk.RISKS`.
        risk_lambda: weight of the standard deviation in `mean_minus_sd`.
        risk_quantile: level of `quantile`.
        target_value: for `target_efficiency`, the least ROI or the largest cost per KPI unit.
        value_per_kpi: money per KPI unit; needed for profit.
        kpi_baseline: KPI per period at the reference spend, over all panel units; turns a log model's relative change
            into KPI units.
        unit_shares: each panel unit's share of that KPI; empty for one unit, or for equal shares.
        allow_relative_log_uplift: accept relative changes when a log model has no baseline.
        currency_scale: money per unit of `currency_rate × spend`.
        kpi_type: revenue is judged by ROI, subscriptions by cost per KPI unit.
        n_candidates: size of the random audit.
        seed: seed of everything random.

    Raises:
        AllocationError: the problem is infeasible or ill posed.
    """

    channels: tuple[Channel, ...]
    coefficients: FloatArray
    total: float
    response_scale: ResponseScale = "identity"
    scenario: str = "max_response"
    target: str = "kpi_uplift"
    risk: str = "mean"
    risk_lambda: float = 0.0
    risk_quantile: float = 0.1
    target_value: float | None = None
    value_per_kpi: float | None = None
    kpi_baseline: float | None = None
    unit_shares: Mapping[str, float] = field(default_factory=dict)
    allow_relative_log_uplift: bool = False
    currency_scale: float = 1.0
    kpi_type: KpiType = "revenue"
    n_candidates: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        from dsam_assets.allocation.feasibility import check_problem

        check_problem(self)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(channel.name for channel in self.channels)

    @cached_property
    def bank(self) -> ResponseBank:
        return ResponseBank(tuple(channel.response for channel in self.channels))

    @cached_property
    def lower(self) -> FloatArray:
        """Smallest spend per channel, shape (C,)."""
        return np.array([channel.lower for channel in self.channels], dtype=np.float64)

    @cached_property
    def upper(self) -> FloatArray:
        """Largest spend per channel as configured, shape (C,); may hold inf."""
        return np.array([channel.upper for channel in self.channels], dtype=np.float64)

    @cached_property
    def reach(self) -> FloatArray:
        """Largest spend per channel that a feasible plan can hold, always finite, shape (C,)."""
        return np.minimum(self.upper, np.maximum(self.total - (self.lower.sum() - self.lower), self.lower))

    @cached_property
    def most(self) -> float:
        """The most that a plan can spend: the budget, or what the channels' maxima take."""
        return min(self.total, float(self.upper.sum()))

    @cached_property
    def reference(self) -> FloatArray:
        """Reference spend per channel, shape (C,)."""
        return np.array([channel.reference for channel in self.channels], dtype=np.float64)

    @cached_property
    def observed_max(self) -> FloatArray:
        """Largest observed spend per channel, NaN when unknown, shape (C,)."""
        return np.array([channel.observed_max for channel in self.channels], dtype=np.float64)

    @cached_property
    def money_rates(self) -> FloatArray:
        """Money per unit of spend: currency rate × currency scale, shape (C,)."""
        return self.currency_scale * np.array([channel.currency_rate for channel in self.channels], dtype=np.float64)

    @cached_property
    def units(self) -> tuple[str, ...]:
        """Panel units that the channels belong to, in order of appearance; one unnamed unit without a panel."""
        return tuple(dict.fromkeys(channel.unit for channel in self.channels))

    @cached_property
    def unit_positions(self) -> tuple[NDArray[np.intp], ...]:
        """Positions of each panel unit's channels."""
        labels = np.array([channel.unit for channel in self.channels])
        return tuple(np.flatnonzero(labels == unit) for unit in self.units)

    @cached_property
    def unit_weights(self) -> FloatArray:
        """Each panel unit's share of the KPI, shape (U,)."""
        equal = 1.0 / len(self.units)
        return np.array([self.unit_shares.get(unit, equal) for unit in self.units])

    @property
    def relative(self) -> bool:
        """Whether KPI changes are shares of an unknown baseline."""
        return self.response_scale == "log" and self.kpi_baseline is None

    @property
    def response_unit(self) -> str:
        return "relative" if self.relative else "kpi"

    @property
    def objective_unit(self) -> str:
        in_money = self.target == "profit"
        if self.target == "efficiency_margin":
            in_money = self.value_per_kpi is not None and self.kpi_type == "revenue"
        return "currency" if in_money else self.response_unit

    @property
    def reference_feasible(self) -> bool:
        """Whether the reference itself is a plan that could be chosen."""
        slack = 1e-9 * self.total
        inside = np.all(self.reference >= self.lower - slack) and np.all(self.reference <= self.upper + slack)
        return bool(inside and abs(float(self.reference.sum()) - self.total) <= slack)

    def reordered(self, order: NDArray[np.intp]) -> Problem:
        """The same problem with its channels in another order."""
        channels = tuple(self.channels[i] for i in order)
        return replace(self, channels=channels, coefficients=np.ascontiguousarray(self.coefficients[:, order]))


def no_such_choice(what: str, where: str, got: str, known: list[str]) -> AllocationError:
    """The error for a name that this version does not offer."""
    return AllocationError(
        f"This {what} is not available.",
        where=where,
        got=got,
        wanted=" or ".join(known),
        fix=f"Choose an available {what}.",
    )

"""What a plan is worth, draw by draw, as one score, and how the score changes with spend.

    Δη_du(s)  = Σ_c β_dc · (f_c(s_c) − f_c(ref_c))      over the channels c of panel unit u
    ΔKPI_d    = Σ_u Δη_du                               identity response
              = Σ_u baseline_u · (exp(Δη_du) − 1)       log response; baselines that sum to 1 give the relative change
    Δspend    = Σ_c rate_c · (s_c − ref_c)              money
    objective = kpi_weight · ΔKPI_d − spend_weight · Δspend
    score     = risk(objective_1, …, objective_S)

The margin over an efficiency target counts KPI and spend from zero spend instead of from the reference. Without a panel
there is one unit. On the log scale the noise's factor exp(σ²/2) belongs to the baseline, which is a KPI level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.risk import RISKS, Risk, quantile
from dsam_assets.allocation.water_filling import Separable, water_fill
from dsam_assets.errors import AllocationError
from dsam_assets.scales import FloatArray

# Draws × candidates held in memory at once (32 MB).
_BLOCK = 4_000_000
MARGIN = "efficiency_margin"


@dataclass(frozen=True)
class Target:
    """Weights of a KPI unit and of a unit of money in the objective, and whether both count from zero spend."""

    kpi: float
    spend: float
    from_zero: bool = False


def _margin(problem: Problem) -> Target:
    """value · response − target · money, which is ≥ 0 exactly when the plan is as efficient as the target asks."""
    wanted = float(problem.target_value or 0.0)
    if problem.kpi_type == "subscriptions":
        return Target(kpi=1.0, spend=1.0 / wanted, from_zero=True)
    return Target(kpi=float(problem.value_per_kpi or 1.0), spend=wanted, from_zero=True)


TARGETS: Mapping[str, Callable[[Problem], Target]] = {
    "kpi_uplift": lambda problem: Target(kpi=1.0, spend=0.0),
    "profit": lambda problem: Target(kpi=float(problem.value_per_kpi or 0.0), spend=1.0),
    MARGIN: _margin,
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a plan changes against the reference.

    Attributes:
        kpi: change of the KPI per period, in KPI units or relative, shape (S,).
        spend: change of spend per period, in money.
        objective: draws of the objective, shape (S,).
    """

    kpi: FloatArray
    spend: float
    objective: FloatArray


@dataclass(frozen=True, eq=False)
class Objective:
    """A problem's score as a function of the plan, with its gradient.

    Attributes:
        problem: what is asked.
        smoothing: width in rank by which a quantile is smoothed; 0 is the score itself.
    """

    problem: Problem
    smoothing: float = 0.0

    @cached_property
    def target(self) -> Target:
        return TARGETS[self.problem.target](self.problem)

    @cached_property
    def risk(self) -> Risk:
        if self.smoothing and self.problem.risk == "quantile":
            return quantile(self.problem.risk_quantile, self.smoothing)
        return RISKS[self.problem.risk](self.problem)

    @cached_property
    def _reference_value(self) -> FloatArray:
        return self.problem.bank.value(self.problem.reference)

    @property
    def _is_log(self) -> bool:
        return self.problem.response_scale == "log"

    @cached_property
    def levels(self) -> FloatArray:
        """KPI units per unit of relative change of each panel unit, shape (U,); 1 for an identity response."""
        if not self._is_log:
            return np.ones(len(self.problem.unit_positions))
        return (self.problem.kpi_baseline or 1.0) * self.problem.unit_weights

    @cached_property
    def channel_levels(self) -> FloatArray:
        """The level of each channel's panel unit, shape (C,)."""
        out = np.empty(len(self.problem.channels))
        for level, positions in zip(self.levels, self.problem.unit_positions, strict=True):
            out[positions] = level
        return out

    @property
    def separable(self) -> bool:
        """Whether the score is a sum of one function per channel."""
        return self.risk.linear and not self._is_log

    @property
    def bounded(self) -> bool:
        """Whether a linearisation in the responses is an upper bound on the score: it is concave in them."""
        return self.risk.concave and not self._is_log

    def _changes(self, spends: FloatArray) -> FloatArray:
        """f_c(s_c) − f_c(ref_c), shape (…, C)."""
        return self.problem.bank.value(spends) - self._reference_value

    def _kpi(self, spends: FloatArray) -> FloatArray:
        """ΔKPI, shape (N, C) → (S, N)."""
        changes = self._changes(spends)
        if not self._is_log:
            return self.problem.coefficients @ changes.T
        total = np.zeros((len(self.problem.coefficients), len(spends)))
        with np.errstate(over="ignore"):
            for level, positions in zip(self.levels, self.problem.unit_positions, strict=True):
                total += level * np.expm1(self.problem.coefficients[:, positions] @ changes[:, positions].T)
        return total

    @cached_property
    def _kpi_origin(self) -> FloatArray | float:
        """ΔKPI where the objective counts from: that of no spend, or of the reference; shape (S, 1)."""
        zero = np.zeros((1, len(self.problem.channels)))
        return self._kpi(zero) if self.target.from_zero else 0.0

    def _money(self, spends: FloatArray) -> FloatArray:
        return (spends - self.problem.reference) @ self.problem.money_rates

    @cached_property
    def _money_origin(self) -> float:
        return -float(self.problem.reference @ self.problem.money_rates) if self.target.from_zero else 0.0

    def _draws(self, kpi: FloatArray, money: FloatArray) -> FloatArray:
        """Draws of the objective from ΔKPI (S, N) and Δspend (N,)."""
        return self.target.kpi * (kpi - self._kpi_origin) - self.target.spend * (money - self._money_origin)

    def outcome(self, spend: FloatArray) -> Outcome:
        """Draws of what the plan changes; `spend` has shape (C,)."""
        kpi, money = self._kpi(spend[None, :]), self._money(spend[None, :])
        return Outcome(kpi=kpi[:, 0], spend=float(money[0]), objective=self._draws(kpi, money)[:, 0])

    def score(self, spend: FloatArray) -> float:
        """The plan's score; 0 at the reference, or for a margin at zero spend."""
        return float(self.risk.score(self.outcome(spend).objective))

    def scores(self, spends: FloatArray) -> FloatArray:
        """Scores of N plans, shape (N, C) → (N,), in blocks so that memory stays bounded."""
        rows = max(1, _BLOCK // len(self.problem.coefficients))
        blocks = [self._block_scores(spends[i : i + rows]) for i in range(0, len(spends), rows)]
        return np.concatenate(blocks) if blocks else np.empty(0)

    def _block_scores(self, spends: FloatArray) -> FloatArray:
        scores = self.risk.score(self._draws(self._kpi(spends), self._money(spends)))
        if not np.isfinite(scores).all():
            links = self.problem.coefficients @ self._changes(spends).T
            raise AllocationError(
                "Some feasible plans have no finite outcome: exp of the linear predictor's change overflows.",
                where="allocation.channels",
                got=f"changes of log(KPI) up to {float(np.abs(links).max()):.3g}",
                wanted="changes of log(KPI) well below 700",
                fix="Tighten the channels' maxima, and check that each response type is the one used in the formula.",
            )
        return scores

    def response_slopes(self, spend: FloatArray) -> FloatArray:
        """∂objective_d/∂f_c at the plan, shape (S, C), without the cost of the spend."""
        slopes = self.target.kpi * self.problem.coefficients
        if not self._is_log:
            return slopes
        changes, slopes = self._changes(spend), slopes.copy()
        for level, positions in zip(self.levels, self.problem.unit_positions, strict=True):
            link = self.problem.coefficients[:, positions] @ changes[positions]
            slopes[:, positions] *= level * np.exp(link)[:, None]
        return slopes

    def draw_slopes(self, spend: FloatArray) -> FloatArray:
        """∂objective_d/∂spend_c at the plan, shape (S, C)."""
        costs = self.target.spend * self.problem.money_rates
        return self.response_slopes(spend) * self.problem.bank.derivative(spend) - costs

    def response_weights(self, spend: FloatArray) -> FloatArray:
        """∂score/∂f_c at the plan, shape (C,): what a unit of the transformed spend is worth."""
        weights = self.risk.weights(self.outcome(spend).objective)
        return weights @ self.response_slopes(spend)

    def costs(self, spend: FloatArray) -> FloatArray:
        """What a unit of spend takes from the score, shape (C,)."""
        total_weight = 1.0 if self.risk.linear else float(self.risk.weights(self.outcome(spend).objective).sum())
        return self.target.spend * total_weight * self.problem.money_rates

    def gradient(self, spend: FloatArray) -> FloatArray:
        """∂score/∂spend_c, shape (C,); infinite where a hill response with n < 1 has no spend."""
        weights = self.response_weights(spend)
        slope = self.problem.bank.derivative(spend)
        # A worthless response stays worthless where its slope is infinite.
        gain = np.multiply(weights, slope, out=np.zeros_like(weights), where=weights != 0.0)
        return gain - self.costs(spend)

    def linearised(self, spend: FloatArray, lower: FloatArray, upper: FloatArray) -> Separable:
        """The sum of one function per channel that touches the score at `spend`; the score itself when separable."""
        return Separable(
            bank=self.problem.bank,
            weights=self.response_weights(spend),
            costs=self.costs(spend),
            lower=lower,
            upper=upper,
            total=self.problem.total,
            reference=self.problem.reference,
        )

    def separable_form(self) -> Separable:
        """The linearisation over the whole box of feasible spends."""
        return self.linearised(self.problem.reference, self.problem.lower, self.problem.reach)

    def bound(self, spend: FloatArray) -> tuple[float, bool] | None:
        """No feasible plan has a larger score than the first; the second says whether a KKT point must reach it.

        The score is concave in the responses, so its linearisation at the plan lies nowhere below it, and the dual of
        the linearised problem bounds that. None where the score is not concave in the responses.
        """
        if not self.bounded:
            return None
        touching = self.linearised(spend, self.problem.lower, self.problem.reach)
        return water_fill(touching).bound - touching.value(spend) + self.score(spend), touching.concave

    def magnitude(self, spend: FloatArray) -> float:
        """What a share of the score is a share of: the score, or for a margin the larger side of the difference."""
        size = abs(self.score(spend))
        return max(size, self.target.spend * float(spend @ self.problem.money_rates)) if self.target.from_zero else size

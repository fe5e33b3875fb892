"""What a plan is worth, draw by draw, as one score, and how the score changes with spend.

    Δη_d(s)   = Σ_c β_dc · (f_c(s_c) − f_c(ref_c))
    ΔKPI_d    = Δη_d                              identity response
              = baseline · (exp(Δη_d) − 1)        log response; baseline 1 gives the relative change
    Δspend    = Σ_c rate_c · (s_c − ref_c)        money
    objective = kpi_weight · ΔKPI_d − spend_weight · Δspend
    score     = risk(objective_1, …, objective_S)

A target is a pair of weights, a risk is a function of the objective's draws with its derivative: further targets and
risks are further entries. On the log scale the noise's factor exp(σ²/2) belongs to the baseline, which is a KPI level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dsam_assets.allocation.problem import Problem
from dsam_assets.allocation.water_filling import Separable
from dsam_assets.errors import AllocationError
from dsam_assets.scales import FloatArray

# Draws × candidates held in memory at once (32 MB).
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Target:
    """Weights of a KPI unit and of a unit of money spent in the objective."""

    kpi: float
    spend: float


@dataclass(frozen=True)
class Risk:
    """How draws of the objective become one score.

    Attributes:
        score: draws (S, …) → (…).
        weights: ∂score/∂draws at draws (S,) → (S,).
        linear: whether the weights are the same everywhere.
    """

    score: Callable[[FloatArray], FloatArray]
    weights: Callable[[FloatArray], FloatArray]
    linear: bool


TARGETS: Mapping[str, Callable[[Problem], Target]] = {
    "kpi_uplift": lambda problem: Target(kpi=1.0, spend=0.0),
    "profit": lambda problem: Target(kpi=float(problem.value_per_kpi or 0.0), spend=1.0),
}

RISKS: Mapping[str, Risk] = {
    "mean": Risk(
        score=lambda draws: np.asarray(draws.mean(axis=0)),
        weights=lambda draws: np.full(len(draws), 1.0 / len(draws)),
        linear=True,
    ),
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
    """A problem's score as a function of the plan, with its gradient."""

    problem: Problem

    @cached_property
    def target(self) -> Target:
        return TARGETS[self.problem.target](self.problem)

    @cached_property
    def risk(self) -> Risk:
        return RISKS[self.problem.risk]

    @cached_property
    def _reference_value(self) -> FloatArray:
        return self.problem.bank.value(self.problem.reference)

    @property
    def _is_log(self) -> bool:
        return self.problem.response_scale == "log"

    @property
    def level(self) -> float:
        """KPI units per unit of relative change; 1 for an identity response and for relative output."""
        return self.problem.kpi_baseline or 1.0 if self._is_log else 1.0

    @property
    def separable(self) -> bool:
        """Whether the score is a sum of one function per channel."""
        return self.risk.linear and not self._is_log

    def _link(self, spends: FloatArray) -> FloatArray:
        """Δη, shape (N, C) → (S, N)."""
        return self.problem.coefficients @ (self.problem.bank.value(spends) - self._reference_value).T

    def _kpi(self, link: FloatArray) -> FloatArray:
        if not self._is_log:
            return link
        with np.errstate(over="ignore"):
            return self.level * np.expm1(link)

    def _money(self, spends: FloatArray) -> FloatArray:
        return (spends - self.problem.reference) @ self.problem.money_rates

    def outcome(self, spend: FloatArray) -> Outcome:
        """Draws of what the plan changes; `spend` has shape (C,)."""
        kpi = self._kpi(self._link(spend[None, :]))[:, 0]
        money = float(self._money(spend[None, :])[0])
        return Outcome(kpi=kpi, spend=money, objective=self.target.kpi * kpi - self.target.spend * money)

    def score(self, spend: FloatArray) -> float:
        """The plan's score; 0 at the reference."""
        return float(self.risk.score(self.outcome(spend).objective))

    def scores(self, spends: FloatArray) -> FloatArray:
        """Scores of N plans, shape (N, C) → (N,), in blocks so that memory stays bounded."""
        rows = max(1, _BLOCK // len(self.problem.coefficients))
        blocks = [self._block_scores(spends[i : i + rows]) for i in range(0, len(spends), rows)]
        return np.concatenate(blocks) if blocks else np.empty(0)

    def _block_scores(self, spends: FloatArray) -> FloatArray:
        kpi = self._kpi(self._link(spends))
        scores = self.risk.score(self.target.kpi * kpi - self.target.spend * self._money(spends))
        if not np.isfinite(scores).all():
            raise AllocationError(
                "Some feasible plans have no finite outcome: exp of the linear predictor's change overflows.",
                where="allocation.channels",
                got=f"changes of log(KPI) up to {float(np.abs(self._link(spends)).max()):.3g}",
                wanted="changes of log(KPI) well below 700",
                fix="Tighten the channels' maxima, and check that each response type is the one used in the formula.",
            )
        return scores

    def response_weights(self, spend: FloatArray) -> FloatArray:
        """∂score/∂f_c at the plan, shape (C,): what a unit of the transformed spend is worth."""
        outcome = self.outcome(spend)
        draw_weights = self.target.kpi * self.risk.weights(outcome.objective)
        if self._is_log:
            draw_weights = draw_weights * (outcome.kpi + self.level)
        return draw_weights @ self.problem.coefficients

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

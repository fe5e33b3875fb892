"""How much the data say about each channel: what a recommendation about it rests on.

**Contraction** is 1 − var(posterior) / var(prior), both within the coefficient's boundaries: near 1 the data made the
estimate, near 0 the prior did (Betancourt, "Towards a principled Bayesian workflow", 2020). For a normal prior and a
normal likelihood, contraction below 0.5 means that the prior has more weight in the posterior mean than the data have.
In a pooled model a channel's coefficient is the sum of its labels': its prior variance is the sum of theirs.

**Boundary share** is the largest share of draws next to a finite boundary (`diagnostics.boundary_hits`; in a pooled
model, of any of its labels'): above 10 % the boundary, which is part of the prior too, holds the estimate up.

**Baseline correlation** is the largest |r| of the channel's column with a column of trend, season or holidays: above
0.95 the model cannot say which of the two made a week's KPI.

A channel is *weak* when any of these is beyond its limit in `LIMITS`, or when the contraction is not known: what was
not computed is no evidence. The other two may be missing, when there is no boundary or no baseline column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from dsam_assets.design.vif import correlations
from dsam_assets.diagnostics.boundary_hits import boundary_hits
from dsam_assets.diagnostics.risk_register import truncated_sd
from dsam_assets.diagnostics.thresholds import Threshold, judge
from dsam_assets.fit.spread import deviation

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

COLUMNS = ("channel", "term", "contraction", "boundary_share", "max_baseline_corr", "weak", "why")
POINT = "a point estimate has no spread, so what the data add to the prior is not known"
UNKNOWN = "what the data add to the prior could not be computed"


class ChannelLike(Protocol):
    """A channel of the config's section `allocation`."""

    @property
    def name(self) -> str: ...
    @property
    def term(self) -> str: ...


@dataclass(frozen=True)
class Limit:
    """Beyond what a number makes a channel weak, and what that means, with `{value}` for the number."""

    threshold: Threshold
    reason: str


LIMITS: Mapping[str, Limit] = {
    "contraction": Limit(Threshold("below", 0.5, 0.5), "the prior weighs more than the data (contraction {value:.2f})"),
    "boundary_share": Limit(
        Threshold("above", 0.10, 0.10), "a boundary holds the estimate ({value:.0%} of its draws lie next to it)"
    ),
    "max_baseline_corr": Limit(
        Threshold("above", 0.95, 0.95), "it cannot be told from a baseline term (|r| {value:.2f})"
    ),
}


def channel_evidence(
    channels: Sequence[ChannelLike],
    draws: Draws,
    matrix: ModelMatrix,
    prior_table: pd.DataFrame,
    baseline: Sequence[str] = (),
    limits: Mapping[str, Limit] = LIMITS,
) -> pd.DataFrame:
    """What the data say about each channel's (population) coefficient, and whether that is weak.

    Args:
        channels: `name` and `term` of each.
        draws: the fit.
        matrix: the model's rows.
        prior_table: as `design.model_design.design_prior_table` makes it.
        baseline: terms of trend, season and holidays, as `term_groups.baseline_terms` lists them.
        limits: beyond what a number makes a channel weak.

    Returns:
        One row per channel, in their order: `channel`, `term`, `contraction`, `boundary_share`, `max_baseline_corr`
        (NaN where there is none), `weak`, `why` (reasons separated by `; `, empty for a channel that is not weak).
    """
    hits = boundary_hits(draws, prior_table, "publish").groupby("parameter")["hit_frac"].max()
    correlated = _baseline_correlations(matrix, baseline)
    prior = prior_table.set_index("parameter")
    rows = []
    for channel in channels:
        parameters = _parameters(channel.term, matrix)
        numbers = {
            "contraction": _contraction(channel.term, parameters, draws, prior),
            "boundary_share": float(hits.reindex(list(parameters)).max()),
            "max_baseline_corr": correlated.get(channel.term, np.nan),
        }
        why = _reasons(numbers, draws, limits)
        rows.append((channel.name, channel.term, *numbers.values(), bool(why), "; ".join(why)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(LIMITS, "float64") | {"weak": "bool"})


def _reasons(numbers: Mapping[str, float], draws: Draws, limits: Mapping[str, Limit]) -> list[str]:
    unknown = [POINT if draws.is_point else UNKNOWN] if np.isnan(numbers["contraction"]) else []
    return unknown + [
        limit.reason.format(value=numbers[name])
        for name, limit in limits.items()
        if judge(numbers[name], limit.threshold) == "fail"
    ]


def _parameters(term: str, matrix: ModelMatrix) -> tuple[str, ...]:
    """The parameters whose sum is the term's coefficient: its labels in a pooled model, otherwise itself."""
    pooling = matrix.pooling
    return pooling.labels_of(term) if pooling is not None and term in pooling.variables else (term,)


def _contraction(term: str, parameters: Sequence[str], draws: Draws, prior: pd.DataFrame) -> float:
    if term not in draws.terms or not set(parameters) <= set(prior.index):
        return float("nan")
    bounds = ["mean", "sd", "lower", "upper"]
    before = sum(truncated_sd(*map(float, prior.loc[name, bounds])) ** 2 for name in parameters)
    after = float(deviation(draws.coef_flat[:, draws.terms.index(term)])) ** 2
    return 1.0 - after / before if before > 0 else float("nan")


def _baseline_correlations(matrix: ModelMatrix, baseline: Sequence[str]) -> dict[str, float]:
    """Largest |r| of each term that varies with a baseline term that varies."""
    sd, r = correlations(matrix.values)
    varying = [j for j in range(len(sd)) if sd[j] > 0]
    base = [j for j in varying if matrix.terms[j] in set(baseline)]
    others = [j for j in varying if j not in base] if base else []
    return {matrix.terms[j]: float(min(np.abs(r[j, base]).max(), 1.0)) for j in others}

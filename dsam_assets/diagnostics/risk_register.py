"""The predictor risk register: what speaks against reading each coefficient as an effect, ranked.

It judges nothing that the checks do not judge; it gathers their numbers by predictor. Levels are those of the
documented thresholds of the publish mode, whatever the run's own mode is, so that registers can be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.design.vif import VIF_LEVELS, vif_report
from dsam_assets.diagnostics.lag_grid import LaggedSeries, lagged_series
from dsam_assets.diagnostics.thresholds import INF, THRESHOLDS, Threshold, judge
from dsam_assets.fit.spread import deviation, probability

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

type Level = Literal["low", "medium", "high"]
type Numbers = dict[str, float]

_LEVEL_OF: Mapping[str, Level] = {"warn": "medium", "fail": "high"}


@dataclass(frozen=True)
class Rule:
    """When a number raises a predictor's risk.

    Attributes:
        metric: column of the register.
        threshold: beyond `warn` the risk is medium, beyond `fail` high; a check's name stands for its thresholds.
        reason: what it means, with `{value}` for the number.
        of_baseline: whether it also speaks against a baseline term. Trend and season are slow, and alike, by purpose.
    """

    metric: str
    threshold: Threshold | str
    reason: str
    of_baseline: bool = True

    def level(self, value: float) -> Level:
        """The risk that a number amounts to; NaN amounts to none."""
        limits = THRESHOLDS["publish"][self.threshold] if isinstance(self.threshold, str) else self.threshold
        return _LEVEL_OF.get(judge(value, limits), "low")


RULES: tuple[Rule, ...] = (
    Rule(
        "vif",
        Threshold("above", VIF_LEVELS["moderate"], VIF_LEVELS["high"]),
        "other predictors explain most of it (VIF {value:.3g})",
    ),
    Rule(
        "abs_corr_baseline",
        "pre_identifiability_baseline_media_corr",
        "moves with a baseline term (|r| {value:.2f})",
    ),
    Rule(
        "boundary_hit_frac",
        "boundary_hit_fraction",
        "{value:.0%} of its draws lie next to a boundary",
    ),
    Rule(
        "within_var_ratio",
        "within_var_ratio",
        "{value:.1%} of its variance is within groups",
    ),
    Rule(
        "lag1_correlation",
        Threshold("above", 0.9, INF),
        "moves slowly, as trends do (lag-1 correlation {value:.2f})",
        of_baseline=False,
    ),
    Rule(
        "sign_probability",
        Threshold("below", 0.90, -INF),
        "its sign is uncertain (probability {value:.0%})",
        of_baseline=False,
    ),
    Rule(
        "sd_of_prior_sd",
        Threshold("above", 0.5, 0.9),
        "the data hardly narrow its prior (posterior sd is {value:.0%} of the prior's)",
    ),
)
METRICS = tuple(rule.metric for rule in RULES)
COLUMNS = ("rank", "term", "risk", "high_flags", "medium_flags", *METRICS, "reasons")


@dataclass(frozen=True)
class RegisterTables:
    """The tables that the register gathers: `boundary_hits`, `within_variation`, `identifiability`, `prior_table`."""

    boundary_hits: pd.DataFrame
    within_variation: pd.DataFrame
    identifiability: pd.DataFrame
    prior_table: pd.DataFrame


def predictor_risk_register(
    draws: Draws, matrix: ModelMatrix, labels: pd.DataFrame, tables: RegisterTables, baseline: Collection[str] = ()
) -> pd.DataFrame:
    """One row per predictor of the population, the riskiest first.

    Args:
        draws: the fit.
        matrix: the model's rows.
        labels: date and panel unit of each of them, as `design.labels.row_labels` makes them.
        tables: evidence that was computed already.
        baseline: baseline terms, as `identifiability.term_roles` finds them.

    Returns:
        `rank` from 1, `term`, `risk` (`low`, `medium`, `high`: the worst of its flags), `high_flags`, `medium_flags`
        (how many), then the numbers, NaN where one does not apply: `vif`; `abs_corr_baseline` (largest, media only);
        `boundary_hit_frac` (largest, over bounds); `within_var_ratio` (smallest, over groupings); `lag1_correlation`
        (with the week before, within panel units); `sign_probability` (share of draws of the more frequent sign; NaN
        where a boundary fixes it); `sd_of_prior_sd` (posterior sd / prior sd, both within the boundaries);
        `reasons` (separated by `; `).
    """
    metrics: dict[str, Numbers] = {
        "vif": dict(vif_report(matrix)[["term", "vif"]].itertuples(index=False, name=None)),
        "abs_corr_baseline": _extreme(tables.identifiability, "media", "abs_correlation", "max"),
        "boundary_hit_frac": _extreme(tables.boundary_hits, "parameter", "hit_frac", "max"),
        "within_var_ratio": _extreme(tables.within_variation, "term", "ratio", "min"),
        "lag1_correlation": lag1_correlations(matrix, lagged_series(labels)),
        "sign_probability": _sign_probabilities(draws, tables.prior_table),
        "sd_of_prior_sd": _contractions(draws, tables.prior_table),
    }
    terms = [term for term in matrix.terms if term != INTERCEPT]
    rows = [_row(term, {name: metrics[name].get(term, np.nan) for name in METRICS}, term in baseline) for term in terms]
    table = pd.DataFrame(rows, columns=list(COLUMNS[1:]))
    table = table.sort_values(["high_flags", "medium_flags"], ascending=False, kind="stable", ignore_index=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1, dtype=np.int64))
    return table.astype(dict.fromkeys(METRICS, "float64") | dict.fromkeys(("high_flags", "medium_flags"), "int64"))


def _row(term: str, numbers: Numbers, is_baseline: bool) -> tuple[object, ...]:
    levels_of = {rule: rule.level(numbers[rule.metric]) for rule in RULES if rule.of_baseline or not is_baseline}
    flags = {rule: level for rule, level in levels_of.items() if level != "low"}
    levels = list(flags.values())
    risk: Level = "high" if "high" in levels else "medium" if levels else "low"
    reasons = "; ".join(rule.reason.format(value=numbers[rule.metric]) for rule in flags)
    return term, risk, levels.count("high"), levels.count("medium"), *numbers.values(), reasons


def _extreme(table: pd.DataFrame, key: str, value: str, how: Literal["max", "min"]) -> Numbers:
    found = table.dropna(subset=[value]).groupby(key, sort=False)[value].agg(how)
    return {str(name): float(number) for name, number in found.items()}


def lag1_correlations(matrix: ModelMatrix, series: tuple[LaggedSeries, ...]) -> Numbers:
    """Correlation of each column with itself one step of the calendar earlier, within panel units, pooled over them.

    Columns without a value in units that can be used are left out: nothing varies, or no rows are one step apart.
    """
    products, squares, pairs, rows = np.zeros(len(matrix.terms)), np.zeros(len(matrix.terms)), 0, 0
    for each in series:
        if each.defect:
            continue
        centred = matrix.values[each.rows] - matrix.values[each.rows].mean(axis=0)
        later, earlier = each.pairs(1)
        products += np.einsum("ij,ij->j", centred[later], centred[earlier])
        squares += np.einsum("ij,ij->j", centred, centred)
        pairs, rows = pairs + each.count(1), rows + len(centred)
    size = np.abs(matrix.values).max(axis=0) ** 2 * rows * np.finfo(np.float64).eps
    usable = (squares > size) & (pairs > 0)
    scale = rows / max(pairs, 1)
    return {
        term: float(np.clip(products[j] / squares[j] * scale, -1.0, 1.0))
        for j, term in enumerate(matrix.terms)
        if usable[j]
    }


def _sign_probabilities(draws: Draws, prior_table: pd.DataFrame) -> Numbers:
    """Share of the draws that have the more frequent sign, of coefficients whose boundaries leave the sign open."""
    fixed = prior_table[(prior_table["lower"] >= 0) | (prior_table["upper"] <= 0)]["parameter"]
    open_terms = [(j, term) for j, term in enumerate(draws.terms) if term not in set(fixed)]
    shares = {term: probability(draws.coef_flat[:, j] > 0) for j, term in open_terms}
    return {term: max(share, 1.0 - share) for term, share in shares.items()}


def _contractions(draws: Draws, prior_table: pd.DataFrame) -> Numbers:
    """Posterior sd over prior sd of the coefficients that have a normal prior of their own."""
    prior = prior_table[prior_table["family"] == "normal"].set_index("parameter")
    return {
        term: float(deviation(draws.coef_flat[:, j])) / truncated_sd(*prior.loc[term, ["mean", "sd", "lower", "upper"]])
        for j, term in enumerate(draws.terms)
        if term in prior.index
    }


def truncated_sd(mean: float, sd: float, lower: float, upper: float) -> float:
    """Standard deviation of a normal(mean, sd) between two bounds, which may be infinite."""
    from scipy.stats import truncnorm

    return float(truncnorm.std((lower - mean) / sd, (upper - mean) / sd, scale=sd))

"""Priors and boundaries of a hierarchical model: the population's as ever, and one row per group standard deviation.

The default prior of every `sd_<idx>[<term>]` is normal(0, s) truncated at 0, with s the standard deviation between the
groups' mean responses, rounded to two decimals, *on the scale that Stan sees*. Like the other defaults it is one number
for intercepts and slopes: with `model.scale: true` it speaks of the response's change per standard deviation of a
predictor, and in data units it is s · s_y for the intercept and s · s_y / s_x for a slope; with `model.scale: false` it
applies as written. Groups may be alike in their means and still differ in their slopes, so s is at least a tenth of
the response's standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.priors import (
    BoundaryOverride,
    Family,
    Parameter,
    PriorOverride,
    build_parameters,
    parameter_names,
    require_known,
)
from dsam_assets.design.scaling import Scaling
from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray

DECIMALS = 2
LEAST_SHARE = 0.1


def build_group_parameters(
    terms: Sequence[str],
    scaling: Scaling,
    groups: Sequence[GroupTerm],
    sd_factors: Sequence[FloatArray],
    default_sds: Sequence[float],
    priors: Sequence[PriorOverride] = (),
    boundaries: Sequence[BoundaryOverride] = (),
) -> tuple[Parameter, ...]:
    """The parameter table: coefficients, `noise_sd`, then `sd_<idx>[<term>]` in the formula's order.

    Args:
        terms: population coefficients.
        scaling: of the population design.
        groups: the group terms.
        sd_factors: per group term, (sd that Stan sees) / (sd in data units) of each varying column.
        default_sds: per group term, s on the scale that Stan sees.
        priors, boundaries: overrides in data units; sd_* may be normal (truncated) or lognormal_ms.

    Raises:
        DesignError: an override names no parameter, repeats one, or is invalid for it.
    """
    sd_names = [name for group in groups for name in group.sd_names]
    names = (*parameter_names(terms), *sd_names)
    require_known(priors, names, "priors.overrides")
    require_known(boundaries, names, "boundaries.overrides")
    population = build_parameters(
        terms,
        scaling,
        [row for row in priors if row.parameter not in sd_names],
        [row for row in boundaries if row.parameter not in sd_names],
    )
    prior_of = {row.parameter: row for row in priors}
    boundary_of = {row.parameter: row for row in boundaries}
    factors = np.concatenate([*sd_factors, np.zeros(0)])
    defaults = np.repeat(default_sds, [len(group.terms) for group in groups])
    return population + tuple(
        _sd_parameter(name, float(factor), float(default), prior_of.get(name), boundary_of.get(name))
        for name, factor, default in zip(sd_names, factors, defaults, strict=True)
    )


def default_group_sd(response: FloatArray, group: GroupTerm) -> float:
    """s of the default prior: sd (divisor G − 1) of the group means of `response`, rounded, floored.

    Args:
        response: response minus offset on the scale that Stan sees, shape (N,).
        group: the group term, whose codes say which group each row belongs to.
    """
    counts = np.bincount(group.codes, minlength=len(group.levels))
    means = np.bincount(group.codes, weights=response, minlength=len(group.levels)) / counts
    floor = LEAST_SHARE * float(response.std(ddof=1))
    return max(round(float(means.std(ddof=1)), DECIMALS), floor)


def _sd_parameter(
    name: str, factor: float, default: float, prior: PriorOverride | None, bound: BoundaryOverride | None
) -> Parameter:
    family: Family = "normal" if prior is None else prior.family
    mean, sd = (0.0, default / factor) if prior is None else (prior.mean, prior.sd)
    lower, upper = (0.0, math.inf) if bound is None else (max(0.0, bound.lower), bound.upper)
    if upper <= 0:
        raise DesignError(f"{name} must be allowed to be positive.", where="boundaries.overrides", got=upper)
    return Parameter(
        name, family, mean, sd, lower, upper, prior is None, bound is None,
        mean * factor, sd * factor, lower * factor, upper * factor,
    )  # fmt: skip

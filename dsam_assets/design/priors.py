"""Priors and boundaries: defaults, sparse overrides, and their conversion to the scale that Stan sees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal, Protocol

import pandas as pd

from dsam_assets.design.scaling import INTERCEPT, NOISE_SD, Scaling
from dsam_assets.errors import DesignError

Family = Literal["normal", "lognormal_ms"]

DEFAULT_MEAN = 0.0
DEFAULT_SD = 5.0


@dataclass(frozen=True)
class Parameter:
    """Prior and boundary of one parameter, in data units and as Stan sees them.

    `mean` and `sd` are those of the family before truncation; for `lognormal_ms` they are the mean and standard
    deviation of the variable itself, not of its logarithm.
    """

    name: str
    family: Family
    mean: float
    sd: float
    lower: float
    upper: float
    prior_is_default: bool
    boundary_is_default: bool
    scaled_mean: float
    scaled_sd: float
    scaled_lower: float
    scaled_upper: float


class PriorOverride(Protocol):
    """One row of `priors.overrides`."""

    @property
    def parameter(self) -> str: ...
    @property
    def family(self) -> Family: ...
    @property
    def mean(self) -> float: ...
    @property
    def sd(self) -> float: ...


class BoundaryOverride(Protocol):
    """One row of `boundaries.overrides`."""

    @property
    def parameter(self) -> str: ...
    @property
    def lower(self) -> float: ...
    @property
    def upper(self) -> float: ...


def parameter_names(terms: Sequence[str]) -> tuple[str, ...]:
    """The names that overrides may use: every coefficient, then `noise_sd`."""
    return (*terms, NOISE_SD)


def speaks_of_intercept(priors: Iterable[PriorOverride], boundaries: Iterable[BoundaryOverride]) -> bool:
    """Whether an override is about the intercept, which then must stay the intercept at x = 0."""
    named = {row.parameter for row in priors} | {row.parameter for row in boundaries}
    return INTERCEPT in named


def build_parameters(
    terms: Sequence[str],
    scaling: Scaling,
    priors: Sequence[PriorOverride] = (),
    boundaries: Sequence[BoundaryOverride] = (),
) -> tuple[Parameter, ...]:
    """The parameter table of a linear model.

    Defaults are normal(0, 5) on the scale that Stan sees; overrides are in data units and converted exactly: a slope's
    mean, sd and bounds by s_x / s_y, the residual standard deviation's by 1 / s_y.

    Raises:
        DesignError: an override names no parameter, repeats one, or is invalid for it.
    """
    names = parameter_names(terms)
    prior_of = _by_parameter(priors, names, "priors.overrides")
    boundary_of = _by_parameter(boundaries, names, "boundaries.overrides")
    factors = dict(zip(terms, scaling.coefficient_factor(), strict=True)) | {NOISE_SD: 1.0 / scaling.y_spread}
    rows = []
    for name in names:
        row = _default_parameter(name, float(factors[name]), scaling)
        if name in prior_of:
            row = _with_prior(row, prior_of[name], float(factors[name]))
        if name in boundary_of:
            row = _with_boundary(row, boundary_of[name], float(factors[name]))
        rows.append(row)
    return tuple(rows)


def _default_parameter(name: str, factor: float, scaling: Scaling) -> Parameter:
    shift = scaling.y_center if name == INTERCEPT and scaling.centred else 0.0
    lower = 0.0 if name == NOISE_SD else -math.inf
    return Parameter(
        name, "normal", DEFAULT_MEAN + shift, DEFAULT_SD / factor, lower, math.inf, True, True,
        DEFAULT_MEAN, DEFAULT_SD, lower, math.inf,
    )  # fmt: skip


def _with_prior(row: Parameter, override: PriorOverride, factor: float) -> Parameter:
    if override.family == "lognormal_ms" and row.name != NOISE_SD:
        raise DesignError(
            "lognormal_ms is a prior for positive parameters only.",
            where="priors.overrides",
            got=row.name,
            wanted="noise_sd or sd_<index>[<term>]",
        )
    return replace(
        row, family=override.family, mean=override.mean, sd=override.sd, prior_is_default=False,
        scaled_mean=override.mean * factor, scaled_sd=override.sd * factor,
    )  # fmt: skip


def _with_boundary(row: Parameter, override: BoundaryOverride, factor: float) -> Parameter:
    if row.name == NOISE_SD and override.upper <= 0:
        raise DesignError("noise_sd must be allowed to be positive.", where="boundaries.overrides", got=override.upper)
    lower = max(0.0, override.lower) if row.name == NOISE_SD else override.lower
    return replace(
        row, lower=lower, upper=override.upper, boundary_is_default=False,
        scaled_lower=lower * factor, scaled_upper=override.upper * factor,
    )  # fmt: skip


def _by_parameter[T: (PriorOverride, BoundaryOverride)](
    overrides: Sequence[T], names: Sequence[str], where: str
) -> dict[str, T]:
    require_known(overrides, names, where)
    return {row.parameter: row for row in overrides}


def require_known(
    overrides: Sequence[PriorOverride] | Sequence[BoundaryOverride], names: Sequence[str], where: str
) -> None:
    """Raise `DesignError` unless each override names one parameter of the model, and none twice."""
    seen: set[str] = set()
    for row in overrides:
        if row.parameter not in names:
            near = get_close_matches(row.parameter, names, n=1)
            raise DesignError(
                f"{where} names a parameter that the model does not have: {row.parameter}.",
                where=where,
                wanted="one of " + ", ".join(names),
                fix=f"Did you mean {near[0]}?" if near else "Use one of these names.",
            )
        if row.parameter in seen:
            raise DesignError(f"{where} names {row.parameter} twice.", where=where, fix="Keep one of the two rows.")
        seen.add(row.parameter)


def lognormal_location_spread(mean: float, sd: float) -> tuple[float, float]:
    """Log-scale mean and sd of a lognormal with the given mean and standard deviation (moment matching)."""
    variance = math.log1p((sd / mean) ** 2)
    return math.log(mean) - variance / 2, math.sqrt(variance)


def prior_table(parameters: Sequence[Parameter], scaling: Scaling) -> pd.DataFrame:
    """One row per parameter, on both scales."""
    return pd.DataFrame(
        [
            {
                "parameter": row.name,
                "description": _describe(row.name, scaling),
                "family": row.family,
                "mean": row.mean,
                "sd": row.sd,
                "lower": row.lower,
                "upper": row.upper,
                "is_default": row.prior_is_default,
                "boundary_is_default": row.boundary_is_default,
                "scaled_mean": row.scaled_mean,
                "scaled_sd": row.scaled_sd,
                "scaled_lower": row.scaled_lower,
                "scaled_upper": row.scaled_upper,
            }
            for row in parameters
        ]
    )


def _describe(name: str, scaling: Scaling) -> str:
    if name == NOISE_SD:
        return "residual standard deviation"
    if name == INTERCEPT:
        return "intercept at the predictors' means" if scaling.centred else "intercept at zero predictors"
    return f"change of the response per unit of {name}"

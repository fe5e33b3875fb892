"""Fitting a hierarchical model: from a design to posterior draws on the original scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.errors import FitError
from dsam_assets.fit.group_draws import HierarchicalDraws
from dsam_assets.fit.runner import McmcSettings, StanDraws, StanRunner
from dsam_assets.fit.sample import STAN_STATISTICS, STATISTIC_TYPES
from dsam_assets.fit.stan_input import (
    COEF,
    GROUP_SD,
    HIERARCHICAL_PROGRAM,
    NOISE,
    PositivePriors,
    hierarchical_input,
)


def fit_hierarchical(
    design: HierarchicalDesign,
    settings: McmcSettings,
    runner: StanRunner,
    *,
    positive_priors: PositivePriors = "centered",
    prior_only: bool = False,
    program: str = HIERARCHICAL_PROGRAM,
) -> HierarchicalDraws:
    """Sample the posterior of population coefficients and standard deviations, group deviations integrated out.

    Args:
        design: the model.
        settings: counts, seed and sampler settings.
        runner: what runs Stan.
        positive_priors: how standard deviations with a lognormal_ms prior are parameterised.
        prior_only: draw from the prior.
        program: a program with the data block and parameters of stan/hierarchical.stan.

    Raises:
        FitError: Stan fails, or returns draws that are not finite.
        ToolchainError: Stan cannot be found or compiled.
    """
    data = hierarchical_input(design, positive_priors=positive_priors, prior_only=prior_only)
    raw = runner.sample(program, data, settings)
    _require_finite(raw)
    return HierarchicalDraws(
        terms=design.matrix.terms,
        coef=design.scaling.coefficients_to_data_units(np.asarray(raw.parameters[COEF], dtype=float)),
        noise_sd=design.scaling.noise_to_data_units(np.asarray(raw.parameters[NOISE], dtype=float)),
        group_sd_terms=design.sd_names,
        group_sd=np.asarray(raw.parameters[GROUP_SD], dtype=float) / design.sd_factor,
        sampler={name: _statistic(raw, name) for name in STAN_STATISTICS},
        max_treedepth=settings.max_treedepth,
        attributes=_attributes(design, settings, raw),
    )


def _statistic(raw: StanDraws, name: str) -> NDArray[Any]:
    values = np.asarray(raw.sampler[STAN_STATISTICS[name]])
    return values.astype(STATISTIC_TYPES.get(name, np.float64))


def _require_finite(raw: StanDraws) -> None:
    for name in (COEF, NOISE, GROUP_SD):
        values = raw.parameters[name]
        if not np.isfinite(values).all():
            raise FitError(
                f"Stan returned draws of {name} that are not finite.",
                got=f"{int((~np.isfinite(values)).sum())} of {values.size} values",
                fix="Check priors and boundaries for extreme values, or set model.scale: true.",
            )


def _attributes(design: HierarchicalDesign, settings: McmcSettings, raw: StanDraws) -> dict[str, str | int | float]:
    matrix = design.matrix
    return {
        "model_class": "hierarchical",
        "response": matrix.response_name,
        "response_scale": matrix.response_scale,
        "coefficient_units": f"{matrix.response_name} on the {matrix.response_scale} scale per unit",
        "rows": len(matrix.response),
        "groups": "; ".join(f"{group.key}: {len(group.levels)}" for group in design.groups),
        "seed": settings.seed,
        "warmup": settings.warmup,
        "sampling": settings.sampling,
        "thin": settings.thin,
        "stan_version": raw.stan_version,
        "seconds": raw.seconds,
    }

"""Fitting a hierarchical model: from a design to posterior draws on the original scale."""

from __future__ import annotations

import numpy as np

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.fit.group_draws import HierarchicalDraws
from dsam_assets.fit.runner import McmcSettings, StanRunner
from dsam_assets.fit.sample import fit_attributes, require_finite, sampler_statistics
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
    require_finite(raw, (COEF, NOISE, GROUP_SD))
    return HierarchicalDraws(
        terms=design.matrix.terms,
        coef=design.scaling.coefficients_to_data_units(np.asarray(raw.parameters[COEF], dtype=float)),
        noise_sd=design.scaling.noise_to_data_units(np.asarray(raw.parameters[NOISE], dtype=float)),
        group_sd_terms=design.sd_names,
        group_sd=np.asarray(raw.parameters[GROUP_SD], dtype=float) / design.sd_factor,
        sampler=sampler_statistics(raw),
        max_treedepth=settings.max_treedepth,
        attributes=fit_attributes("hierarchical", design.matrix, settings, raw) | {"groups": _groups(design)},
    )


def _groups(design: HierarchicalDesign) -> str:
    return "; ".join(f"{group.key}: {len(group.levels)}" for group in design.groups)

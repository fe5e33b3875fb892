"""Fitting a hierarchical model: from a design to posterior draws on the original scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.runner import McmcSettings, StanRunner
from dsam_assets.fit.sample import fit_attributes, linear_draws, require_finite, sampler_statistics
from dsam_assets.fit.stan_input import (
    COEF,
    GROUP_SD,
    HIERARCHICAL_PROGRAM,
    NOISE,
    PositivePriors,
    hierarchical_input,
)
from dsam_assets.scales import FloatArray


def fit_hierarchical(
    design: HierarchicalDesign,
    settings: McmcSettings,
    runner: StanRunner,
    *,
    positive_priors: PositivePriors = "centered",
    prior_only: bool = False,
    program: str = HIERARCHICAL_PROGRAM,
) -> Draws:
    """Sample the posterior of population coefficients and standard deviations, group deviations integrated out.

    `group_effects.with_group_effects` adds the deviations to these draws.

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
    facts = fit_attributes(design.matrix, settings, raw) | {"groups": _groups(design)}
    return hierarchical_draws(design, raw.parameters, sampler_statistics(raw), settings.max_treedepth, facts)


def hierarchical_draws(
    design: HierarchicalDesign,
    parameters: Mapping[str, FloatArray],
    sampler: Mapping[str, NDArray[Any]],
    max_treedepth: int,
    attributes: Mapping[str, str | int | float],
) -> Draws:
    """Draws in data units from Stan's parameters, shape (chain, draw, …) each; without group deviations."""
    group_sd = np.asarray(parameters[GROUP_SD], dtype=float) / design.sd_factor
    population = linear_draws(design, parameters, sampler, max_treedepth, attributes)
    return replace(population, group_sd={name: group_sd[..., at] for at, name in enumerate(design.sd_names)})


def _groups(design: HierarchicalDesign) -> str:
    return "; ".join(f"{group.key}: {len(group.levels)}" for group in design.groups)

"""Fitting a pooled model: from a design to posterior draws of the original terms and of the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.label_rotation import turned_design
from dsam_assets.design.pooled import PooledDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.runner import McmcSettings, StanRunner
from dsam_assets.fit.sample import fit_attributes, linear_draws, require_finite, sampler_statistics
from dsam_assets.fit.stan_input import COEF, LINEAR_PROGRAM, NOISE, PositivePriors, linear_input
from dsam_assets.scales import FloatArray


def fit_pooled(
    design: PooledDesign,
    settings: McmcSettings,
    runner: StanRunner,
    *,
    positive_priors: PositivePriors = "centered",
    prior_only: bool = False,
) -> Draws:
    """Sample the posterior of base and label coefficients with stan/linear.stan.

    Labels that repeat each other by construction are sampled in turned coordinates, see `design.label_rotation`.

    Args:
        design: the model.
        settings: counts, seed and sampler settings.
        runner: what runs Stan.
        positive_priors: how a lognormal_ms prior of the residual standard deviation is parameterised.
        prior_only: draw from the prior.

    Raises:
        FitError: Stan fails, or returns draws that are not finite.
        ToolchainError: Stan cannot be found or compiled.
    """
    data = pooled_input(design, positive_priors=positive_priors, prior_only=prior_only)
    raw = runner.sample(LINEAR_PROGRAM, data, settings)
    require_finite(raw, (COEF, NOISE))
    facts = fit_attributes(design.matrix, settings, raw)
    return pooled_draws(design, raw.parameters, sampler_statistics(raw), settings.max_treedepth, facts)


def pooled_input(
    design: PooledDesign, *, positive_priors: PositivePriors = "centered", prior_only: bool = False
) -> dict[str, Any]:
    """The data block of stan/linear.stan, for the coordinates of `turned_design(design)`."""
    return linear_input(turned_design(design), positive_priors=positive_priors, prior_only=prior_only)


def pooled_draws(
    design: PooledDesign,
    parameters: Mapping[str, FloatArray],
    sampler: Mapping[str, NDArray[Any]],
    max_treedepth: int,
    attributes: Mapping[str, str | int | float],
) -> Draws:
    """Stan's parameters as draws of the original terms, with the labels' coefficients beside them.

    Args:
        design: the model.
        parameters: `coef` (chain, draw, B + L) and `noise_sd` (chain, draw) in the coordinates of `pooled_input`'s data
            block, from sampling or, as one chain of one draw, from optimising.
        sampler, max_treedepth, attributes: as in `Draws`.

    Returns:
        Draws in data units; `coef` (chain, draw, K) are those of `design.matrix`, so that whatever works on a linear
        model's draws works on these.
    """
    coef = turned_design(design).turned_back(np.asarray(parameters[COEF], dtype=float))
    parts = linear_draws(design.compressed, {**parameters, COEF: coef}, sampler, max_treedepth, attributes)
    labels = {name: parts.coef[..., parts.terms.index(name)] for name in design.pooling_map.label_names}
    return replace(parts, terms=design.matrix.terms, coef=parts.coef @ design.expansion.T, label_coef=labels)

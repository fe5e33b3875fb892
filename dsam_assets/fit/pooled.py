"""Fitting a pooled model: from a design to posterior draws of the original terms and of the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

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
    data = linear_input(design.compressed, positive_priors=positive_priors, prior_only=prior_only)
    raw = runner.sample(LINEAR_PROGRAM, data, settings)
    require_finite(raw, (COEF, NOISE))
    facts = fit_attributes(design.matrix, settings, raw)
    return pooled_draws(design, raw.parameters, sampler_statistics(raw), settings.max_treedepth, facts)


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
        parameters: `coef` (chain, draw, B + L) and `noise_sd` (chain, draw) of `design.compressed`, from sampling or
            (one chain of one draw) from optimising.
        sampler, max_treedepth, attributes: as in `Draws`.

    Returns:
        Draws in data units; `coef` (chain, draw, K) are those of `design.matrix`, so that whatever works on a linear
        model's draws works on these.
    """
    parts = linear_draws(design.compressed, parameters, sampler, max_treedepth, attributes)
    labels = {name: parts.coef[..., parts.terms.index(name)] for name in design.pooling_map.label_names}
    return replace(parts, terms=design.matrix.terms, coef=parts.coef @ design.expansion.T, label_coef=labels)

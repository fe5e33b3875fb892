"""Fitting: from a design to posterior draws on the original scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.linear import LinearDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.errors import FitError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.runner import McmcSettings, StanDraws, StanRunner
from dsam_assets.fit.stan_input import COEF, LINEAR_PROGRAM, NOISE, PositivePriors, linear_input
from dsam_assets.scales import FloatArray

DEFAULT_SEED = 1
DEFAULT_MAX_TREEDEPTH = 10

STAN_STATISTICS = {
    "lp": "lp__",
    "energy": "energy__",
    "diverging": "divergent__",
    "tree_depth": "treedepth__",
    "acceptance_rate": "accept_stat__",
    "n_steps": "n_leapfrog__",
    "step_size": "stepsize__",
}
STATISTIC_TYPES = {"diverging": np.bool_, "tree_depth": np.int64, "n_steps": np.int64}


class FitSection(Protocol):
    """The `fit` section of a config."""

    @property
    def seed(self) -> float | None: ...
    @property
    def mcmc(self) -> Any: ...


def mcmc_settings(fit: FitSection) -> McmcSettings:
    """Sampler settings of a config; `fit.mcmc.seed` wins over `fit.seed`, and a missing seed is a fixed one."""
    mcmc, control = fit.mcmc, fit.mcmc.control
    seed = mcmc.seed if mcmc.seed is not None else fit.seed
    return McmcSettings(
        chains=mcmc.chains,
        warmup=mcmc.warmup,
        sampling=mcmc.iter - mcmc.warmup,
        seed=DEFAULT_SEED if seed is None else int(seed),
        parallel_chains=mcmc.cores,
        thin=mcmc.thin,
        refresh=mcmc.refresh,
        adapt_delta=control.adapt_delta,
        max_treedepth=DEFAULT_MAX_TREEDEPTH if control.max_treedepth is None else control.max_treedepth,
        step_size=control.stepsize,
        metric=control.metric,
        init_radius=None if mcmc.init in (None, "random") else float(mcmc.init),
        adapt_init_phase=control.adapt_init_buffer,
        adapt_metric_window=control.adapt_window,
        adapt_step_size=control.adapt_term_buffer,
    )


def fit_linear(
    design: LinearDesign,
    settings: McmcSettings,
    runner: StanRunner,
    *,
    positive_priors: PositivePriors = "centered",
    prior_only: bool = False,
) -> Draws:
    """Sample the posterior of a linear model, or with `prior_only` its prior.

    Raises:
        FitError: Stan fails, or returns draws that are not finite.
        ToolchainError: Stan cannot be found or compiled.
    """
    data = linear_input(design, positive_priors=positive_priors, prior_only=prior_only)
    raw = runner.sample(LINEAR_PROGRAM, data, settings)
    require_finite(raw, (COEF, NOISE))
    facts = fit_attributes(design.matrix, settings, raw)
    return linear_draws(design, raw.parameters, sampler_statistics(raw), settings.max_treedepth, facts)


def linear_draws(
    design: LinearDesign | HierarchicalDesign,
    parameters: Mapping[str, FloatArray],
    sampler: Mapping[str, NDArray[Any]],
    max_treedepth: int,
    attributes: Mapping[str, str | int | float],
) -> Draws:
    """Draws in data units from Stan's parameters, shape (chain, draw, …) each."""
    return Draws(
        terms=design.matrix.terms,
        coef=design.scaling.coefficients_to_data_units(np.asarray(parameters[COEF], dtype=float)),
        noise_sd=design.scaling.noise_to_data_units(np.asarray(parameters[NOISE], dtype=float)),
        sampler=sampler,
        max_treedepth=max_treedepth,
        attributes=attributes,
    )


def sampler_statistics(raw: StanDraws) -> dict[str, NDArray[Any]]:
    """Sampler statistics by ArviZ's names, each of shape (chain, draw)."""
    found = {name: np.asarray(raw.sampler[stan_name]) for name, stan_name in STAN_STATISTICS.items()}
    return {name: values.astype(STATISTIC_TYPES.get(name, np.float64)) for name, values in found.items()}


def require_finite(raw: StanDraws, names: Sequence[str]) -> None:
    """Raise `FitError` unless all draws of these parameters are finite."""
    for name in names:
        values = raw.parameters[name]
        if not np.isfinite(values).all():
            raise FitError(
                f"Stan returned draws of {name} that are not finite.",
                got=f"{int((~np.isfinite(values)).sum())} of {values.size} values",
                fix="Check priors and boundaries for extreme values, or set model.scale: true.",
            )


def fit_attributes(matrix: ModelMatrix, settings: McmcSettings, raw: StanDraws) -> dict[str, str | int | float]:
    """Facts about a fit that go with its draws; the same inputs give the same facts."""
    return {
        "model_class": matrix.model_class,
        "method": "mcmc",
        "response": matrix.response_name,
        "response_scale": matrix.response_scale,
        "coefficient_units": f"{matrix.response_name} on the {matrix.response_scale} scale per unit",
        "rows": len(matrix.response),
        "seed": settings.seed,
        "warmup": settings.warmup,
        "sampling": settings.sampling,
        "thin": settings.thin,
        "stan_version": raw.stan_version,
    }

"""Fitting any class of model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.design.pooled import PooledDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.fit.hierarchical import fit_hierarchical
from dsam_assets.fit.point import fit_point, point_settings
from dsam_assets.fit.pooled import fit_pooled
from dsam_assets.fit.programs import HIERARCHICAL, first_that_compiles
from dsam_assets.fit.runner import McmcSettings, StanRunner
from dsam_assets.fit.sample import fit_linear, mcmc_settings
from dsam_assets.fit.stan_input import PositivePriors

# Few groups cannot rule out that a group sd is near zero, where Stan's own 0.8 leaves some divergences.
PANEL_ADAPT_DELTA = 0.95


@dataclass(frozen=True)
class FitResult:
    """A fit: its draws, group deviations included, and the tables of an optimisation."""

    draws: Draws
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, int]:
        """Key numbers for the asset's metadata."""
        diverging = self.draws.sampler.get("diverging")
        return {} if diverging is None else {"divergences": int(diverging.sum())}


def fit_model(design: ModelDesign, section: Any, runner: StanRunner) -> FitResult:
    """Fit a design as the config's section `fit` says.

    Raises:
        FitError: Stan fails, or returns draws that are not finite.
        ToolchainError: Stan cannot be found or compiled.
    """
    if section.method == "optimise":
        point = fit_point(design, point_settings(section), runner)
        tables = {"optimisation_runs": point.optimisation_runs, "optimisation_best": point.optimisation_best}
        return FitResult(point.draws, tables)
    settings, positive_priors = mcmc_settings(section), section.mcmc.parameterization.positive_priors
    return FitResult(sample_model(design, settings, runner, positive_priors=positive_priors))


def sample_model(
    design: ModelDesign, settings: McmcSettings, runner: StanRunner, *, positive_priors: PositivePriors = "centered"
) -> Draws:
    """Sample the posterior of any class of model; group deviations are drawn with the sampler's seed."""
    if not isinstance(design, HierarchicalDesign):
        return sample_parameters(design, settings, runner, positive_priors=positive_priors)
    careful = replace(settings, adapt_delta=settings.adapt_delta or PANEL_ADAPT_DELTA)
    draws = sample_parameters(design, careful, runner, positive_priors=positive_priors)
    return with_group_effects(draws, design, seed=settings.seed)


def sample_parameters(
    design: ModelDesign,
    settings: McmcSettings,
    runner: StanRunner,
    *,
    positive_priors: PositivePriors = "centered",
    prior_only: bool = False,
) -> Draws:
    """Sample what Stan samples, of the posterior or with `prior_only` of the prior: everything but group deviations."""
    if isinstance(design, HierarchicalDesign):

        def run(program: str) -> Draws:
            return fit_hierarchical(
                design, settings, runner, positive_priors=positive_priors, prior_only=prior_only, program=program
            )

        return first_that_compiles(HIERARCHICAL, run)
    if isinstance(design, PooledDesign):
        return fit_pooled(design, settings, runner, positive_priors=positive_priors, prior_only=prior_only)
    return fit_linear(design, settings, runner, positive_priors=positive_priors, prior_only=prior_only)

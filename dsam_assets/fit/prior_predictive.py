"""What the priors say about the response before it is seen: draws of the prior, and of the response under them.

The prior is drawn by the programs that draw the posterior, with the likelihood left out, so bounds and truncations hold
here as they do there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.fit.model import sample_parameters
from dsam_assets.fit.predictor import joint_draws, predictor_blocks
from dsam_assets.fit.runner import McmcSettings, StanRunner
from dsam_assets.fit.sample import FitSection, mcmc_settings
from dsam_assets.fit.stan_input import PositivePriors
from dsam_assets.scales import FloatArray

# A prior is easy to sample: 2,000 draws give a share to about one percentage point.
CHAINS = 4
WARMUP = 500
SAMPLING = 500
MOST_CELLS = 20_000_000
LEAST_DRAWS = 100


def prior_settings(section: FitSection) -> McmcSettings:
    """How the prior is sampled: seed and cores of the config's `fit.mcmc`, counts of its own."""
    own = mcmc_settings(section)
    return McmcSettings(CHAINS, WARMUP, SAMPLING, seed=own.seed, parallel_chains=own.parallel_chains)


def sample_prior(
    design: ModelDesign, settings: McmcSettings, runner: StanRunner, *, positive_priors: PositivePriors = "centered"
) -> Draws:
    """Draws of the prior of any class of model, in data units; group deviations are drawn with the sampler's seed.

    Raises:
        FitError: Stan fails, or returns draws that are not finite.
        ToolchainError: Stan cannot be found or compiled.
    """
    draws = sample_parameters(design, settings, runner, positive_priors=positive_priors, prior_only=True)
    if isinstance(design, HierarchicalDesign):
        draws = with_prior_deviations(draws, design, seed=settings.seed)
    return replace(draws, attributes={**draws.attributes, "prior_only": True})


def with_prior_deviations(draws: Draws, design: HierarchicalDesign, *, seed: int) -> Draws:
    """The draws with group deviations from their prior normal(0, τ), one per draw of τ.

    Rows with infinite noise say nothing, so their conditional distribution of the deviations is the prior.
    """
    silent = replace(draws, noise_sd=np.full_like(draws.noise_sd, np.inf))
    return replace(with_group_effects(silent, design, seed=seed), noise_sd=draws.noise_sd)


@dataclass(frozen=True)
class PredictiveBlock:
    """Draws for some rows on the model scale; `scales.observed_to_kpi` takes responses to the KPI scale.

    Attributes:
        rows: the rows.
        mean: linear predictor with offset, shape (S, rows).
        response: the same with noise, shape (S, rows).
    """

    rows: slice
    mean: FloatArray
    response: FloatArray


def predictive_blocks(draws: Draws, matrix: ModelMatrix, *, seed: int) -> Iterator[PredictiveBlock]:
    """Draws of the response by blocks of rows.

    Memory is that of a block; of very long data fewer draws are used, at least 100, evenly spaced.

    Args:
        draws: of the prior (or of the posterior), group deviations included.
        matrix: the model's rows.
        seed: of the noise; the result does not depend on how the rows are cut up.
    """
    joint = joint_draws(draws, max(LEAST_DRAWS, MOST_CELLS // max(len(matrix.response), 1)))
    rng = np.random.default_rng([seed, 0, 1])  # group deviations are drawn with [seed, block], so none has this stream
    for rows, mean in predictor_blocks(joint, matrix):
        noise = rng.standard_normal((mean.shape[1], mean.shape[0])).T
        yield PredictiveBlock(rows, mean, mean + noise * joint.noise_sd[:, np.newaxis])

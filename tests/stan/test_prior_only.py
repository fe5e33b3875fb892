"""The prior of every class of model, drawn by the Stan programs, against moments by hand."""

from __future__ import annotations

import numpy as np
import pytest
from overrides import Bound, Prior
from panels import case
from pooled_markets import TWO, market
from prior_truth import response_moments

from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.design.pooled import PooledDesign, build_pooled_design
from dsam_assets.fit.prior_predictive import predictive_blocks, sample_prior
from dsam_assets.fit.runner import McmcSettings
from resources.stan_runner import CmdStanRunner

pytestmark = pytest.mark.stan

SETTINGS = McmcSettings(chains=4, warmup=500, sampling=1000, seed=3, parallel_chains=2)
DESIGNS = {
    "linear": build_linear_design(market(), scale=True, priors=[Prior("price", -50.0, 12.0)]),
    "pooled": build_pooled_design(market(), TWO, scale=True),
    "hierarchical": case("balanced"),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_responses_have_the_moments_of_the_prior(name: str) -> None:
    design: ModelDesign = DESIGNS[name]
    draws = sample_prior(design, SETTINGS, CmdStanRunner())
    found = np.hstack([block.response for block in predictive_blocks(draws, design.matrix, seed=1)])
    mean, variance = response_moments(design.compressed if isinstance(design, PooledDesign) else design)
    assert np.abs((found.mean(axis=0) - mean) / np.sqrt(variance / len(found))).max() < 5
    np.testing.assert_allclose(found.var(axis=0), variance, rtol=0.2)
    assert not draws.sampler["diverging"].any()


def test_bounds_hold_in_the_prior() -> None:
    """A half-normal: positive, with mean sd √(2/π)."""
    design = build_linear_design(
        market(), scale=True, priors=[Prior("m_search", 0.0, 0.5)], boundaries=[Bound("m_search", lower=0.0)]
    )
    draws = sample_prior(design, SETTINGS, CmdStanRunner())
    found = draws.coef_flat[:, draws.terms.index("m_search")]
    assert found.min() >= 0
    assert found.mean() == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.06)

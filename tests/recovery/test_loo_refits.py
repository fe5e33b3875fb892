"""Leave-one-out through real fits: PSIS, moment matching and exact refits against grids over all parameters."""

from __future__ import annotations

import numpy as np
import pytest
from overrides import Bound, Prior
from panel_truth import PanelTruth, panel_with_outlier
from recovery_cases import design_of, settings
from scipy import stats

from dsam_assets.design.linear import LinearDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.model import sample_model
from dsam_assets.scales import FloatArray
from dsam_assets.selection.loo import LooResult, psis_loo
from dsam_assets.selection.refinements import matched, refitted
from dsam_assets.selection.reloo import refitter
from resources.stan_runner import CmdStanRunner

pytestmark = pytest.mark.stan

OUTLIER = 3
SETTINGS = settings(sampling=1000)


def scored(draws: Draws, design: object) -> LooResult:
    return psis_loo(draws, design.matrix, max_draws=None, seed=1, pareto_k_warn=0.7)  # type: ignore[attr-defined]


def two_parameters(rows: int = 25) -> LinearDesign:
    """One coefficient, bounded below where the other rows would like it to be zero, and the noise sd."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=rows)
    x[OUTLIER] = 6.0
    y = 0.1 * x + 0.7 * rng.normal(size=rows)
    y[OUTLIER] = 4.5
    priors = (Prior("x", 0.0, 2.0), Prior("noise_sd", 0.8, 0.3, "lognormal_ms"))
    return design_of({"x": x}, y, priors, (Bound("x", lower=0.0),), scale=True)


def on_a_grid(design: LinearDesign, row: int) -> float:
    """log p(y_row | others) of `two_parameters`, in data units, summed over a grid of both parameters."""
    x, y = design.matrix.values[:, 0], design.matrix.response
    slope, sigma = np.meshgrid(np.linspace(0.0, 2.0, 2001), np.linspace(0.2, 3.0, 600), indexing="ij")
    variance = np.log(1 + 0.3**2 / 0.8**2)
    log = stats.norm.logpdf(slope, 0, 2) - np.log(sigma)
    log -= (np.log(sigma) - np.log(0.8) + variance / 2) ** 2 / (2 * variance)
    density: FloatArray = np.zeros(1)
    for each in range(len(y)):
        density = stats.norm.logpdf(y[each], x[each] * slope, sigma)
        log += 0.0 if each == row else density
    mass = np.exp(log - log.max())
    mass[0] /= 2  # the trapezium rule, where the bound cuts
    return float(np.log((mass * np.exp(stats.norm.logpdf(y[row], x[row] * slope, sigma))).sum() / mass.sum()))


def test_bounded_coefficient(stan: CmdStanRunner) -> None:
    """PSIS says that it fails, and both remedies agree with the grid; a row that PSIS can judge agrees anyway."""
    design = two_parameters()
    draws = sample_model(design, SETTINGS, stan)
    plain, truth = scored(draws, design), on_a_grid(design, OUTLIER)
    assert plain.pareto_k[OUTLIER] > 0.7
    assert abs(plain.elpd_pointwise[OUTLIER] - truth) > 0.2
    assert plain.elpd_pointwise[8] == pytest.approx(on_a_grid(design, 8), abs=0.02)
    by_weights = matched(plain, design, draws, None)
    by_refit = refitted(plain, design, draws, refitter(SETTINGS, stan))
    assert (by_weights.method[OUTLIER], by_refit.method[OUTLIER]) == ("moment_match", "exact")
    assert by_refit.elpd_pointwise[OUTLIER] == pytest.approx(truth, abs=0.1)
    assert by_weights.elpd_pointwise[OUTLIER] == pytest.approx(truth, abs=0.2)


def test_panel(stan: CmdStanRunner) -> None:
    """Group deviations and coefficients integrated out; the refit and the full fit bracket the density."""
    truth = PanelTruth(panel_with_outlier(20.0))
    expected = truth.elpd(OUTLIER)
    draws = sample_model(truth.design, SETTINGS, stan)
    plain = scored(draws, truth.design)
    assert plain.pareto_k[OUTLIER] > 0.7
    assert abs(plain.elpd_pointwise[OUTLIER] - expected) > 0.5
    by_weights = matched(plain, truth.design, draws, None)
    by_refit = refitted(plain, truth.design, draws, refitter(SETTINGS, stan), most=3)
    assert by_refit.method[OUTLIER] == "exact"
    assert by_refit.elpd_pointwise[OUTLIER] == pytest.approx(expected, abs=0.05)
    assert by_weights.elpd_pointwise[OUTLIER] == pytest.approx(expected, abs=0.2)


def test_refits_repeat(stan: CmdStanRunner) -> None:
    design = two_parameters()
    draws = sample_model(design, SETTINGS, stan)
    plain = scored(draws, design)
    first, second = (refitted(plain, design, draws, refitter(SETTINGS, stan)).elpd_pointwise for _ in range(2))
    np.testing.assert_array_equal(first, second)

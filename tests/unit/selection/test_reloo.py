"""Exact refits against closed forms, and what is asked of the sampler for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner
from pooled_markets import TWO, market
from scipy import stats
from test_loo import SIGMA, exact_loo, make_matrix, run
from test_moment_match import NOISE_SPREAD, conjugate_design, draws_of

from dsam_assets.design.linear import LinearDesign
from dsam_assets.design.pooled import build_pooled_design
from dsam_assets.errors import FitError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.pooled import pooled_draws
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.fit.stan_input import linear_input
from dsam_assets.selection.evidence import loo_tables, selection_tables
from dsam_assets.selection.left_out import posterior_points
from dsam_assets.selection.loo import LooResult
from dsam_assets.selection.psis import logsumexp
from dsam_assets.selection.refinements import matched, refitted
from dsam_assets.selection.reloo import ExactRow, bridge, exact_row, refitter

SETTINGS = McmcSettings(chains=4, warmup=10, sampling=3000, seed=11)


@dataclass
class ConjugateRunner(FakeRunner):
    """Draws from the exact posterior of a linear program whose noise sd is known from its prior."""

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        made = super().sample(program, data, settings)
        rng = np.random.default_rng(settings.seed)
        shape = (settings.chains, settings.sampling)
        sigma = data["noise_location"]
        precision = data["R"].T @ data["R"] / sigma**2 + np.diag(1 / data["prior_sd"] ** 2)
        mean = np.linalg.solve(
            precision, data["R"].T @ data["z"] / sigma**2 + data["prior_mean"] / data["prior_sd"] ** 2
        )
        coef = rng.multivariate_normal(mean, np.linalg.inv(precision), size=shape)
        noise = sigma + data["noise_spread"] * rng.normal(size=shape)
        if self.stuck:
            coef[0] += 100.0
        return replace(made, parameters={"coef": coef, "noise_sd": noise})


@pytest.fixture(scope="module")
def outlier() -> tuple[LinearDesign, Draws, LooResult]:
    matrix = make_matrix(60, seed=3, outlier=True)
    draws = draws_of(matrix)
    return conjugate_design(matrix), draws, run(draws, matrix)


Outlier = tuple[LinearDesign, Draws, LooResult]


def test_refit_is_exact_where_psis_is_not(outlier: Outlier) -> None:
    design, draws, plain = outlier
    truth = exact_loo(design.matrix)
    runner = ConjugateRunner()
    better = refitted(plain, design, draws, refitter(SETTINGS, runner))
    assert abs(plain.elpd_pointwise[10] - truth[10]) > 3
    assert better.elpd_pointwise[10] == pytest.approx(truth[10], abs=0.05)
    assert (better.pareto_k[10], better.method[10]) == (0.0, "exact")
    assert better.elpd_loo == pytest.approx(truth.sum(), abs=0.1)
    assert better.p_loo == pytest.approx(plain.p_loo + plain.elpd_loo - better.elpd_loo)
    assert better.pit[10] == pytest.approx(1.0, abs=1e-6)
    assert len(runner.calls) == 1
    assert better.notes == ("1 of 1 rows with a high Pareto k were refitted exactly.",)


def test_exact_for_ordinary_rows_too(outlier: Outlier) -> None:
    """Density and distribution function of a few rows, whatever PSIS says of them."""
    design, draws, _ = outlier
    truth, refit = exact_loo(design.matrix), refitter(SETTINGS, ConjugateRunner())
    points = posterior_points(design, draws)
    for row in (0, 31, 59):
        found = exact_row(design, row, refit, points)
        assert found.elpd == pytest.approx(truth[row], abs=0.02)
        assert found.reliable
        others = np.arange(60) != row
        x, target = design.matrix.values, design.matrix.response - design.matrix.offset
        covariance = np.linalg.inv(x[others].T @ x[others] / SIGMA**2 + np.eye(3) / 25)
        mean = x[row] @ covariance @ x[others].T @ target[others] / SIGMA**2
        spread = np.sqrt(x[row] @ covariance @ x[row] + SIGMA**2)
        assert found.pit == pytest.approx(stats.norm.cdf(target[row], mean, spread), abs=0.01)


def test_the_sampler_sees_the_other_rows_and_the_same_prior(outlier: Outlier) -> None:
    design, draws, _ = outlier
    runner = ConjugateRunner()
    exact_row(design, 10, refitter(replace(SETTINGS, chains=1), runner), posterior_points(design, draws))
    _, data, settings = runner.calls[0]
    assert (data["N"], settings.seed, settings.chains) == (59, 11 + 10 + 1, 2)
    assert list(data["prior_sd"]) == [row.scaled_sd for row in design.parameters[:-1]]
    assert data["noise_spread"] == pytest.approx(NOISE_SPREAD / design.scaling.y_spread)
    y = (design.matrix.response - design.matrix.offset - design.scaling.y_center) / design.scaling.y_spread
    assert data["z"] @ data["z"] + data["rss"] == pytest.approx(np.sum(np.delete(y, 10) ** 2))


def test_a_refit_that_does_not_converge_changes_nothing_and_is_named(outlier: Outlier) -> None:
    design, draws, plain = outlier
    better = refitted(plain, design, draws, refitter(SETTINGS, ConjugateRunner(stuck=True)))
    np.testing.assert_array_equal(better.elpd_pointwise, plain.elpd_pointwise)
    np.testing.assert_array_equal(better.pareto_k, plain.pareto_k)
    assert set(better.method) == {"psis"}
    assert "0 of 1 rows" in better.notes[0]
    assert better.notes[0].endswith("or are too noisy: 12.")  # position 10 is row 12 of the data


def test_the_worst_rows_come_first_and_the_limit_is_said(outlier: Outlier) -> None:
    design, draws, plain = outlier
    k = plain.pareto_k.copy()
    k[[4, 5, 6]] = [0.9, 2.5, 0.8]
    runner = ConjugateRunner()
    better = refitted(replace(plain, pareto_k=k), design, draws, refitter(SETTINGS, runner), most=2)
    assert [call[2].seed for call in runner.calls] == [11 + 5 + 1, 11 + 10 + 1]
    assert list(np.flatnonzero(better.method == "exact")) == [5, 10]
    assert better.k_counts["above_warn"] == 2
    assert "2 of 4 rows" in better.notes[0]
    assert "The limit is 2 refits" in better.notes[0]
    assert "time_series_selection" in better.notes[0]
    assert "2 of 60 scored rows have an unreliable estimate" in better.warnings[0]


def test_no_influential_row_no_refit() -> None:
    matrix = make_matrix(60, seed=1)
    draws, runner = draws_of(matrix), ConjugateRunner()
    plain = run(draws, matrix)
    assert refitted(plain, conjugate_design(matrix), draws, refitter(SETTINGS, runner)) is plain
    assert runner.calls == []


def test_pooled_row_is_refitted_through_its_labels() -> None:
    """Data that say much more than the priors: the density is that of least squares, a t distribution."""
    matrix = market(rows=60)
    design = build_pooled_design(matrix, TWO, scale=True)
    data, runner = linear_input(design.compressed), FakeRunner()
    raw = runner.sample("linear", data, SETTINGS)
    draws = pooled_draws(design, raw.parameters, {}, 10, {})
    found = exact_row(design, 7, refitter(SETTINGS, runner), posterior_points(design, draws))
    x, y = matrix.values, matrix.response - matrix.offset
    others, allowed = np.arange(60) != 7, np.linalg.matrix_rank(design.pooled_matrix.values)
    x = np.linalg.svd(design.pooled_matrix.values, full_matrices=False)[0][:, :allowed]
    coef, *_ = np.linalg.lstsq(x[others], y[others], rcond=None)
    degrees = 59 - allowed
    scale = np.sqrt(np.sum((y[others] - x[others] @ coef) ** 2) / degrees)
    scale *= np.sqrt(1 + x[7] @ np.linalg.inv(x[others].T @ x[others]) @ x[7])
    assert found.reliable
    assert found.elpd == pytest.approx(stats.t.logpdf(y[7] - x[7] @ coef, degrees, scale=scale), abs=0.1)
    assert found.pit == pytest.approx(stats.t.cdf(y[7] - x[7] @ coef, degrees, scale=scale), abs=0.03)


def test_bridge_is_the_ratio_of_normalising_constants() -> None:
    """Draws of N(0, 1) without the row and f a normal density six sds away: each side alone would need luck."""
    rng = np.random.default_rng(0)
    at, spread = 6.0, 0.8
    precision = 1 + 1 / spread**2
    after = at / spread**2 / precision + rng.normal(size=4000) / np.sqrt(precision)
    log_f = [stats.norm.logpdf(at, x, spread) for x in (rng.normal(size=6000), after)]
    found, error = bridge(*log_f)
    truth = stats.norm.logpdf(at, 0, np.hypot(1, spread))
    assert abs(found - truth) < 4 * error
    assert 0.005 < error < 0.3
    assert abs(logsumexp(log_f[0]) - np.log(6000) - truth) > abs(found - truth)
    assert np.isnan(bridge(np.array([0.0, np.nan]), log_f[1])[1])


def test_error_of_the_bridge_is_its_spread() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        without, after = rng.normal(size=500), 1.0 + rng.normal(size=700) / np.sqrt(2)
        found.append(bridge(*(stats.norm.logpdf(2.0, x, 1.0) for x in (without, after))))
    estimates, errors = np.array(found).T
    assert estimates.std() == pytest.approx(errors.mean(), rel=0.3)


@pytest.mark.parametrize(
    ("error", "rhat", "reliable"),
    [(0.4, 1.04, True), (0.6, 1.0, False), (0.1, 1.06, False), (np.nan, 1.0, False), (0.1, np.nan, False)],
)
def test_an_uncertain_refit_is_not_reliable(error: float, rhat: float, reliable: bool) -> None:
    assert ExactRow(-3.0, error, 0.5, rhat).reliable is reliable


def section(**changes: Any) -> SimpleNamespace:
    keys = {"enabled": True, "max_draws": None, "pareto_k_warn": 0.7, "top_n": 3, "moment_match": False, "reloo": False}
    return SimpleNamespace(enabled=True, model_selection=SimpleNamespace(**{**keys, **changes}))


LABELS = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=60, freq="7D")})


def test_tables_follow_the_config(outlier: Outlier) -> None:
    design, draws, plain = outlier
    runner = ConjugateRunner()
    made = {
        name: selection_tables(
            draws, design.matrix, LABELS, section(**keys), design=design, refit=refitter(SETTINGS, runner)
        )
        for name, keys in {
            "plain": {},
            "matched": {"moment_match": True},
            "refitted": {"reloo": True},
            "both": {"moment_match": True, "reloo": True},
        }.items()
    }
    assert len(runner.calls) == 1, "reloo after a moment match that worked has nothing to do"
    truth = exact_loo(design.matrix).sum()
    for name, tables in made.items():
        gap = abs(tables["loo_summary"].loc[0, "elpd_loo"] - truth)
        assert (gap > 3) == (name == "plain")
        assert ("method" in tables["loo_pointwise"]) == (name != "plain")
    assert made["plain"]["loo_summary"].loc[0, "elpd_loo"] == plain.elpd_loo
    assert list(made["refitted"]["loo_pointwise"]["method"].value_counts().items()) == [("psis", 59), ("exact", 1)]
    assert made["both"]["loo_pointwise"].loc[10, "method"] == "moment_match"
    assert "moment matching" in made["both"]["loo_summary"].loc[0, "warnings"]
    pd.testing.assert_frame_equal(
        made["plain"]["loo_pointwise"], loo_tables(draws, design.matrix, LABELS, section())["loo_pointwise"]
    )


@pytest.mark.parametrize("key", ["moment_match", "reloo"])
def test_a_refinement_without_a_model_is_refused(outlier: Outlier, key: str) -> None:
    design, draws, _ = outlier
    with pytest.raises(FitError, match=f"model_selection.{key}"):
        selection_tables(draws, design.matrix, LABELS, section(**{key: True}))


def test_matched_rows_that_stay_bad_are_refitted(outlier: Outlier) -> None:
    design, draws, plain = outlier
    better = matched(plain, design, draws, None)
    still = replace(better, pareto_k=np.where(better.method == "moment_match", 0.8, better.pareto_k))
    final = refitted(still, design, draws, refitter(SETTINGS, ConjugateRunner()))
    assert final.method[10] == "exact"
    assert len(final.notes) == 2
    assert final.warnings == final.notes

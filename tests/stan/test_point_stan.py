"""Stan's optimiser through the runner: modes against scipy's of independent densities, endings, seeds."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from overrides import Bound, Prior
from panels import case
from pooled_markets import TWO, market, sums_by_hand
from rowwise_modes import dense_mode, rowwise_mode

from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled import build_pooled_design, pool_columns
from dsam_assets.errors import FitError
from dsam_assets.fit.point import PointFit, PointSettings, fit_point
from dsam_assets.fit.point_model import point_model
from dsam_assets.fit.runner import OptimiseAlgorithm, OptimiseSettings
from resources.stan_runner import CmdStanRunner

pytestmark = pytest.mark.stan

SETTINGS = PointSettings(starts=4, seed=5, hessian=True)
NORMAL = [
    Prior("(Intercept)", 1.0, 2.0), Prior("m_tv", 0.0, 0.1), Prior("price", -0.5, 0.2), Prior("noise_sd", 0.2, 0.1)
]  # fmt: skip
LOGNORMAL = [*NORMAL[:3], Prior("noise_sd", 0.2, 0.1, "lognormal_ms")]
BOUNDS = [Bound("m_tv", upper=0.3), Bound("price", lower=-5.0), Bound("noise_sd", upper=0.31)]
PANEL = [
    Prior("(Intercept)", 20.0, 6.0), Prior("x", 1.0, 1.0), Prior("w", -1.0, 1.0), Prior("noise_sd", 1.0, 1.0),
    Prior("sd_1[(Intercept)]", 2.0, 2.0), Prior("sd_1[x]", 0.5, 0.5),
]  # fmt: skip
CLOSE = 0.02  # standard deviations


@pytest.fixture(scope="module")
def runner() -> CmdStanRunner:
    return CmdStanRunner()


@pytest.fixture(scope="module")
def matrix() -> ModelMatrix:
    rng = np.random.default_rng(5)
    values = np.column_stack([np.ones(30), rng.normal(size=30), 40 + 3 * rng.normal(size=30)])
    response = values @ [2.0, 0.5, -0.3] + rng.normal(0, 0.3, 30)
    terms = ("(Intercept)", "m_tv", "price")
    return ModelMatrix(terms, values, response, rng.normal(0, 0.1, 30), "kpi", "identity", np.arange(30), {})


def assert_at(fit: PointFit, expected: Any) -> None:
    """Estimates within a fiftieth of a standard deviation, those on a bound within a thousandth of their size."""
    best = fit.optimisation_best
    width = np.where(np.isnan(best["sd"]), 1e-3 * np.abs(expected), CLOSE * best["sd"])
    np.testing.assert_array_less(np.abs(best["estimate"] - expected), width)
    assert fit.draws.attributes["converged"] == 1


@pytest.mark.parametrize("algorithm", ["lbfgs", "bfgs"])
@pytest.mark.parametrize("priors", [NORMAL, LOGNORMAL], ids=["normal", "lognormal"])
@pytest.mark.parametrize("bounds", [(), BOUNDS], ids=["free", "bounded"])
@pytest.mark.parametrize("scale", [True, False])
def test_linear_mode_is_scipys(
    runner: CmdStanRunner,
    matrix: ModelMatrix,
    scale: bool,
    bounds: Any,
    priors: list[Prior],
    algorithm: OptimiseAlgorithm,
) -> None:
    """With every prior in data units, scaled or not, and with bounds that hold two parameters."""
    design = build_linear_design(matrix, scale=scale, priors=priors, boundaries=bounds)
    fit = fit_point(design, replace(SETTINGS, algorithm=algorithm), runner)
    assert_at(fit, rowwise_mode(matrix, priors, bounds))
    assert fit.optimisation_best["at_bound"].tolist() == (["none", "upper"] * 2 if bounds else ["none"] * 4)


@pytest.mark.parametrize("name", ["balanced", "unbalanced", "nested", "crossed"])
def test_hierarchical_mode_is_the_dense_one(runner: CmdStanRunner, name: str) -> None:
    design = case(name)
    fit = fit_point(design, SETTINGS, runner)
    expected = point_model(design).estimates(dense_mode(design))
    on_bound = (fit.optimisation_best["at_bound"] != "none").to_numpy()
    wanted = np.array(list(expected.values()))
    np.testing.assert_allclose(wanted[on_bound], 0, atol=1e-6)
    np.testing.assert_array_less(
        np.abs(fit.optimisation_best["estimate"] - wanted)[~on_bound], CLOSE * fit.optimisation_best["sd"][~on_bound]
    )
    assert fit.draws.deviations
    assert fit.draws.attributes["converged"] == 1


def test_both_hierarchical_programs_end_at_the_same_mode(runner: CmdStanRunner) -> None:
    model = point_model(case("nested"))
    settings = OptimiseSettings(seed=3, algorithm="bfgs")
    ends = [model.point(runner.optimise(program, model.data, settings).parameters) for program in model.programs]
    assert len(ends) == 2
    np.testing.assert_allclose(ends[0], ends[1], atol=2e-3)


def test_hierarchical_mode_does_not_depend_on_scaling(runner: CmdStanRunner) -> None:
    scaled, plain = (
        fit_point(case("unbalanced", priors=PANEL, scale=scale), SETTINGS, runner) for scale in (True, False)
    )
    assert_at(scaled, plain.optimisation_best["estimate"].to_numpy())


def test_a_mode_without_spread_between_groups_is_on_its_bound(runner: CmdStanRunner) -> None:
    """Stan goes towards zero for ever; it is called zero's bound, and the climb converged."""
    fit = fit_point(case("unbalanced", priors=[Prior("sd_1[x]", 0.0, 0.02)]), SETTINGS, runner)
    best = fit.optimisation_best.set_index("parameter")
    assert 0 <= best.loc["sd_1[x]", "estimate"] < 1e-3
    assert best.loc["sd_1[x]", "at_bound"] == "lower"
    assert fit.draws.attributes["converged"] == 1


def test_pooled_mode_is_that_of_the_labels(runner: CmdStanRunner) -> None:
    rows = market()
    pooled = pool_columns(rows, TWO)
    special = {"(Intercept)": (8000.0, 900.0), "trend": (250.0, 60.0), "price": (-50.0, 12.0)}
    priors = [*(Prior(term, *special.get(term, (0.5, 0.4))) for term in pooled.terms), Prior("noise_sd", 200.0, 100.0)]
    fit = fit_point(build_pooled_design(rows, TWO, scale=True, priors=priors), SETTINGS, runner)
    expected = dict(zip((*pooled.terms, "noise_sd"), rowwise_mode(pooled, priors), strict=True))
    sums = sums_by_hand(rows, TWO, {name: np.array(value) for name, value in expected.items()})
    labels = [expected[name] for name in TWO.label_names]
    assert_at(fit, np.array([*sums, expected["noise_sd"], *labels]))


def test_log_posterior_is_stans_up_to_a_constant(runner: CmdStanRunner, matrix: ModelMatrix) -> None:
    """On the way up, where it is still far apart."""
    for design in (build_linear_design(matrix, scale=True, priors=LOGNORMAL), case("nested")):
        model = point_model(design)
        modes = [
            runner.optimise(model.programs[-1], model.data, OptimiseSettings(seed=seed, iterations=3))
            for seed in (1, 2, 3, 4)
        ]
        here = [model.posterior.expand(model.point(mode.parameters)).value for mode in modes]
        there = [mode.log_posterior for mode in modes]
        np.testing.assert_allclose(np.diff(there), np.diff(here), rtol=1e-9, atol=1e-9)
        assert np.ptp(here) > 0.1


def test_seed_decides_the_bytes(runner: CmdStanRunner, matrix: ModelMatrix) -> None:
    design = build_linear_design(matrix, scale=True)
    one, again, other = (fit_point(design, replace(SETTINGS, seed=seed), runner) for seed in (5, 5, 6))
    assert one.optimisation_runs.to_csv() == again.optimisation_runs.to_csv()
    assert one.optimisation_best.to_csv() == again.optimisation_best.to_csv()
    columns = [name for name in one.optimisation_runs if name.startswith("estimate_")]
    # start k of seed 5 is start k − 1 of seed 6
    np.testing.assert_array_equal(one.optimisation_runs[columns][1:], other.optimisation_runs[columns][:-1])
    assert one.optimisation_runs[columns].nunique().max() > 1


def test_the_iteration_limit_is_a_result_that_has_not_converged(
    runner: CmdStanRunner, matrix: ModelMatrix, caplog: pytest.LogCaptureFixture
) -> None:
    fit = fit_point(build_linear_design(matrix, scale=True), replace(SETTINGS, iterations=2), runner)
    runs = fit.optimisation_runs
    assert not runs["converged"].any()
    assert runs["message"].str.startswith("Maximum number of iterations hit").all()
    assert (runs["iterations"] == 2).all()
    assert runs["is_best"].sum() == 1
    assert fit.draws.attributes["converged"] == 0
    assert not caplog.records


def test_a_failed_line_search_is_a_result_that_has_not_converged(
    runner: CmdStanRunner, caplog: pytest.LogCaptureFixture
) -> None:
    """A likelihood of one huge residual: from far away no step is good enough."""
    rng = np.random.default_rng(2)
    values = np.column_stack([np.ones(20), 1e8 * rng.normal(size=20)])
    rows = ModelMatrix(("(Intercept)", "x"), values, 1e12 * rng.normal(size=20), np.zeros(20), "kpi", "identity",
                       np.arange(20), {})  # fmt: skip
    model = point_model(build_linear_design(rows, scale=False))
    modes = [runner.optimise("linear", model.data, OptimiseSettings(seed=seed)) for seed in range(6)]
    failed = [mode for mode in modes if "Line search failed" in mode.reason]
    assert failed
    assert not any(mode.converged for mode in failed)
    assert not caplog.records


def test_the_start_radius_is_used(runner: CmdStanRunner, matrix: ModelMatrix) -> None:
    """From radius zero every seed climbs the same way."""
    model = point_model(build_linear_design(matrix, scale=True))
    for radius, same in ((0.0, True), (2.0, False)):
        ends = [
            runner.optimise("linear", model.data, OptimiseSettings(seed=seed, iterations=1, init_radius=radius))
            for seed in (1, 2)
        ]
        assert (ends[0].log_posterior == ends[1].log_posterior) is same


def test_refused_data_are_an_error(
    runner: CmdStanRunner, matrix: ModelMatrix, caplog: pytest.LogCaptureFixture
) -> None:
    data = {**point_model(build_linear_design(matrix, scale=True)).data, "rss": -1.0}
    with pytest.raises(FitError, match="optimising the program linear") as caught:
        runner.optimise("linear", data, OptimiseSettings(seed=1))
    assert "rss is -1" in str(caught.value.got)
    assert not caplog.records


def test_nothing_is_left_behind(
    runner: CmdStanRunner, matrix: ModelMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mode = runner.optimise(
        "linear", point_model(build_linear_design(matrix, scale=True)).data, OptimiseSettings(seed=1)
    )
    assert list(tmp_path.iterdir()) == []
    assert (mode.parameters["coef"].shape, mode.parameters["noise_sd"].shape) == ((3,), ())
    assert mode.stan_version.startswith("2.")

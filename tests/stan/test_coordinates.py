"""The coordinates that the sampler moves in: cheap whatever the design, and never part of the model."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from overrides import Bound, Prior
from panels import panel, panel_design

from dsam_assets.design.linear import build_linear_design
from dsam_assets.fit.runner import McmcSettings, OptimiseSettings
from dsam_assets.fit.stan_input import hierarchical_input, linear_input
from dsam_assets.scales import FloatArray
from resources.stan_runner import CmdStanRunner

pytestmark = pytest.mark.stan

OWN = Path(__file__).parent / "programs"
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "collinear.py"
ROWS, TERMS = 156, 20
HARD = (("pair", 1e5), ("spectrum", 1e5), ("common", 1e3))


@pytest.fixture(scope="module")
def collinear() -> Iterator[ModuleType]:
    """benchmarks/collinear.py, which makes the designs and counts the steps."""
    spec = importlib.util.spec_from_file_location("collinear_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def settings(**changes: Any) -> McmcSettings:
    return McmcSettings(**{"chains": 4, "warmup": 500, "sampling": 1000, "seed": 3, "parallel_chains": 2} | changes)


def moments(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means and their Monte Carlo standard errors, from the means of batches of 50 draws; values (chain, draw, P)."""
    batches = values.reshape(-1, 50, values.shape[-1]).mean(axis=1)
    return batches.mean(axis=0), batches.std(axis=0, ddof=1) / np.sqrt(len(batches))


def assert_same(one: FloatArray, other: FloatArray) -> None:
    """Means within 4.5 joint Monte Carlo errors, sds within 10 %; values (chain, draw, P)."""
    (mean, error), (mean_other, error_other) = moments(one), moments(other)
    np.testing.assert_array_less(np.abs(mean - mean_other) / np.hypot(error, error_other), 4.5)
    np.testing.assert_allclose(one.std(axis=(0, 1)), other.std(axis=(0, 1)), rtol=0.1)


# --- what they are for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "condition"), HARD)
def test_collinear_terms_cost_less_than_twice_an_orthogonal_design(
    collinear: ModuleType, kind: str, condition: float
) -> None:
    """Leapfrog steps per iteration and per effective draw. Without coordinates these designs take 70 to 700 times as
    many per effective draw."""
    easy, hard = (
        collinear.linear_data(collinear.standardised_design(*design, ROWS, TERMS), 0)
        for design in (("orthogonal", 1.0), (kind, condition))
    )
    X = collinear.standardised_design(kind, condition, ROWS, TERMS)
    assert np.linalg.cond(X) == pytest.approx(condition, rel=0.01)
    base, found = (collinear.measure("linear", data, settings()) for data in (easy, hard))
    assert found.per_iteration < 2 * base.per_iteration
    assert found.per_draw < 2 * base.per_draw
    assert found.rhat < 1.01
    assert found.divergences == 0


@pytest.mark.parametrize(("kind", "condition"), HARD)
def test_collinear_bounded_terms_are_affordable(collinear: ModuleType, kind: str, condition: float) -> None:
    """Half of the terms at least zero. No coordinates undo the corners that bounds cut out of a narrow ridge, so a
    ceiling of 4 times per effective draw."""
    easy, hard = (
        collinear.linear_data(collinear.standardised_design(*design, ROWS, TERMS), TERMS // 2)
        for design in (("orthogonal", 1.0), (kind, condition))
    )
    base, found = (collinear.measure("linear", data, settings()) for data in (easy, hard))
    assert base.per_iteration < 10, "bounds alone cost nothing"
    assert found.per_iteration < 2 * base.per_iteration
    assert found.per_draw < 4 * base.per_draw
    assert found.rhat < 1.02
    assert found.divergences == 0


def test_collinear_population_of_a_panel_costs_less_than_twice(collinear: ModuleType) -> None:
    easy, hard = (
        collinear.hierarchical_data(collinear.standardised_design(*design, ROWS, TERMS))
        for design in (("orthogonal", 1.0), ("spectrum", 1e5))
    )
    base, found = (collinear.measure("hierarchical_adjoint", data, settings()) for data in (easy, hard))
    assert found.per_iteration < 2 * base.per_iteration
    assert found.per_draw < 2 * base.per_draw
    assert found.rhat < 1.02


def test_short_warm_ups_converge(collinear: ModuleType) -> None:
    """Two chains of 150 iterations of warm-up, from Stan's own starts."""
    X = collinear.standardised_design("spectrum", 1e5, ROWS, TERMS)
    for bounded in (0, TERMS // 2):
        found = collinear.measure("linear", collinear.linear_data(X, bounded), settings(chains=2, warmup=150))
        assert found.rhat < 1.03
        assert found.per_iteration < 20


# --- what they are not ----------------------------------------------------------------------------------------------

BOUNDS = (Bound("x1", lower=0.0), Bound("x2", upper=0.3), Bound("x3", -0.1, 0.2), Bound("x4", lower=0.5))
PRIORS = (Prior("x1", 0.2, 0.5), Prior("x2", 0.5, 0.4), Prior("x4", -1.0, 1.0))


def small_data(collinear: ModuleType, **changes: Any) -> dict[str, Any]:
    """Five predictors, of which two nearly repeat each other; bounds of every kind that bite."""
    matrix = collinear.model_matrix(collinear.standardised_design("pair", 20.0, 25, 5))
    return linear_input(build_linear_design(matrix, scale=True, priors=PRIORS, boundaries=BOUNDS)) | changes


def distorted(data: dict[str, Any], seed: int) -> dict[str, Any]:
    """Other coordinates: moved, turned, stretched, with other bends and slopes."""
    rng = np.random.default_rng(seed)
    C, U = data["bounded_size"], data["K"] - data["bounded_size"]
    return data | {
        "bounded_center": data["bounded_center"] + 0.5 * data["softness"] * rng.normal(size=C),
        "bounded_spread": data["bounded_spread"] @ (np.eye(C) + 0.3 * rng.normal(size=(C, C))),
        "softness": data["softness"] * rng.uniform(0.5, 2.0, size=C),
        "unbounded_center": data["unbounded_center"] + 0.5 * rng.normal(size=U),
        "unbounded_slope": data["unbounded_slope"] + 0.5 * rng.normal(size=(U, C)),
        "unbounded_spread": data["unbounded_spread"] @ (np.eye(U) + 0.3 * rng.normal(size=(U, U))),
    }


def draws_of(data: dict[str, Any], program: str = "linear", folder: Path | None = None) -> FloatArray:
    raw = CmdStanRunner(folder=folder).sample(program, data, settings(sampling=3000, adapt_delta=0.95))
    return np.concatenate([raw.parameters["coef"], raw.parameters["noise_sd"][..., None]], axis=2)


@pytest.mark.parametrize("prior_only", [0, 1])
def test_posterior_and_prior_are_those_without_coordinates(collinear: ModuleType, prior_only: int) -> None:
    data = small_data(collinear, prior_only=prior_only)
    plain = draws_of(data, "plain_linear", OWN)
    assert_same(draws_of(data), plain)
    assert_same(draws_of(distorted(data, seed=1)), plain)


@pytest.mark.parametrize(
    ("change", "short"), [(lambda data: data, 1e-5), (lambda data: distorted(data, 2), 1e-3)], ids=["own", "distorted"]
)
def test_mode_is_that_without_coordinates(
    collinear: ModuleType, change: Callable[[dict[str, Any]], dict[str, Any]], short: float
) -> None:
    """Climbs stop a little short of the top, `short` at most in log density, and in bad coordinates earlier."""
    data = small_data(collinear)
    found = CmdStanRunner().optimise("linear", change(data), OptimiseSettings(seed=1))
    plain = CmdStanRunner(folder=OWN).optimise("plain_linear", data, OptimiseSettings(seed=2))
    assert found.log_posterior == pytest.approx(plain.log_posterior, abs=short)
    # A shortfall d moves a parameter by about √(2d) of its posterior sd, for which the noise sd stands in here.
    reach = np.sqrt(2 * short) * found.parameters["noise_sd"]
    np.testing.assert_allclose(found.parameters["coef"], plain.parameters["coef"], atol=reach)
    np.testing.assert_allclose(found.parameters["noise_sd"], plain.parameters["noise_sd"], atol=reach)


@pytest.mark.parametrize("program", ["hierarchical", "hierarchical_adjoint"])
def test_a_panels_posterior_does_not_depend_on_them(program: str) -> None:
    design = panel_design(
        "kpi ~ x + w + (1 + x | market)", panel(markets=6, brands=2), boundaries=[Bound("w", lower=-0.9)]
    )
    data = hierarchical_input(design)
    found = []
    for one in (data, distorted(data, seed=4)):
        raw = CmdStanRunner().sample(program, one, settings(sampling=3000, adapt_delta=0.95))
        values = raw.parameters
        found.append(np.concatenate([values["coef"], values["group_sd"], values["noise_sd"][..., None]], axis=2))
    assert_same(*found)

"""hierarchical.stan and its twin with the closed-form gradient, against the dense normal and a row-wise program."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from overrides import Bound, Prior
from panels import case, dense_log_density, panel, panel_design, stacked
from scipy import stats

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.fit.hierarchical import fit_hierarchical, hierarchical_draws
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.fit.stan_input import hierarchical_input
from dsam_assets.scales import FloatArray
from resources.stan_runner import CmdStanRunner
from resources.toolchain.sources import read_program, stan_folder

pytestmark = pytest.mark.stan

PROGRAMS = ("hierarchical", "hierarchical_adjoint")
OWN = Path(__file__).parent / "programs"
STRUCTURES = ("balanced", "unbalanced", "nested", "crossed")


@pytest.fixture(scope="module")
def runner() -> CmdStanRunner:
    return CmdStanRunner()


def settings(**changes: Any) -> McmcSettings:
    return McmcSettings(**{"chains": 4, "warmup": 500, "sampling": 2000, "seed": 3, "parallel_chains": 2} | changes)


def flat(raw: StanDraws, name: str) -> FloatArray:
    values = raw.parameters[name]
    return values.reshape(-1, *values.shape[2:])


def mean_and_error(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means and their Monte Carlo standard errors, from the means of batches of 50 draws; values (chain, draw, P)."""
    batches = values.reshape(-1, 50, values.shape[-1]).mean(axis=1)
    return batches.mean(axis=0), batches.std(axis=0, ddof=1) / np.sqrt(len(batches))


def assert_same(one: FloatArray, other: FloatArray) -> None:
    """Means within 4.5 joint Monte Carlo errors, sds within 10 %; values (chain, draw, P)."""
    (mean, error), (mean_other, error_other) = mean_and_error(one), mean_and_error(other)
    np.testing.assert_array_less(np.abs(mean - mean_other) / np.hypot(error, error_other), 4.5)
    np.testing.assert_allclose(one.std(axis=(0, 1)), other.std(axis=(0, 1)), rtol=0.1)


# --- the density ----------------------------------------------------------------------------------------------------


def log_prior(data: dict[str, Any], coef: FloatArray, positive: FloatArray) -> FloatArray:
    """Priors of coefficients and standard deviations, with the Jacobian of the logs."""
    return np.asarray(
        stats.norm.logpdf(coef, data["prior_mean"], data["prior_sd"]).sum(axis=1)
        + stats.norm.logpdf(positive, data["sd_location"], data["sd_spread"]).sum(axis=1)
        + np.log(positive).sum(axis=1)
    )


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", STRUCTURES)
def test_log_density_is_the_dense_one(runner: CmdStanRunner, name: str, program: str) -> None:
    """lp__ and the dense density of all rows with priors and Jacobians differ by one constant over all draws."""
    design = case(name)
    data = hierarchical_input(design)
    raw = runner.sample(program, data, settings(chains=1, warmup=200, sampling=50))
    coef, group_sd, noise = (flat(raw, key) for key in ("coef", "group_sd", "noise_sd"))
    likelihood = [dense_log_density(design, b, tau, float(s)) for b, tau, s in zip(coef, group_sd, noise, strict=True)]
    density = likelihood + log_prior(data, coef, np.column_stack([group_sd, noise]))
    assert np.ptp(raw.sampler["lp__"].ravel() - density) < 1e-8
    assert np.ptp(density) > 1


@pytest.mark.parametrize("name", STRUCTURES)
def test_closed_form_gradient_is_that_of_autodiff(runner: CmdStanRunner, name: str) -> None:
    """The same seed, start and step size: trajectories that follow the same gradient visit the same points."""
    data = hierarchical_input(case(name))
    short = settings(chains=2, warmup=0, sampling=30, step_size=0.02, max_treedepth=4, init_radius=0.5)
    first, second = (runner.sample(program, data, short) for program in PROGRAMS)
    for key in ("coef", "group_sd", "noise_sd"):
        np.testing.assert_allclose(first.parameters[key], second.parameters[key], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(first.sampler["energy__"], second.sampler["energy__"], rtol=1e-9)
    assert np.ptp(first.parameters["coef"]) > 0.1, "the trajectories lead somewhere"


@pytest.fixture(scope="module")
def gradient_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """blocks_gradient.stan with the C++ under test and, under another name, the Stan function."""
    folder = tmp_path_factory.mktemp("gradient")
    (folder / "functions").mkdir()
    package = stan_folder() / "functions"
    joined = (package / "blocks.hpp").read_text() + (OWN / "blocks_gradient.hpp").read_text()
    plain = (package / "blocks.stanfunctions").read_text().replace("blocks_log_density", "plain_log_density")
    (folder / "functions" / "joined.hpp").write_text(joined)
    (folder / "functions" / "plain.stanfunctions").write_text(plain)
    (folder / "blocks_gradient.stan").write_text((OWN / "blocks_gradient.stan").read_text())
    return folder


def evaluate(folder: Path, design: HierarchicalDesign, points: FloatArray) -> StanDraws:
    """Value and gradient at the points (P, K + T + 1), which are given as data."""
    data = hierarchical_input(design)
    K, T = data["K"], data["T"]
    kept = ("K", "T", "B", "block_rows", "block_columns", "sd_index", "zy", "ZX", "cells", "F")
    at = {"P": len(points), "coef": points[:, :K], "group_sd": points[:, K : K + T], "noise_sd": points[:, -1]}
    short = settings(chains=1, warmup=0, sampling=1, step_size=0.1)
    return CmdStanRunner(folder=folder).sample("blocks_gradient", {name: data[name] for name in kept} | at, short)


@pytest.mark.parametrize("name", STRUCTURES)
def test_closed_form_gradient_is_the_numerical_one(gradient_folder: Path, name: str) -> None:
    """Central differences of the Stan function, at points from nearly no deviations to very large ones."""
    design = case(name)
    K, T = len(design.matrix.terms), len(design.sd_names)
    rng = np.random.default_rng(9)
    sizes = np.array([1e-3, 0.3, 1.0, 20.0])
    points = np.column_stack(
        [rng.normal(size=(4, K)), sizes[:, None] * rng.uniform(0.5, 2, size=(4, T)), rng.uniform(0.3, 2.0, size=4)]
    )
    step = 1e-4 * np.maximum(np.abs(points), 1e-3)
    sides = [points + sign * step[:, [i]] * np.eye(K + T + 1)[i] for i in range(K + T + 1) for sign in (1, -1)]
    raw = evaluate(gradient_folder, design, np.vstack([points, *sides]))
    value, plain, gradient = (raw.parameters[key][0, 0] for key in ("value", "plain", "gradient"))
    np.testing.assert_allclose(value, plain, rtol=1e-11)
    moved = plain[4:].reshape(K + T + 1, 2, 4)
    numerical = ((moved[:, 0] - moved[:, 1]) / (2 * step.T)).T
    np.testing.assert_allclose(gradient[:4], numerical, rtol=2e-5, atol=2e-5 * np.abs(numerical).max())


def test_steps_too_far_are_rejected_in_both(gradient_folder: Path) -> None:
    """A covariance that cannot be factored has density zero; nothing is raised, nothing is NaN."""
    design = case("balanced")
    good = np.array([0.1, 0.2, 0.3, 0.5, 0.5, 1.0])
    bad = np.tile(good, (4, 1))
    bad[0, 3], bad[1, 5], bad[2, 5], bad[3, 0] = 1e200, 0.0, 1e200, 1e200
    raw = evaluate(gradient_folder, design, np.vstack([good, bad]))
    for key in ("value", "plain"):
        values = raw.parameters[key][0, 0]
        assert np.isfinite(values[0])
        assert np.all(values[1:] == -inf)
    assert np.all(raw.parameters["gradient"][0, 0, 1:] == 0)


def test_nothing_is_said_while_warming_up(runner: CmdStanRunner, caplog: pytest.LogCaptureFixture) -> None:
    for program in PROGRAMS:
        runner.sample(program, hierarchical_input(case("nested")), settings(sampling=50))
    assert not caplog.records


def test_the_cpp_function_belongs_to_the_program() -> None:
    """Its text enters the executable's key, so that an edit is compiled."""
    texts = read_program("hierarchical_adjoint")
    assert {"functions/blocks.hpp", "blocks/hierarchical.stan", "functions/sufficient.stanfunctions"} < set(texts)
    assert "functions/blocks.hpp" not in read_program("hierarchical")
    assert "functions/blocks.stanfunctions" not in texts


# --- the posterior --------------------------------------------------------------------------------------------------


def rowwise_input(design: HierarchicalDesign) -> dict[str, Any]:
    data = hierarchical_input(design)
    (group,), (scaling,), rows = design.groups, design.group_scalings, design.matrix
    kept = ("N", "K", "prior_mean", "prior_sd", "lower_bound", "upper_bound", "sd_location", "sd_spread")
    return {name: data[name] for name in kept} | {
        "G": len(group.levels),
        "J": len(group.terms),
        "X": (rows.values - design.scaling.x_center) / design.scaling.x_spread,
        "Z": (group.values - scaling.center) / scaling.spread,
        "group": group.codes + 1,
        "y": (rows.response - rows.offset - design.scaling.y_center) / design.scaling.y_spread,
    }


def everything(draws: Draws, effects: FloatArray) -> FloatArray:
    shape = draws.noise_sd.shape
    return np.concatenate(
        [draws.coef, stacked(draws.group_sd), draws.noise_sd[..., None], effects.reshape(*shape, -1)], axis=2
    )


@pytest.mark.parametrize("formula", ["kpi ~ x + w + (1 + x | market)", "kpi ~ x + w + (0 + x | market)"])
def test_posterior_is_that_of_the_rowwise_program(runner: CmdStanRunner, formula: str) -> None:
    """Population, standard deviations and every group's deviations, with bounds that bite, in data units."""
    design = panel_design(
        formula, panel(markets=6, brands=2, keep=0.7), boundaries=[Bound("w", lower=-0.9), Bound("x", 0.5, 1.2)]
    )
    draws = fit_hierarchical(design, settings(), runner)
    effects = with_group_effects(draws, design, seed=1).deviations[0].values
    raw = CmdStanRunner(folder=OWN).sample("rowwise_groups", rowwise_input(design), settings(adapt_delta=0.95))
    (scaling,) = design.group_scalings
    deviations = raw.parameters["deviation"] / scaling.sd_factor
    deviations[..., 0] -= deviations @ scaling.center
    other = hierarchical_draws(design, raw.parameters, {}, 10, {})
    assert_same(everything(draws, effects), everything(other, deviations))


def priors_on_everything(formula_terms: Sequence[str]) -> list[Prior]:
    centres = {"(Intercept)": (20, 6), "x": (1, 1), "w": (-1, 1), "noise_sd": (1, 1)}
    deviations = {"sd_1[(Intercept)]": (2, 2), "sd_1[x]": (0.5, 0.5)}
    rows = {**centres, **deviations}
    return [Prior(name, *rows[name], "normal") for name in formula_terms]


def test_scaling_does_not_change_the_model(runner: CmdStanRunner) -> None:
    """With every prior in data units (so without centring) the posterior is the same with and without scaling."""
    names = ("(Intercept)", "x", "w", "noise_sd", "sd_1[(Intercept)]", "sd_1[x]")
    found = []
    for scale in (True, False):
        design = panel_design(
            "kpi ~ x + w + (1 + x | market)", panel(), scale=scale, priors=priors_on_everything(names)
        )
        draws = fit_hierarchical(design, settings(), runner, program="hierarchical_adjoint")
        found.append(everything(draws, with_group_effects(draws, design, seed=1).deviations[0].values))
    assert_same(*found)


def test_lognormal_priors_in_both_parameterisations(runner: CmdStanRunner) -> None:
    priors = [
        Prior("sd_1[x]", 0.4, 0.2, "lognormal_ms"),
        Prior("noise_sd", 0.8, 0.3, "lognormal_ms"),
        Prior("sd_1[(Intercept)]", 1.0, 2.0),
    ]
    design = panel_design(
        "kpi ~ x + w + (1 + x | market)", panel(), priors=priors, boundaries=[Bound("sd_1[x]", 0.2, 0.9)]
    )
    centred, noncentred = (
        fit_hierarchical(design, settings(), runner, positive_priors=how) for how in ("centered", "noncentered")
    )
    first, second = (everything(draws, draws.coef[..., :0]) for draws in (centred, noncentred))
    assert_same(first, second)
    assert 0.2 < centred.group_sd["sd_1[x]"].min() < centred.group_sd["sd_1[x]"].max() < 0.9


@pytest.mark.parametrize("how", ["centered", "noncentered"])
def test_prior_alone(runner: CmdStanRunner, how: Any) -> None:
    """Half normal, truncated normal and lognormal group sds, in data units."""
    priors = [
        Prior("sd_1[(Intercept)]", 0.0, 2.0),
        Prior("sd_1[x]", 0.4, 0.2, "lognormal_ms"),
        Prior("sd_2[x]", 1.0, 0.5),
    ]
    design = panel_design("kpi ~ x + (1 + x | market) + (0 + x | brand)", panel(), priors=priors,
                          boundaries=[Bound("sd_2[x]", 0.5, 1.2)])  # fmt: skip
    draws = fit_hierarchical(design, settings(), runner, positive_priors=how, prior_only=True)
    expected = [2 * np.sqrt(2 / np.pi), 0.4, stats.truncnorm(-1, 0.4, 1.0, 0.5).mean()]
    mean, error = mean_and_error(stacked(draws.group_sd))
    np.testing.assert_array_less(np.abs(mean - expected) / error, 4.5)
    assert draws.group_sd["sd_1[x]"].std() == pytest.approx(0.2, rel=0.1)


def test_refuses_a_noncentred_normal(runner: CmdStanRunner) -> None:
    from dsam_assets.errors import FitError

    data = hierarchical_input(case("balanced")) | {"sd_noncentered": np.array([1, 0, 0])}
    with pytest.raises(FitError) as caught:
        runner.sample("hierarchical", data, settings(chains=1))
    assert "needs a lognormal prior" in str(caught.value.got)

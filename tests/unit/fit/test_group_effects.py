"""Conditional draws of group deviations against the dense conditional normal, and what is derived from them."""

from __future__ import annotations

import numpy as np
import pytest
from panels import (
    CASES,
    case,
    column_sd,
    dense_conditional,
    dense_design,
    panel,
    panel_design,
    stacked,
    stan_rows,
)
from scipy import stats

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.errors import DesignError, FitError
from dsam_assets.fit import group_effects, predictor
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import (
    coefficients_on_stan_scale,
    conditional_draws,
    group_coefficients,
    with_group_effects,
)
from dsam_assets.fit.predictor import joint_draws, posterior_means, predictor_blocks
from dsam_assets.scales import FloatArray
from dsam_assets.selection.loo import log_likelihood

SHAPE = (2, 3)


def fake_draws(design: HierarchicalDesign, seed: int = 4, shape: tuple[int, int] = SHAPE) -> Draws:
    """Draws of no particular posterior, in data units."""
    rng = np.random.default_rng(seed)
    coef = 0.3 * rng.normal(size=(*shape, len(design.matrix.terms)))
    noise_sd = rng.uniform(0.5, 1.5, size=shape) * design.scaling.y_spread
    group_sd = rng.gamma(2.0, 0.4, size=(*shape, len(design.sd_names))) / design.sd_factor
    return Draws(
        design.matrix.terms,
        design.scaling.coefficients_to_data_units(coef),
        noise_sd,
        {"lp": rng.normal(size=shape)},
        10,
        {"seed": 1},
        group_sd={name: group_sd[..., position] for position, name in enumerate(design.sd_names)},
    )


def same_draw(design: HierarchicalDesign, times: int) -> Draws:
    """One draw of the population, `times` times."""
    one = fake_draws(design, shape=(1, 1))
    group_sd = {name: np.repeat(values, times, axis=1) for name, values in one.group_sd.items()}
    coef, noise_sd = np.repeat(one.coef, times, axis=1), np.repeat(one.noise_sd, times, axis=1)
    return Draws(one.terms, coef, noise_sd, {}, 10, {}, group_sd=group_sd)


def means(draws: Draws, design: HierarchicalDesign) -> FloatArray:
    """The predictor of every row under every draw, shape (S, N), and that it comes in one block."""
    (found,) = (mean for _, mean in predictor_blocks(joint_draws(draws), design.matrix))
    return found


@pytest.mark.parametrize("name", CASES)
def test_conditional_mean_and_covariance_are_the_dense_ones(name: str) -> None:
    """The covariance, exactly: draws are linear in the normals, so unit vectors give the columns of its root."""
    design = case(name)
    rng = np.random.default_rng(5)
    coef, group_sd, noise = rng.normal(size=len(design.matrix.terms)), rng.gamma(2.0, size=len(design.sd_names)), 0.8
    mean, covariance = dense_conditional(design, coef, group_sd, noise)
    _, names = dense_design(design)
    tau = column_sd(design, names, group_sd)
    found = np.zeros_like(covariance)
    for block in design.statistics.blocks:
        place = block.deviations
        columns = [names.index(key) for key in zip(place.term, place.level, place.effect, strict=True)]
        q = len(columns)
        normals = np.vstack([np.zeros(q), np.eye(q)])
        repeated = [np.repeat(value[None], q + 1, axis=0) for value in (coef, tau[columns], np.array(noise))]
        u = conditional_draws(block, *repeated, normals)
        np.testing.assert_allclose(u[0], mean[columns], atol=1e-9 * np.abs(mean).max())
        root = u[1:] - u[0]
        found[np.ix_(columns, columns)] = root.T @ root
    np.testing.assert_allclose(found, covariance, atol=1e-9 * np.abs(covariance).max())


def test_deviations_with_no_spread_are_zero() -> None:
    design = case("balanced")
    block = design.statistics.blocks[0]
    u = conditional_draws(block, np.zeros((1, 3)), np.array([[0.0, 0.4]]), np.ones(1), np.ones((1, 2)))
    assert u[0, 0] == 0
    assert u[0, 1] != 0


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_fitted_values_are_those_of_the_scaled_model(name: str, scale: bool) -> None:
    """X b + Z u in data units equals the same sum on Stan's scale, where u was drawn."""
    design = case(name, scale=scale)
    draws = fake_draws(design)
    draws = with_group_effects(draws, design, seed=3)
    X, _ = stan_rows(design)
    Z, names = dense_design(design)
    first = np.cumsum([0, *(len(group.terms) for group in design.groups)])
    u = np.zeros((6, len(names)))
    coef = coefficients_on_stan_scale(design.scaling, draws.coef.reshape(6, -1))
    for number, block in enumerate(design.statistics.blocks):
        place = block.deviations
        columns = [names.index(key) for key in zip(place.term, place.level, place.effect, strict=True)]
        tau = (
            stacked(draws.group_sd).reshape(6, -1)[:, first[place.term] + place.effect]
            * design.sd_factor[first[place.term] + place.effect]
        )
        normals = np.random.default_rng([3, number]).normal(size=tau.shape)
        u[:, columns] = conditional_draws(block, coef, tau, draws.noise_sd.ravel() / design.scaling.y_spread, normals)
    expected = design.scaling.y_center + design.scaling.y_spread * (coef @ X.T + u @ Z.T)
    found = means(draws, design)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_draws_have_the_conditional_distribution() -> None:
    """4,000 draws for one population draw: means and variances within 4.5 Monte Carlo errors, in data units."""
    design = case("slope_alone", scale=False)
    draws = same_draw(design, 4000)
    mean, covariance = dense_conditional(
        design, draws.coef[0, 0], stacked(draws.group_sd)[0, 0], float(draws.noise_sd[0, 0])
    )
    found = with_group_effects(draws, design, seed=2).deviations[0].values[0, :, :, 0]
    z = (found.mean(axis=0) - mean) / np.sqrt(np.diag(covariance) / 4000)
    assert np.abs(z).max() < 4.5
    np.testing.assert_allclose(found.var(axis=0), np.diag(covariance), rtol=0.12)
    assert abs(np.corrcoef(found[1:, 0], found[:-1, 0])[0, 1]) < 0.08, "one draw each, not one for all"


def test_seed_decides_and_pieces_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    design = case("nested")
    draws = fake_draws(design)
    first, other = (with_group_effects(draws, design, seed=seed) for seed in (1, 2))
    monkeypatch.setattr(group_effects, "BLOCK_CELLS", 1)
    again = with_group_effects(draws, design, seed=1)
    for one, same, different in zip(first.deviations, again.deviations, other.deviations, strict=True):
        np.testing.assert_allclose(one.values, same.values, rtol=1e-12)
        assert not np.isclose(one.values, different.values).any()


def test_shapes() -> None:
    design = case("nested")
    draws = fake_draws(design)
    draws = with_group_effects(draws, design, seed=1)
    assert [each.values.shape for each in draws.deviations] == [(*SHAPE, 4, 2), (*SHAPE, 12, 2)]
    thin = draws.thinned(4)
    for name, values in draws.group_sd.items():
        np.testing.assert_array_equal(thin.group_sd[name], values[:, [0, 2]])
    np.testing.assert_array_equal(thin.deviations[1].values, draws.deviations[1].values[:, [0, 2]])
    assert thin.sampler["lp"].shape == (2, 2)


# --- group coefficients ---------------------------------------------------------------------------------------------


def test_group_coefficients_reproduce_the_fitted_values() -> None:
    """Population and all deviations of the finest factor: rows of a group are its coefficients times its columns."""
    design = case("nested")
    draws = fake_draws(design)
    draws = with_group_effects(draws, design, seed=1)
    levels, terms, values = group_coefficients(draws, design.matrix, "market:brand")
    assert (len(levels), terms) == (12, ("(Intercept)", "x", "w"))
    codes = design.groups[1].codes
    expected = np.einsum("snk,nk->sn", values.reshape(6, 12, 3)[:, codes], design.matrix.values)
    found = means(draws, design)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_coarse_factor_has_its_own_deviations_alone() -> None:
    design = case("nested")
    draws = fake_draws(design)
    draws = with_group_effects(draws, design, seed=1)
    levels, _, values = group_coefficients(draws, design.matrix, "market")
    assert levels == ("m0", "m1", "m2", "m3")
    np.testing.assert_allclose(values[..., :2], draws.coef[:, :, None, :2] + draws.deviations[0].values)
    np.testing.assert_allclose(values[..., 2], np.repeat(draws.coef[:, :, 2:], 4, axis=2))


def test_crossing_factors_and_terms_that_only_vary() -> None:
    crossed = case("crossed")
    draws = fake_draws(crossed)
    draws = with_group_effects(draws, crossed, seed=1)
    levels, terms, values = group_coefficients(draws, crossed.matrix, "week")
    assert (len(levels), terms) == (6, ("(Intercept)", "x"))
    np.testing.assert_allclose(values[..., 0], draws.coef[:, :, :1] + draws.deviations[1].values[..., 0])
    only = case("varying_only")
    draws = fake_draws(only)
    draws = with_group_effects(draws, only, seed=1)
    _, terms, values = group_coefficients(draws, only.matrix, "market")
    assert terms == ("(Intercept)", "x", "w")
    np.testing.assert_allclose(values[..., 2], draws.deviations[0].values[..., 1])


def test_unknown_factor_is_refused() -> None:
    design = case("nested")
    draws = fake_draws(design)
    with pytest.raises(DesignError, match="No group term") as caught:
        group_coefficients(with_group_effects(draws, design, seed=1), design.matrix, "brand")
    assert "market, market:brand" in str(caught.value)


# --- rows -----------------------------------------------------------------------------------------------------------


def test_rows_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    design = case("crossed")
    draws = with_group_effects(fake_draws(design), design, seed=1)
    whole = means(draws, design)
    monkeypatch.setattr(predictor, "BLOCK_CELLS", 60)
    blocks = list(predictor_blocks(joint_draws(draws), design.matrix))
    assert len(blocks) == -(-whole.shape[1] // 10)
    np.testing.assert_allclose(np.concatenate([mean for _, mean in blocks], axis=1), whole, rtol=1e-13)


def test_mean_predictor_is_the_predictor_at_the_means() -> None:
    design = case("nested")
    draws = with_group_effects(fake_draws(design), design, seed=1)
    found = predictor.predictor(posterior_means(draws), design.matrix, slice(None))[:, 0]
    np.testing.assert_allclose(found, means(draws, design).mean(axis=0), rtol=1e-10)


def test_draws_without_deviations_have_no_predictor() -> None:
    design = case("nested")
    with pytest.raises(FitError, match="do not belong"):
        means(fake_draws(design), design)


def test_pointwise_log_likelihood_and_offset() -> None:
    frame = panel()
    frame["base"] = np.linspace(-3, 5, len(frame))
    design = panel_design("kpi ~ x + offset(base) + (1 + x | market)", frame)
    draws = with_group_effects(fake_draws(design), design, seed=1)
    _, _, values = group_coefficients(draws, design.matrix, "market")
    codes = design.groups[0].codes
    mean = np.einsum("snk,nk->sn", values.reshape(6, 4, 2)[:, codes], design.matrix.values) + frame["base"].to_numpy()
    expected = stats.norm.logpdf(frame["kpi"].to_numpy(), mean, draws.noise_sd.reshape(-1, 1))
    rows = np.array([3, 70, 11])
    np.testing.assert_allclose(log_likelihood(joint_draws(draws), design.matrix, rows), expected.T[rows], rtol=1e-9)

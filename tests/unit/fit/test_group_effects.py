"""Conditional draws of group deviations against the dense conditional normal, and what is derived from them."""

from __future__ import annotations

from collections.abc import Iterator

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
    stan_rows,
)
from scipy import stats

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.errors import DesignError
from dsam_assets.fit import group_effects
from dsam_assets.fit.group_draws import HierarchicalDraws
from dsam_assets.fit.group_effects import (
    coefficients_on_stan_scale,
    conditional_draws,
    draw_group_effects,
    fitted_blocks,
    group_coefficients,
    log_likelihood_blocks,
)
from dsam_assets.scales import FloatArray

SHAPE = (2, 3)


def fake_draws(design: HierarchicalDesign, seed: int = 4, shape: tuple[int, int] = SHAPE) -> HierarchicalDraws:
    """Draws of no particular posterior, in data units."""
    rng = np.random.default_rng(seed)
    coef = 0.3 * rng.normal(size=(*shape, len(design.matrix.terms)))
    return HierarchicalDraws(
        design.matrix.terms,
        design.scaling.coefficients_to_data_units(coef),
        rng.uniform(0.5, 1.5, size=shape) * design.scaling.y_spread,
        design.sd_names,
        rng.gamma(2.0, 0.4, size=(*shape, len(design.sd_names))) / design.sd_factor,
        {"lp": rng.normal(size=shape)},
        10,
        {"seed": 1},
    )


def same_draw(design: HierarchicalDesign, times: int) -> HierarchicalDraws:
    """One draw of the population, `times` times."""
    one = fake_draws(design, shape=(1, 1))
    return HierarchicalDraws(
        one.terms,
        np.repeat(one.coef, times, axis=1),
        np.repeat(one.noise_sd, times, axis=1),
        one.group_sd_terms,
        np.repeat(one.group_sd, times, axis=1),
        {},
        10,
        {},
    )


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
    effects = draw_group_effects(draws, design, seed=3)
    X, _ = stan_rows(design)
    Z, names = dense_design(design)
    first = np.cumsum([0, *(len(group.terms) for group in design.groups)])
    u = np.zeros((6, len(names)))
    coef = coefficients_on_stan_scale(design.scaling, draws.coef.reshape(6, -1))
    for number, block in enumerate(design.statistics.blocks):
        place = block.deviations
        columns = [names.index(key) for key in zip(place.term, place.level, place.effect, strict=True)]
        tau = (
            draws.group_sd.reshape(6, -1)[:, first[place.term] + place.effect]
            * design.sd_factor[first[place.term] + place.effect]
        )
        normals = np.random.default_rng([3, number]).normal(size=tau.shape)
        u[:, columns] = conditional_draws(block, coef, tau, draws.noise_sd.ravel() / design.scaling.y_spread, normals)
    expected = design.scaling.y_center + design.scaling.y_spread * (coef @ X.T + u @ Z.T)
    (found,) = (mean for _, mean in fitted_blocks(draws, effects, design))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_draws_have_the_conditional_distribution() -> None:
    """4,000 draws for one population draw: means and variances within 4.5 Monte Carlo errors, in data units."""
    design = case("slope_alone", scale=False)
    draws = same_draw(design, 4000)
    mean, covariance = dense_conditional(design, draws.coef[0, 0], draws.group_sd[0, 0], float(draws.noise_sd[0, 0]))
    found = draw_group_effects(draws, design, seed=2).deviations[0][0, :, :, 0]
    z = (found.mean(axis=0) - mean) / np.sqrt(np.diag(covariance) / 4000)
    assert np.abs(z).max() < 4.5
    np.testing.assert_allclose(found.var(axis=0), np.diag(covariance), rtol=0.12)
    assert abs(np.corrcoef(found[1:, 0], found[:-1, 0])[0, 1]) < 0.08, "one draw each, not one for all"


def test_seed_decides_and_pieces_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    design = case("nested")
    draws = fake_draws(design)
    first, other = (draw_group_effects(draws, design, seed=seed) for seed in (1, 2))
    monkeypatch.setattr(group_effects, "BLOCK_CELLS", 1)
    again = draw_group_effects(draws, design, seed=1)
    for one, same, different in zip(first.deviations, again.deviations, other.deviations, strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-12)
        assert not np.isclose(one, different).any()


def test_shapes() -> None:
    design = case("nested")
    draws = fake_draws(design)
    effects = draw_group_effects(draws, design, seed=1)
    assert [values.shape for values in effects.deviations] == [(*SHAPE, 4, 2), (*SHAPE, 12, 2)]
    assert draws.population.coef.shape == (*SHAPE, 3)
    thin = draws.thinned(4)
    np.testing.assert_array_equal(thin.group_sd, draws.group_sd[:, [0, 2]])
    assert thin.sampler["lp"].shape == (2, 2)


# --- group coefficients ---------------------------------------------------------------------------------------------


def test_group_coefficients_reproduce_the_fitted_values() -> None:
    """Population and all deviations of the finest factor: rows of a group are its coefficients times its columns."""
    design = case("nested")
    draws = fake_draws(design)
    effects = draw_group_effects(draws, design, seed=1)
    levels, terms, values = group_coefficients(draws, effects, "market:brand")
    assert (len(levels), terms) == (12, ("(Intercept)", "x", "w"))
    codes = design.groups[1].codes
    expected = np.einsum("snk,nk->sn", values.reshape(6, 12, 3)[:, codes], design.matrix.values)
    (found,) = (mean for _, mean in fitted_blocks(draws, effects, design))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_coarse_factor_has_its_own_deviations_alone() -> None:
    design = case("nested")
    draws = fake_draws(design)
    effects = draw_group_effects(draws, design, seed=1)
    levels, _, values = group_coefficients(draws, effects, "market")
    assert levels == ("m0", "m1", "m2", "m3")
    np.testing.assert_allclose(values[..., :2], draws.coef[:, :, None, :2] + effects.deviations[0])
    np.testing.assert_allclose(values[..., 2], np.repeat(draws.coef[:, :, 2:], 4, axis=2))


def test_crossing_factors_and_terms_that_only_vary() -> None:
    crossed = case("crossed")
    draws = fake_draws(crossed)
    effects = draw_group_effects(draws, crossed, seed=1)
    levels, terms, values = group_coefficients(draws, effects, "week")
    assert (len(levels), terms) == (6, ("(Intercept)", "x"))
    np.testing.assert_allclose(values[..., 0], draws.coef[:, :, :1] + effects.deviations[1][..., 0])
    only = case("varying_only")
    draws = fake_draws(only)
    effects = draw_group_effects(draws, only, seed=1)
    _, terms, values = group_coefficients(draws, effects, "market")
    assert terms == ("(Intercept)", "x", "w")
    np.testing.assert_allclose(values[..., 2], effects.deviations[0][..., 1])


def test_unknown_factor_is_refused() -> None:
    design = case("nested")
    draws = fake_draws(design)
    with pytest.raises(DesignError, match="No group term") as caught:
        group_coefficients(draws, draw_group_effects(draws, design, seed=1), "brand")
    assert "market, market:brand" in str(caught.value)


# --- rows -----------------------------------------------------------------------------------------------------------


def gathered(blocks: Iterator[tuple[slice, FloatArray]], rows: int) -> FloatArray:
    result = np.full((6, rows), np.nan)
    for block, values in blocks:
        result[:, block] = values
    return result


def test_rows_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    design = case("crossed")
    draws = fake_draws(design)
    effects = draw_group_effects(draws, design, seed=1)
    rows = len(design.matrix.response)
    whole = gathered(fitted_blocks(draws, effects, design), rows)
    monkeypatch.setattr(group_effects, "BLOCK_CELLS", 60)
    assert sum(1 for _ in fitted_blocks(draws, effects, design)) == -(-rows // 10)
    np.testing.assert_allclose(gathered(fitted_blocks(draws, effects, design), rows), whole, rtol=1e-13)


def test_pointwise_log_likelihood_and_offset() -> None:
    frame = panel()
    frame["base"] = np.linspace(-3, 5, len(frame))
    design = panel_design("kpi ~ x + offset(base) + (1 + x | market)", frame)
    draws = fake_draws(design)
    effects = draw_group_effects(draws, design, seed=1)
    _, _, values = group_coefficients(draws, effects, "market")
    codes = design.groups[0].codes
    mean = np.einsum("snk,nk->sn", values.reshape(6, 4, 2)[:, codes], design.matrix.values) + frame["base"].to_numpy()
    expected = stats.norm.logpdf(frame["kpi"].to_numpy(), mean, draws.noise_sd.reshape(-1, 1))
    np.testing.assert_allclose(gathered(log_likelihood_blocks(draws, effects, design), 72), expected, rtol=1e-9)

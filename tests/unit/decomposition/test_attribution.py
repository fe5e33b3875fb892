"""Shares of an exponential fitted value against quadrature along the path, and the properties that they promise."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, getcontext

import numpy as np
import pytest
from log_models import CLASSES, integrated_parts, media_of, model

from dsam_assets.decomposition.attribution import Attribution, attribution, log_mean
from dsam_assets.decomposition.blocks import part_blocks, units_of
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.predictor import joint_draws
from dsam_assets.scales import FloatArray


def row_parts(draws: Draws, matrix: ModelMatrix, media: tuple[str, ...], **how: str) -> tuple[Attribution, FloatArray]:
    """Parts of every row, shape (N, P, S)."""
    split = attribution(draws.all_terms, media, multiplicative=True, **how)  # type: ignore[arg-type]
    out = np.full((len(matrix.response), len(split.parts), draws.noise_flat.size), np.nan)
    for block in part_blocks(joint_draws(draws), matrix, split, units_of(matrix), np.arange(len(out))):
        out[block.periods] = block.parts
    return split, out


@pytest.mark.parametrize("bottom", [-700.0, -3.0, 4.0])
@pytest.mark.parametrize("gap", [0.0, 1e-13, -1e-6, 9.9e-4, -1.1e-3, 0.5, -8.0, 30.0])
def test_log_mean(bottom: float, gap: float) -> None:
    """Against 60 digits; the gap counts, not what is left of it after it was added to the level."""
    getcontext().prec = 60
    lower, g = Decimal(float(np.exp(bottom))), Decimal(gap)
    exact = lower * ((g.exp() - 1) / g if gap else 1)
    upper = float(lower * g.exp())
    found = log_mean(np.array([float(lower)]), np.array([upper]), np.array([gap]))
    assert found[0] == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize("name", CLASSES)
def test_parts_are_the_path_integrals(name: str) -> None:
    draws, matrix = model(name)
    split, parts = row_parts(draws, matrix, media_of(name))
    for row in (0, len(parts) // 2, len(parts) - 1):
        expected = integrated_parts(draws, matrix, row, media_of(name))
        assert set(expected) == set(split.parts)
        for p, part in enumerate(split.parts):
            np.testing.assert_allclose(parts[row, p], expected[part], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("method", "half"), [("conditional_mean", True), ("median", False), ("point_exp", False)])
def test_the_conditional_mean_scales_every_part(method: str, half: bool) -> None:
    draws, matrix = model("blm")
    split, parts = row_parts(draws, matrix, media_of("blm"), method=method)
    expected = integrated_parts(draws, matrix, 3, media_of("blm"), half_variance=half)
    for p, part in enumerate(split.parts):
        np.testing.assert_allclose(parts[3, p], expected[part], rtol=1e-9, atol=1e-9)


def test_the_order_of_the_terms_does_not_matter() -> None:
    draws, matrix = model("blm")
    split, parts = row_parts(draws, matrix, media_of("blm"))
    order = np.random.default_rng(0).permutation(len(matrix.terms))
    terms = tuple(matrix.terms[j] for j in order)
    shuffled = replace(matrix, terms=terms, values=matrix.values[:, order])
    other, found = row_parts(replace(draws, terms=terms, coef=draws.coef[..., order]), shuffled, media_of("blm"))
    for p, part in enumerate(split.parts):
        np.testing.assert_allclose(found[:, other.parts.index(part)], parts[:, p], rtol=1e-10)


def test_a_part_has_the_sign_of_its_term_and_zero_is_nothing() -> None:
    draws, matrix = model("blm")
    values = matrix.values.copy()
    values[4, matrix.terms.index("m_search")] = 0.0
    matrix = replace(matrix, values=values)
    split, parts = row_parts(draws, matrix, media_of("blm"))
    for j, term in enumerate(matrix.terms[1:], start=1):
        effect = values[:, j, None] * draws.coef_flat[:, j]
        np.testing.assert_array_equal(np.sign(parts[:, split.parts.index(term)]), np.sign(effect))
    assert (parts[4, split.parts.index("m_search")] == 0).all()


def test_two_terms_together_have_the_sum_of_their_parts() -> None:
    """A formula that adds two columns up beforehand, with one coefficient, moves nobody else."""
    draws, matrix = model("blm")
    a, b = matrix.terms.index("m_tv_a"), matrix.terms.index("m_tv_b")
    coef = draws.coef.copy()
    coef[..., b] = coef[..., a]
    draws = replace(draws, coef=coef)
    split, parts = row_parts(draws, matrix, media_of("blm"))
    values = np.delete(matrix.values, b, axis=1)
    values[:, a] += matrix.values[:, b]
    terms = tuple(term for term in matrix.terms if term != "m_tv_b")
    merged = replace(matrix, terms=terms, values=values)
    other, found = row_parts(replace(draws, terms=terms, coef=np.delete(coef, b, axis=2)), merged, media_of("blm"))
    own = {part: parts[:, p] for p, part in enumerate(split.parts)}
    own["m_tv_a"] = own["m_tv_a"] + own.pop("m_tv_b")
    for part, expected in own.items():
        np.testing.assert_allclose(found[:, other.parts.index(part)], expected, rtol=1e-9)


def test_units_of_columns_and_of_the_kpi_do_not_matter() -> None:
    draws, matrix = model("blm")
    _, parts = row_parts(draws, matrix, media_of("blm"))
    scale = np.linspace(2, 9, len(matrix.terms))
    scale[0] = 1
    rescaled = replace(matrix, values=matrix.values * scale)
    _, found = row_parts(replace(draws, coef=draws.coef / scale), rescaled, media_of("blm"))
    np.testing.assert_allclose(found, parts, rtol=1e-9)
    cents = draws.coef.copy()
    cents[..., 0] += np.log(100)
    _, found = row_parts(replace(draws, coef=cents), matrix, media_of("blm"))
    np.testing.assert_allclose(found, 100 * parts, rtol=1e-9)


def test_media_are_what_would_be_lost_without_them_however_the_baseline_is_coded() -> None:
    draws, matrix = model("blm")
    media = media_of("blm")
    split, parts = row_parts(draws, matrix, media)
    chosen = [split.parts.index(term) for term in media]
    columns = [matrix.terms.index(term) for term in media]
    eta = matrix.values @ draws.coef_flat.T + matrix.offset[:, None] + draws.noise_flat**2 / 2
    without = eta - matrix.values[:, columns] @ draws.coef_flat[:, columns].T
    np.testing.assert_allclose(parts[:, chosen].sum(axis=1), np.exp(eta) - np.exp(without), rtol=1e-9)
    price, values, coef = matrix.terms.index("price"), matrix.values.copy(), draws.coef.copy()
    values[:, price] -= 40.0
    coef[..., 0] += 40.0 * coef[..., price]
    _, centred = row_parts(replace(draws, coef=coef), replace(matrix, values=values), media)
    np.testing.assert_allclose(centred[:, chosen], parts[:, chosen], rtol=1e-9)


def test_a_positive_channel_lies_between_first_in_and_last_out() -> None:
    draws, matrix = model("blm")
    draws = replace(draws, coef=np.abs(draws.coef))
    split, parts = row_parts(draws, matrix, media_of("blm"))
    columns = [matrix.terms.index(term) for term in media_of("blm")]
    own = matrix.values[:, columns, None] * draws.coef_flat.T[columns]
    top = matrix.values @ draws.coef_flat.T + matrix.offset[:, None] + draws.noise_flat**2 / 2
    bottom = top - own.sum(axis=1)
    for c, term in enumerate(media_of("blm")):
        found, slack = parts[:, split.parts.index(term)], 1e-12 * np.exp(top)
        assert (found >= np.exp(bottom) * np.expm1(own[:, c]) - slack).all()
        assert (found <= np.exp(top) * -np.expm1(-own[:, c]) + slack).all()


def test_without_an_intercept_the_offset_is_the_level() -> None:
    draws, matrix = model("blm")
    terms = matrix.terms[1:]
    bare = replace(matrix, terms=terms, values=matrix.values[:, 1:])
    split, parts = row_parts(replace(draws, terms=terms, coef=draws.coef[..., 1:]), bare, media_of("blm"))
    assert split.parts == (*terms, "offset()")
    np.testing.assert_allclose(parts[:, -1], np.exp(matrix.offset[:, None] + draws.noise_flat**2 / 2))
    fitted = np.exp(bare.values @ draws.coef_flat[:, 1:].T + bare.offset[:, None] + draws.noise_flat**2 / 2)
    np.testing.assert_allclose(parts.sum(axis=1), fitted, rtol=1e-9)

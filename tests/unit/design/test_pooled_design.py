"""The pooled design against columns summed by hand, row-wise likelihoods and the linear model that it may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from overrides import Bound, Prior
from pooled_markets import EACH, MEDIA, NESTED, ONE, TERMS, TWO, market, pooled_columns_by_hand, sums_by_hand

from dsam_assets.config.schema_model import BoundariesSection, PriorsSection
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.pooled import build_pooled_design, pooled_from_slice, pooled_prior_table
from dsam_assets.design.priors import Parameter
from dsam_assets.errors import DesignError

MAPS = {"one": ONE, "two": TWO, "nested": NESTED, "each": EACH}


def by_name(rows: tuple[Parameter, ...]) -> dict[str, Parameter]:
    return {row.name: row for row in rows}


@pytest.mark.parametrize("pooling_map", MAPS.values(), ids=MAPS)
def test_columns_are_base_terms_and_sums_in_data_units(pooling_map: PoolingMap) -> None:
    made = market()
    design = build_pooled_design(made, pooling_map, scale=True)
    by_hand = pooled_columns_by_hand(made, pooling_map)
    assert design.pooled_matrix.terms == tuple(by_hand)
    np.testing.assert_allclose(design.pooled_matrix.values, np.column_stack(list(by_hand.values())), rtol=1e-14)
    assert [row.name for row in design.parameters] == [*by_hand, "noise_sd"]
    assert design.matrix.terms == TERMS
    assert design.matrix.pooling == pooling_map
    assert design.matrix.model_class == "pooled"


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("pooling_map", MAPS.values(), ids=MAPS)
def test_the_likelihood_is_that_of_summed_coefficients(pooling_map: PoolingMap, scale: bool) -> None:
    """|y − X β|² row by row with β = M γ, against the statistics on Stan's scale."""
    made = market()
    design = build_pooled_design(made, pooling_map, scale=scale)
    seen_by_stan = np.random.default_rng(1).normal(size=(3, len(design.pooled_matrix.terms)))
    names, parts = design.pooled_matrix.terms, design.scaling.coefficients_to_data_units(seen_by_stan)
    beta = sums_by_hand(made, pooling_map, {name: parts[:, j] for j, name in enumerate(names)})
    np.testing.assert_allclose(parts @ design.expansion.T, beta, rtol=1e-12)
    row_wise = ((made.response - made.offset - beta @ made.values.T) ** 2).sum(axis=1)
    statistics = design.statistics
    reduced = ((statistics.z - seen_by_stan @ statistics.R.T) ** 2).sum(axis=1) + statistics.rss
    np.testing.assert_allclose(reduced * design.scaling.y_spread**2, row_wise, rtol=1e-9)


@pytest.mark.parametrize("scale", [True, False])
def test_one_variable_per_label_is_the_linear_model(scale: bool) -> None:
    """Same numbers for every parameter, and R'R, R'z and rss with rows and columns in the other order."""
    made = market()
    names = {term: f"variable_name[{term}]" if term in MEDIA else term for term in TERMS}
    priors = [Prior("m_tv_a", 1.0, 0.3), Prior("trend", 200.0, 90.0)]
    bounds = [Bound("m_social", 0.0, 2.0), Bound("price", upper=0.0)]
    linear = build_linear_design(made, scale=scale, priors=priors, boundaries=bounds)
    pooled = build_pooled_design(
        made, EACH, scale=scale,
        priors=[replace(row, parameter=names[row.parameter]) for row in priors],
        boundaries=[replace(row, parameter=names[row.parameter]) for row in bounds],
    )  # fmt: skip
    rows = by_name(pooled.parameters)
    for row in linear.parameters:
        assert replace(rows[names.get(row.name, row.name)], name=row.name) == row
    order = [pooled.pooled_matrix.terms.index(names[term]) for term in TERMS]
    R, z = pooled.statistics.R[:, order], pooled.statistics.z
    np.testing.assert_allclose(R.T @ R, linear.statistics.R.T @ linear.statistics.R, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(R.T @ z, linear.statistics.R.T @ linear.statistics.z, rtol=1e-8, atol=1e-8)
    assert pooled.statistics.rss == pytest.approx(linear.statistics.rss)


def test_a_label_default_is_weak_on_its_own_column() -> None:
    made = market()
    rows = by_name(build_pooled_design(made, TWO, scale=True).parameters)
    column = made.values[:, TERMS.index("m_tv_a")] + made.values[:, TERMS.index("m_tv_b")]
    y_spread = (made.response - made.offset).std(ddof=1)
    assert rows["channel[tv]"].sd == pytest.approx(5 * y_spread / column.std(ddof=1))
    assert (rows["channel[tv]"].scaled_mean, rows["channel[tv]"].scaled_sd) == (0.0, 5.0)
    plain = by_name(build_pooled_design(made, TWO, scale=False).parameters)
    assert (plain["owner[us]"].mean, plain["owner[us]"].sd) == (0.0, 5.0)


def test_bounds_and_priors_of_a_label_are_converted_by_its_column() -> None:
    made = market()
    design = build_pooled_design(
        made, TWO, scale=True, priors=[Prior("owner[them]", 0.4, 0.2)], boundaries=[Bound("channel[tv]", -1.5, 3.0)]
    )
    rows = by_name(design.parameters)
    spreads = {name: values.std(ddof=1) for name, values in pooled_columns_by_hand(made, TWO).items()}
    y_spread = (made.response - made.offset).std(ddof=1)
    factor = spreads["channel[tv]"] / y_spread
    tv = rows["channel[tv]"]
    assert (tv.scaled_lower, tv.scaled_upper) == (pytest.approx(-1.5 * factor), pytest.approx(3 * factor))
    assert (tv.lower, tv.upper, tv.boundary_is_default, tv.prior_is_default) == (-1.5, 3.0, False, True)
    them = rows["owner[them]"]
    assert them.scaled_mean == pytest.approx(0.4 * spreads["owner[them]"] / y_spread)
    assert them.scaled_sd == pytest.approx(0.2 * spreads["owner[them]"] / y_spread)


def test_a_design_from_a_config() -> None:
    class Section:
        scale = False
        priors = PriorsSection.model_validate({"overrides": [{"parameter": "channel[tv]", "mean": 1, "sd": 2}]})
        boundaries = BoundariesSection.model_validate({"overrides": [{"parameter": "owner[us]", "lower": 0}]})

    rows = by_name(pooled_from_slice(market(), TWO, Section()).parameters)
    assert (rows["channel[tv]"].mean, rows["channel[tv]"].sd) == (1, 2)
    assert rows["owner[us]"].lower == 0


@pytest.mark.parametrize("kind", ["priors", "boundaries"])
def test_a_pooled_variable_has_no_prior_of_its_own(kind: str) -> None:
    row = Prior("m_tv_a", 1.0, 1.0) if kind == "priors" else Bound("m_tv_a", 0.0)
    with pytest.raises(DesignError, match=f"{kind}.overrides names a pooled variable: m_tv_a") as caught:
        build_pooled_design(market(), TWO, scale=True, **{kind: [row]})
    assert "coefficient is channel[tv] + owner[us]" in str(caught.value)


def test_unknown_names_list_labels() -> None:
    with pytest.raises(DesignError, match="does not have") as caught:
        build_pooled_design(market(), TWO, scale=True, boundaries=[Bound("channel[tvv]", 0.0)])
    assert "Did you mean channel[tv]?" in str(caught.value)
    assert "(Intercept), trend, price, channel[search], channel[tv]" in str(caught.value)


def test_a_label_may_not_be_called_like_a_term() -> None:
    made = replace(market(), terms=(*TERMS[:2], "channel[tv]", *TERMS[3:]))
    with pytest.raises(DesignError, match="has the name of a term"):
        build_pooled_design(made, TWO, scale=True)


def test_labels_that_add_up_to_a_constant_cannot_be_scaled() -> None:
    made = market()
    values = made.values.copy()
    values[:, TERMS.index("m_tv_a")] = 100 - values[:, TERMS.index("m_tv_b")]
    with pytest.raises(DesignError, match="add up to a constant") as caught:
        build_pooled_design(replace(made, values=values), ONE, scale=True)
    assert "channel[tv]: m_tv_a, m_tv_b" in str(caught.value)
    assert build_pooled_design(replace(made, values=values), ONE, scale=False).scaling.y_spread == 1


def test_the_prior_table_says_whose_coefficient_a_label_is() -> None:
    table = pooled_prior_table(build_pooled_design(market(), TWO, scale=True)).set_index("parameter")
    assert table.loc["channel[tv]", "description"] == "part of the change of the response per unit of m_tv_a, m_tv_b"
    assert table.loc["price", "description"] == "change of the response per unit of price"
    assert table.index[-1] == "noise_sd"

"""What labels repeat by construction does not count against a design; what the data cannot tell apart does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from pooled_markets import EACH, MEDIA, NESTED, ONE, TERMS, TWO, market, pooled_columns_by_hand

from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.checks import design_checks, require_usable
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled import pool_columns
from dsam_assets.design.pooled_checks import checkable_matrix, pooling_findings, redundant_labels
from dsam_assets.scales import FloatArray

THREE = PoolingMap(
    MEDIA, ("channel", "owner", "all"), tuple((c, o, "x") for c, o in (("p", "u"), ("p", "v"), ("q", "u"), ("q", "v")))
)
MAPS = {"one": ONE, "each": EACH, "two": TWO, "nested": NESTED, "three": THREE}


def with_columns(columns: Mapping[str, FloatArray]) -> ModelMatrix:
    made = market()
    values = made.values.copy()
    for term, column in columns.items():
        values[:, TERMS.index(term)] = column
    return replace(made, values=values)


@pytest.mark.parametrize("pooling_map", MAPS.values(), ids=MAPS)
def test_labels_that_repeat_others_are_left_out_and_nothing_is_lost(pooling_map: PoolingMap) -> None:
    """The rest spans all pooled columns and is of full rank, counted by singular values."""
    made = market()
    everything = np.column_stack(list(pooled_columns_by_hand(made, pooling_map).values()))
    rest = checkable_matrix(made, pooling_map)
    rank = np.linalg.matrix_rank(everything / np.linalg.norm(everything, axis=0))
    assert rest.values.shape[1] == rank == np.linalg.matrix_rank(rest.values / np.linalg.norm(rest.values, axis=0))
    solved = rest.values @ np.linalg.lstsq(rest.values, everything, rcond=None)[0]
    np.testing.assert_allclose(solved, everything, atol=1e-7 * np.abs(everything).max())
    checks = design_checks(rest)
    assert (checks.dependent, checks.duplicates, checks.constant) == ((), (), ())
    assert checks.rank == checks.n_terms
    assert checks.condition_number is not None
    assert checks.condition_number < 1e3


def test_without_this_the_checks_would_fail() -> None:
    assert design_checks(pool_columns(market(), NESTED)).dependent != ()
    assert design_checks(pool_columns(market(), TWO)).dependent == ("owner[them]",)


def test_redundant_labels_by_hand() -> None:
    assert redundant_labels(ONE) == ()
    assert redundant_labels(TWO) == ("owner[them]",)  # us + them = search + tv + social
    assert redundant_labels(NESTED) == ("kind[digital]", "channel[tv]")  # the sum of two channels, and a copy of video


def test_collinear_base_terms_are_found() -> None:
    checks = design_checks(checkable_matrix(with_columns({"price": 3 - 2 * market().values[:, 2]}), TWO))
    assert checks.dependent == ("price",)
    assert checks.rank == checks.n_terms - 1


def test_collinear_media_count_only_across_labels() -> None:
    """m_social = 2 m_search: told apart by two channels, and one and the same label of a single channel."""
    made = with_columns({"m_social": 2 * market().values[:, TERMS.index("m_search")]})
    assert design_checks(checkable_matrix(made, ONE)).dependent == ("channel[social]",)
    shared = PoolingMap(MEDIA, ("channel",), (("tv",), ("tv",), ("online",), ("online",)))
    assert design_checks(checkable_matrix(made, shared)).dependent == ()


def test_media_that_add_up_to_a_constant_repeat_the_intercept() -> None:
    made = market()
    total = sum(made.values[:, TERMS.index(name)] for name in MEDIA[:3])
    checks = design_checks(checkable_matrix(with_columns({"m_social": 1e4 - total}), TWO))
    assert checks.rank == checks.n_terms - 1


def test_equal_labels_are_duplicates_only_in_the_data() -> None:
    copy = with_columns({"m_search": market().values[:, TERMS.index("m_social")]})
    checks = design_checks(checkable_matrix(copy, ONE))
    assert checks.duplicates == (("channel[social]", "channel[search]"),)
    require_usable(design_checks(checkable_matrix(market(), NESTED)))


def test_an_unequal_pair_under_one_label_is_found() -> None:
    made = market()
    column = made.values[:, TERMS.index("m_tv_b")]
    values = with_columns({"m_tv_a": column * 250, "m_search": column * 99})
    (found,) = pooling_findings(values, ONE)
    assert (found.kind, found.subject, found.threshold) == ("pooling_unlike_units", "channel[tv]", 100.0)
    assert found.value == pytest.approx(250)
    assert "m_tv_a is typically 250 times as large as m_tv_b" in found.message
    assert {each.subject for each in pooling_findings(values, TWO)} == {"channel[tv]"} | {
        name for name in ("owner[us]", "owner[them]") if ratio_by_hand(values, TWO.variables_of(name)) > 100
    }


def ratio_by_hand(matrix: ModelMatrix, names: tuple[str, ...]) -> float:
    columns = [matrix.values[:, TERMS.index(name)] for name in names]
    sizes = [np.median([abs(value) for value in column if value != 0]) for column in columns]
    return float(max(sizes) / min(sizes))


def test_the_limit_itself_is_fine_and_zeros_and_signs_do_not_count() -> None:
    ones = np.tile([1.0, 0.0, -1.0, 0.0, 0.0], 8)
    assert pooling_findings(with_columns({"m_tv_a": ones, "m_tv_b": 100 * ones}), ONE) == ()
    assert len(pooling_findings(with_columns({"m_tv_a": ones, "m_tv_b": -101 * ones}), ONE)) == 1
    assert pooling_findings(with_columns({"m_tv_a": 0 * ones, "m_tv_b": 0 * ones}), ONE) == ()

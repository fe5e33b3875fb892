"""Waves of pooled groups counted by hand, and what is left when sparse groups are dropped."""

from __future__ import annotations

import numpy as np
import pytest
from pooled_markets import ONE, TWO, market

from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.pooled_groups import group_waves, keep_groups, require_terms
from dsam_assets.errors import DesignError

TERMS = ("(Intercept)", "a", "b", "trend", "c", "d")
# a and b are active in turn: 4 weeks together, 2 and 3 alone; c in one week (negative), d never
VALUES = np.array(
    [
        [1, 5, 0, 1, 0, 0],
        [1, 0, 2, 2, 0, 0],
        [1, 1, 1, 3, -4, 0],
        [1, 0, 0, 4, 0, 0],
        [1, 0, 3, 5, 0, 0],
    ],
    dtype=float,
)
MAP = PoolingMap(("d", "c", "b", "a"), ("x", "y"), (("q", "s"), ("q", "r"), ("p", "r"), ("p", "r")))


def matrix() -> ModelMatrix:
    return ModelMatrix(TERMS, VALUES, np.arange(5.0), np.zeros(5), "kpi", "identity", np.arange(5), {})


def test_a_wave_is_a_row_in_which_any_variable_of_the_group_is_active() -> None:
    assert group_waves(matrix(), MAP) == {("q", "s"): 0, ("q", "r"): 1, ("p", "r"): 4}


def test_sparse_groups_leave_the_model() -> None:
    kept = keep_groups(matrix(), MAP, 2)
    assert kept.matrix.terms == ("(Intercept)", "a", "b", "trend")
    np.testing.assert_array_equal(kept.matrix.values, VALUES[:, :4])
    assert kept.pooling_map == PoolingMap(("b", "a"), ("x", "y"), (("p", "r"), ("p", "r")))
    assert kept.matrix.pooling == kept.pooling_map
    assert kept.dropped.to_dict("records") == [
        {"x": "q", "y": "s", "variables": "d", "waves": 0, "min_waves": 2},
        {"x": "q", "y": "r", "variables": "c", "waves": 1, "min_waves": 2},
    ]


def test_a_dropped_group_takes_all_its_variables_along() -> None:
    only_p = PoolingMap(("c", "b", "a"), ("x",), (("q",), ("p",), ("q",)))
    kept = keep_groups(matrix(), only_p, 3)
    assert kept.matrix.terms == ("(Intercept)", "b", "trend", "d")
    assert kept.dropped.loc[0, "variables"] == "c, a"
    assert kept.dropped.loc[0, "waves"] == 2


@pytest.mark.parametrize(("min_waves", "dropped"), [(None, 0), (1, 1), (2, 2), (4, 2)])
def test_the_limit_itself_is_enough(min_waves: int | None, dropped: int) -> None:
    kept = keep_groups(matrix(), MAP, min_waves)
    assert len(kept.dropped) == dropped
    assert list(kept.dropped.columns) == ["x", "y", "variables", "waves", "min_waves"]
    assert kept.dropped["waves"].dtype == np.int64


def test_nothing_is_copied_when_nothing_is_dropped() -> None:
    made = market()
    kept = keep_groups(made, TWO, 2)
    assert kept.matrix.values is made.values
    assert kept.pooling_map == TWO


def test_no_group_left_is_refused() -> None:
    with pytest.raises(DesignError, match="fewer waves than") as caught:
        keep_groups(matrix(), MAP, 5)
    assert "q, s: 0 waves; q, r: 1 waves; p, r: 4 waves" in str(caught.value)


def test_a_map_must_speak_of_terms() -> None:
    wrong = PoolingMap(("m_tv_aa", "zzz", "m_search"), ("x",), (("p",), ("p",), ("q",)))
    with pytest.raises(DesignError, match="not terms of the formula") as caught:
        require_terms(wrong, market().terms)
    assert "m_tv_aa (did you mean m_tv_a?), zzz" in str(caught.value)
    assert "m_search," not in str(caught.value).split("wanted")[0]
    require_terms(ONE, market().terms)


def test_the_intercept_is_not_pooled() -> None:
    with pytest.raises(DesignError, match="not terms of the formula"):
        keep_groups(matrix(), PoolingMap(("(Intercept)", "a"), ("x",), (("p",), ("p",))), None)

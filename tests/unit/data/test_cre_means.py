"""Group means for correlated random effects: values, validation and identification warnings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from panels import panel

from dsam_assets.data.cre import (
    cre_means,
    cre_terms,
    refuse_varying_means,
    require_varying_means,
    resolve_cre_group,
)
from dsam_assets.errors import ConfigError, DataError, DesignError


def small() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "market": ["a", "b", "a", "b", "b", None],
            "brand": ["p", "p", "q", "q", "q", "p"],
            "x": [1.0, 10.0, np.nan, 20.0, 60.0, 5.0],
            "z": [1, 2, 3, 4, 6, 7],
        },
        index=[5, 3, 9, 1, 0, 2],
    )


def test_means_by_hand() -> None:
    """Missing values are left out, unequal sizes are fine, rows keep their order, rows without a group have none."""
    frame = small()
    made = cre_means(frame, ["x", "z"], ["market"])
    assert made.terms == ("cre_mean_x", "cre_mean_z") == cre_terms(["x", "z"])
    np.testing.assert_array_equal(made.frame["cre_mean_x"], [1.0, 30.0, 1.0, 30.0, 30.0, np.nan])
    np.testing.assert_array_equal(made.frame["cre_mean_z"], [2.0, 4.0, 2.0, 4.0, 4.0, np.nan])
    assert list(made.frame.index) == list(frame.index)
    assert list(frame.columns) == ["market", "brand", "x", "z"], "the given frame is not changed"


def test_composite_key_and_prefix() -> None:
    made = cre_means(small(), ["z"], ["market", "brand"], prefix="mean_")
    np.testing.assert_array_equal(made.frame["mean_z"], [1.0, 2.0, 3.0, 5.0, 5.0, np.nan])


def test_group_without_values_has_no_mean() -> None:
    frame = small().assign(x=[np.nan, 1.0, np.nan, 2.0, 3.0, 1.0])
    np.testing.assert_array_equal(
        cre_means(frame, ["x"], ["market"]).frame["cre_mean_x"], [np.nan, 2, np.nan, 2, 2, np.nan]
    )


def test_means_are_never_stale() -> None:
    first = cre_means(small(), ["z"], ["market"]).frame
    again = cre_means(first.assign(z=first["z"] * 10, last=1), ["z"], ["market"]).frame
    np.testing.assert_array_equal(again["cre_mean_z"], [20.0, 40.0, 20.0, 40.0, 40.0, np.nan])
    assert list(again.columns) == ["market", "brand", "x", "z", "last", "cre_mean_z"]


def test_within_and_between_add_up() -> None:
    """Deviations from the means have mean zero in every group, so they are uncorrelated with the means."""
    made = cre_means(panel(keep=0.6), ["x"], ["market"]).frame
    within = made["x"] - made["cre_mean_x"]
    np.testing.assert_allclose(within.groupby(made["market"]).mean(), 0, atol=1e-12)


# --- which group ----------------------------------------------------------------------------------------------------


def test_the_only_group_needs_no_name() -> None:
    assert resolve_cre_group(None, [("market",), ("market",)]) == ("market",)
    assert resolve_cre_group("brand:market", [("market",), ("market", "brand")]) == ("market", "brand")


@pytest.mark.parametrize(
    ("group", "factors", "message"),
    [
        (None, [], "hierarchical"),
        (None, [("market",), ("brand",)], "several groupings"),
        ("region", [("market",)], "not a grouping"),
        ("market", [("market", "brand")], "not a grouping"),
    ],
)
def test_groups_that_cannot_be_resolved(group: str | None, factors: list[tuple[str, ...]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_cre_group(group, factors)


def test_means_may_not_vary() -> None:
    refuse_varying_means(["cre_mean_x"], ["(Intercept)", "x"])
    with pytest.raises(ConfigError, match="cannot vary") as caught:
        refuse_varying_means(["cre_mean_x", "cre_mean_z"], ["x", "cre_mean_z"])
    assert caught.value.got == "cre_mean_z"


@pytest.mark.parametrize(
    ("variables", "group", "prefix", "message"),
    [
        ([], "market", "m_", "list of different variables"),
        (["x", "x"], "market", "m_", "list of different variables"),
        (["x"], "market", "", "prefix"),
        (["z", "m_z"], "market", "m_", "name of a column"),
        (["w"], "market", "m_", "not in the data: w"),
        (["x"], "region", "m_", "not in the data: region"),
        (["brand"], "market", "m_", "not numeric"),
        (["flag"], "market", "m_", "not numeric"),
    ],
)
def test_wrong_input_is_refused(variables: list[str], group: str, prefix: str, message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        cre_means(small().assign(flag=True), variables, [group], prefix)


# --- identification -------------------------------------------------------------------------------------------------


def test_no_findings_where_nothing_is_wrong() -> None:
    assert cre_means(panel(), ["x", "w"], ["market"]).findings == ()


def test_more_variables_than_groups() -> None:
    frame = panel(markets=2)
    frame["v"] = frame["x"] ** 2
    (found,) = cre_means(frame, ["x", "w", "v"], ["market"]).findings
    assert (found.kind, found.subject, found.value, found.threshold) == (
        "cre_more_variables_than_groups",
        "market",
        3,
        2,
    )


@pytest.mark.parametrize("noise", [0.0, 1e-10])
def test_no_variation_within_groups(noise: float) -> None:
    frame = panel()
    frame["fixed"] = frame["market"].str[1:].astype(float) * 0.1 + noise * np.arange(len(frame)) / len(frame)
    (found,) = cre_means(frame, ["x", "fixed"], ["market"]).findings
    assert (found.kind, found.subject) == ("cre_no_within_variation", "fixed")
    assert found.value <= found.threshold
    assert "fixed" in found.message


def test_constant_means() -> None:
    """Every market has the same values in its weeks, or at least in the rows that are modelled."""
    frame = panel()
    every = np.arange(len(frame))
    frame["season"] = frame["week"] * 0.1
    made = cre_means(frame, ["season", "x"], ["market"])
    with pytest.raises(DesignError, match="Constant CRE mean terms") as caught:
        require_varying_means(made, every)
    assert caught.value.got == "cre_mean_season"
    assert "model.type: re" in str(caught.value)
    varied = cre_means(frame, ["x"], ["market"])
    require_varying_means(varied, every)
    with pytest.raises(DesignError, match="cre_mean_x"):
        require_varying_means(varied, every[(frame["market"] == "m1").to_numpy()])


def test_means_of_the_modelled_rows() -> None:
    """Rows that are not modelled count for nothing, and get the mean of their group all the same."""
    made = cre_means(small(), ["z"], ["market"], rows=np.array([0, 1, 4, 5]))
    np.testing.assert_array_equal(made.frame["cre_mean_z"], [1.0, 4.0, 1.0, 4.0, 4.0, np.nan])

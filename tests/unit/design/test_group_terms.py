"""Group terms, their scaling, and the parameters they bring."""

from __future__ import annotations

from math import inf

import numpy as np
import pandas as pd
import pytest
from overrides import Bound, Prior
from panels import case, panel, panel_design

from dsam_assets.design.formula import parse_formula
from dsam_assets.design.groups import GroupTerm, build_group_terms, group_codes, varying_only
from dsam_assets.design.matrix import build_model_matrix
from dsam_assets.errors import DataError, DesignError


def terms_of(formula: str, frame: pd.DataFrame) -> tuple[GroupTerm, ...]:
    parsed = parse_formula(formula)
    return build_group_terms(parsed, frame, build_model_matrix(parsed, frame))


@pytest.mark.parametrize(
    ("bar", "varying"),
    [
        ("(1 + x | market)", ("(Intercept)", "x")),
        ("(x | market)", ("(Intercept)", "x")),
        ("(0 + x | market)", ("x",)),
        ("(x - 1 | market)", ("x",)),
        ("(1 | market)", ("(Intercept)",)),
        ("(1 + log(w) | market)", ("(Intercept)", "log(w)")),
        ("(0 + brand | market)", ("brandb0", "brandb1", "brandb2")),
        ("(1 + brand | market)", ("(Intercept)", "brandb1", "brandb2")),
    ],
)
def test_varying_columns_are_those_of_r(bar: str, varying: tuple[str, ...]) -> None:
    """As `colnames(model.matrix(~ effects))` in R."""
    (group,) = terms_of(f"kpi ~ x + {bar}", panel())
    assert group.terms == varying
    assert group.values.shape == (72, len(varying))


def test_names_count_group_terms_in_order() -> None:
    groups = terms_of("kpi ~ x + (1 | week) + (1 + x | market/brand)", panel())
    assert [name for group in groups for name in group.sd_names] == [
        "sd_1[(Intercept)]", "sd_2[(Intercept)]", "sd_2[x]", "sd_3[(Intercept)]", "sd_3[x]"
    ]  # fmt: skip
    assert [group.key for group in groups] == ["week", "market", "market:brand"]


def test_composite_key_is_one_factor() -> None:
    frame = panel(keep=0.5)
    (group,) = terms_of("kpi ~ x + (1 | market:brand)", frame)
    assert group.levels[:4] == ("m0:b0", "m0:b1", "m0:b2", "m1:b0")
    np.testing.assert_array_equal(np.array(group.levels)[group.codes], frame["market"] + ":" + frame["brand"])


def test_levels_are_sorted_as_numbers_or_text() -> None:
    frame = pd.DataFrame(
        {"n": [10.0, 2.0, 10.0], "t": ["b", "A", "a"], "c": pd.Categorical(["z", "a", "z"], ["z", "q", "a"])}
    )
    rows = np.arange(3)
    assert group_codes(frame, ["n"], rows).levels == ("2", "10")
    assert group_codes(frame, ["t"], rows).levels == ("a", "A", "b")
    categories = group_codes(frame, ["c"], rows)
    assert categories.levels == ("z", "a")
    assert list(categories.codes) == [0, 1, 0]


def test_rows_are_those_of_the_population() -> None:
    """A row that lacks a population column, a varying column or a group is dropped from both parts."""
    frame = panel()
    frame.loc[0, "x"], frame.loc[3, "w"], frame.loc[5, "market"] = np.nan, np.nan, None
    parsed = parse_formula("kpi ~ x + (1 + w | market)")
    matrix = build_model_matrix(parsed, frame)
    (group,) = build_group_terms(parsed, frame, matrix)
    assert len(group.codes) == len(matrix.response) == 69
    kept = frame.drop(index=[0, 3, 5])
    np.testing.assert_array_equal(group.values[:, 1], kept["w"])
    np.testing.assert_array_equal(np.array(group.levels)[group.codes], kept["market"])


def test_missing_group_is_named() -> None:
    frame = panel()
    frame.loc[2, "market"] = None
    with pytest.raises(DataError, match="missing values") as caught:
        group_codes(frame, ["market"], np.arange(len(frame)))
    assert "row 2" in str(caught.value)


def test_ambiguous_composite_keys_are_refused() -> None:
    frame = pd.DataFrame({"a": ["x:y", "x"], "b": ["z", "y:z"]})
    with pytest.raises(DataError, match="same label"):
        group_codes(frame, ["a", "b"], np.arange(2))


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("kpi ~ x", "needs a group term"),
        ("kpi ~ x + (1 | one)", "only one group"),
        ("kpi ~ x + (1 | each)", "a group of its own for every row"),
    ],
)
def test_groupings_that_cannot_work_are_refused(formula: str, message: str) -> None:
    frame = panel().assign(one="all", each=range(72))
    with pytest.raises(DesignError, match=message):
        terms_of(formula, frame)


def test_varying_term_may_lack_a_population_coefficient() -> None:
    design = case("varying_only")
    assert varying_only(design.matrix, design.groups) == ("w",)
    (scaling,) = design.group_scalings
    assert scaling.spread[1] == pytest.approx(panel()["w"].std())
    assert scaling.center[1] == pytest.approx(panel()["w"].mean())


# --- scaling --------------------------------------------------------------------------------------------------------


def test_varying_columns_share_the_population_scaling() -> None:
    design = case("balanced")
    (scaling,) = design.group_scalings
    frame = panel()
    np.testing.assert_allclose(scaling.spread, [1.0, frame["x"].std()])
    np.testing.assert_allclose(scaling.center, [0.0, frame["x"].mean()])
    np.testing.assert_allclose(scaling.sd_factor, np.array([1.0, frame["x"].std()]) / frame["kpi"].std())


@pytest.mark.parametrize(
    ("name", "host"), [("slope_alone", [None]), ("two_terms_one_factor", [0, 0]), ("crossed", [0, 1])]
)
def test_slopes_are_centred_only_beside_an_intercept_of_the_same_groups(name: str, host: list[int | None]) -> None:
    design = case(name)
    assert [scaling.intercept_term for scaling in design.group_scalings] == host
    centres = {
        t: c
        for g, s in zip(design.groups, design.group_scalings, strict=True)
        for t, c in zip(g.terms, s.center, strict=True)
    }
    assert bool(centres.get("x")) == (host != [None])


def test_nothing_is_centred_when_the_intercept_is_spoken_of() -> None:
    design = case("balanced", priors=[Prior("(Intercept)", 20, 5)])
    assert not design.group_scalings[0].center.any()
    assert design.group_scalings[0].spread[1] != 1


def test_without_scaling_nothing_changes() -> None:
    (scaling,) = case("balanced", scale=False).group_scalings
    assert (scaling.center.tolist(), scaling.spread.tolist(), scaling.sd_factor.tolist()) == ([0, 0], [1, 1], [1, 1])


# --- priors ---------------------------------------------------------------------------------------------------------


def test_default_prior_is_the_spread_between_groups() -> None:
    frame = panel()
    between = frame.groupby("market")["kpi"].mean().std()
    plain = {row.name: row for row in case("balanced", scale=False).parameters}
    for name in ("sd_1[(Intercept)]", "sd_1[x]"):
        row = plain[name]
        assert (row.family, row.mean, row.sd, row.lower, row.upper) == ("normal", 0, round(between, 2), 0, inf)
        assert row.scaled_sd == row.sd
    scaled = {row.name: row for row in case("balanced").parameters}
    expected = round(between / frame["kpi"].std(), 2)
    assert [scaled[name].scaled_sd for name in ("sd_1[(Intercept)]", "sd_1[x]")] == pytest.approx([expected] * 2)
    assert scaled["sd_1[(Intercept)]"].sd == pytest.approx(expected * frame["kpi"].std())
    assert scaled["sd_1[x]"].sd == pytest.approx(expected * frame["kpi"].std() / frame["x"].std())


def test_groups_alike_in_their_means_keep_a_wide_enough_prior() -> None:
    frame = panel()
    frame["kpi"] -= frame.groupby("market")["kpi"].transform("mean")
    design = panel_design("kpi ~ x + (0 + x | market)", frame)
    assert design.parameters[-1].scaled_sd == pytest.approx(0.1)


def test_order_and_overrides() -> None:
    design = case(
        "balanced",
        priors=[Prior("sd_1[x]", 0.4, 0.2, "lognormal_ms"), Prior("x", 1.0, 0.5)],
        boundaries=[Bound("sd_1[x]", -1.0, 2.0), Bound("w", upper=0.0)],
    )
    rows = {row.name: row for row in design.parameters}
    assert tuple(rows) == ("(Intercept)", "x", "w", "noise_sd", "sd_1[(Intercept)]", "sd_1[x]")
    factor = panel()["x"].std() / panel()["kpi"].std()
    row = rows["sd_1[x]"]
    assert (row.family, row.mean, row.sd, row.lower, row.upper) == ("lognormal_ms", 0.4, 0.2, 0.0, 2.0)
    assert (row.prior_is_default, row.boundary_is_default) == (False, False)
    np.testing.assert_allclose(
        [row.scaled_mean, row.scaled_sd, row.scaled_upper], [0.4 * factor, 0.2 * factor, 2 * factor]
    )
    assert rows["sd_1[(Intercept)]"].prior_is_default
    assert (rows["x"].mean, rows["w"].upper) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"priors": [Prior("sd_2[x]", 0, 1)]}, "sd_2"),
        ({"boundaries": [Bound("sd_1[w]", 0, 1)]}, "does not have"),
        ({"priors": [Prior("sd_1[x]", 0, 1), Prior("sd_1[x]", 0, 2)]}, "twice"),
        ({"boundaries": [Bound("sd_1[x]", -2, 0)]}, "must be allowed to be positive"),
    ],
)
def test_wrong_overrides_are_refused(overrides: dict[str, list[Prior]], message: str) -> None:
    with pytest.raises(DesignError, match=message) as caught:
        case("balanced", **overrides)
    if "twice" not in message and "positive" not in message:
        assert "sd_1[(Intercept)], sd_1[x]" in str(caught.value)

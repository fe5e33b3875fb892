"""What a fold's fit may know: nothing of its held-out weeks but what a user would know of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner
from time_series_cases import ShowingRunner, inputs, panel, same_blocks, weekly

from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.design.labels import row_labels
from dsam_assets.errors import DesignError
from dsam_assets.selection.fold_models import FoldModel, fold_design, fold_model, fold_source
from dsam_assets.selection.time_folds import Fold, plan_folds
from dsam_assets.selection.time_series import TimeSeriesInputs, time_series_tables

CRE = {"enabled": True, "vars": ["tv"]}


def cut(case: TimeSeriesInputs) -> list[tuple[Fold, FoldModel]]:
    source = fold_source(case)
    dates = row_labels(case.frame, "date", source.matrix)["date"]
    folds = plan_folds(dates, case.diagnostics.time_series_selection).folds
    return [(fold, fold_model(source, fold)) for fold in folds]


def held_out(frame: pd.DataFrame, weeks: int) -> pd.Series:
    return frame["date"] > frame["date"].max() - np.timedelta64(7 * weeks, "D")


@pytest.mark.parametrize(
    ("frame", "formula", "sections", "columns"),
    [
        (weekly(), "kpi ~ tv + price", {}, ["kpi", "tv", "price"]),
        (weekly(), "log(kpi) ~ tv + lag(price, 1)", {"model": {"scale": False}}, ["kpi", "tv", "price"]),
        (weekly(), "kpi ~ lag(kpi, 1) + tv", {}, ["kpi", "tv"]),
        (weekly(), "kpi ~ lead(kpi, 1) + tv", {}, ["kpi", "tv"]),
        (panel(), "kpi ~ tv + price + (1 + tv | market)", {}, ["kpi", "tv", "price"]),
        (panel(), "kpi ~ tv + price + (1 | market)", {"cre": CRE}, ["kpi", "tv", "price"]),
    ],
)
def test_held_out_rows_never_reach_the_fit(
    frame: pd.DataFrame, formula: str, sections: dict[str, Any], columns: list[str]
) -> None:
    """Every number that Stan is given stays as it is, to the last bit, whatever the held-out weeks say."""
    changed = frame.copy()
    later = held_out(frame, 4)
    changed.loc[later, columns] = 3 * changed.loc[later, columns] + 17
    before, after = ShowingRunner(), ShowingRunner()
    one = time_series_tables(inputs(frame, formula, **sections, selection={"n_folds": 1}), before)
    other = time_series_tables(inputs(changed, formula, **sections, selection={"n_folds": 1}), after)
    (block,), (same) = before.blocks.values(), after.blocks.values()
    assert same_blocks(block, *same)
    assert one["tscv_pointwise"]["elpd"].ne(other["tscv_pointwise"]["elpd"]).all()
    past = frame.copy()
    past.loc[~later, "kpi"] += np.arange((~later).sum())
    third = ShowingRunner()
    time_series_tables(inputs(past, formula, **sections, selection={"n_folds": 1}), third)
    assert not same_blocks(block, *third.blocks.values())


def test_the_next_response_is_no_predictor_of_the_last_training_rows() -> None:
    ((fold, model),) = cut(inputs(weekly(), "kpi ~ lead(kpi, 2)", selection={"n_folds": 1}))
    assert fold.train.size == 24  # the last two of 30 weeks have no lead and are not modelled
    assert len(model.train.response) == 22
    assert model.train.rows.max() == 21


def test_a_lag_looks_back_across_the_origin() -> None:
    frame = weekly()
    ((_, model),) = cut(inputs(frame, "kpi ~ lag(price, 1)", selection={"n_folds": 1}))
    np.testing.assert_array_equal(model.holdout.values[:, 1], frame["price"].to_numpy()[25:29])


@pytest.mark.parametrize("number", [0, 1])
def test_scaling_is_that_of_the_training_rows(number: int) -> None:
    case = inputs(weekly(), "kpi ~ tv + price")
    fold, model = cut(case)[number]
    scaling = fold_design(model.train, case.priors).scaling
    past = case.frame.iloc[: 22 + 4 * number]
    np.testing.assert_allclose(scaling.x_center[1:], past[["tv", "price"]].mean())
    np.testing.assert_allclose(scaling.x_spread[1:], past[["tv", "price"]].std())
    assert scaling.y_spread == pytest.approx(past["kpi"].std())
    assert fold.train.size == len(past)


def test_group_means_are_those_of_the_training_rows() -> None:
    frame = panel()
    case = inputs(frame, "kpi ~ tv + price + (1 | market)", cre=CRE, selection={"n_folds": 1})
    ((_, model),) = cut(case)
    later = held_out(frame, 4)
    past, own = frame[~later].groupby("market")["tv"].mean(), frame[later].groupby("market")["tv"].mean()
    position = model.train.terms.index("cre_mean_tv")
    for part in (model.train, model.holdout):
        markets = frame["market"].iloc[part.rows]
        expected = [past.get(market, own[market]) for market in markets]  # m2 begins in the held-out weeks
        np.testing.assert_allclose(part.values[:, position], expected)
    assert "m2" not in past.index
    assert "m2" in set(frame["market"].iloc[model.holdout.rows])


def test_groups_that_begin_later_are_new() -> None:
    frame = panel()
    ((_, model),) = cut(inputs(frame, "kpi ~ tv + (1 + tv | market)", selection={"n_folds": 1}))
    (past,), (later,) = model.train.groups, model.holdout.groups
    assert past.levels == ("m0", "m1")
    assert later.levels == ("m0", "m1", "m2")
    assert model.new_groups == ("market: m2",)
    for part, group in ((model.train, past), (model.holdout, later)):
        assert [group.levels[code] for code in group.codes] == frame["market"].iloc[part.rows].tolist()
        np.testing.assert_array_equal(group.values[:, 1], frame["tv"].to_numpy()[part.rows])
    np.testing.assert_array_equal(model.holdout.response, frame["kpi"].to_numpy()[model.holdout.rows])


def test_a_new_first_level_goes_to_the_end() -> None:
    frame = panel().replace({"market": {"m2": "a"}})
    ((_, model),) = cut(inputs(frame, "kpi ~ tv + (1 | market)", selection={"n_folds": 1}))
    (group,) = model.holdout.groups
    assert group.levels == ("m0", "m1", "a")
    assert [group.levels[code] for code in group.codes] == frame["market"].iloc[model.holdout.rows].tolist()


def test_a_column_that_is_constant_before_the_origin_is_left_out_with_its_priors() -> None:
    frame = weekly().assign(event=0.0)
    frame.loc[24, "event"] = 1.0
    overrides = {
        "priors": {"overrides": [{"parameter": "event", "family": "normal", "mean": 5, "sd": 1}]},
        "boundaries": {"overrides": [{"parameter": "event", "lower": 0}, {"parameter": "tv", "lower": 0}]},
    }
    case = inputs(frame, "kpi ~ tv + event", **overrides)
    (_, first), (_, second) = cut(case)
    assert (first.left_out, second.left_out) == (("event",), ())
    assert first.train.terms == first.holdout.terms == ("(Intercept)", "tv")
    parameters = {row.name: row for row in fold_design(first.train, case.priors).parameters}
    assert set(parameters) == {"(Intercept)", "tv", "noise_sd"}
    assert parameters["tv"].lower == 0
    kept = {row.name: row for row in fold_design(second.train, case.priors).parameters}
    assert (kept["event"].mean, kept["event"].sd) == (5, 1)
    tables = time_series_tables(case, FakeRunner())
    assert tables["tscv_folds"]["left_out"].tolist() == ["event", ""]
    assert "constant in its training rows: event." in tables["tscv_summary"]["notes"].item()


def test_a_varying_column_leaves_the_group_term_too() -> None:
    frame = panel().assign(event=0.0)
    frame.loc[held_out(frame, 2), "event"] = np.arange(1.0, 1 + held_out(frame, 2).sum())
    ((_, model),) = cut(inputs(frame, "kpi ~ tv + event + (1 + event | market)", selection={"n_folds": 1}))
    assert model.train.groups[0].terms == model.holdout.groups[0].terms == ("(Intercept)",)
    assert model.train.groups[0].values.shape[1] == 1
    with pytest.raises(DesignError, match="cannot tell the groups of market apart"):
        cut(inputs(frame, "kpi ~ tv + event + (0 + event | market)", selection={"n_folds": 1}))


def test_one_group_with_training_rows_is_no_panel() -> None:
    frame = panel(markets=2)
    with pytest.raises(DesignError, match="cannot tell the groups of market apart"):
        cut(inputs(frame, "kpi ~ tv + (1 | market)", selection={"n_folds": 1}))


def test_media_that_begin_later_leave_the_pooling_map() -> None:
    frame = weekly()
    frame["social"] = np.where(np.arange(30) < 24, 0.0, frame["price"])
    both = PoolingMap(("tv", "social"), ("channel",), (("video",), ("digital",)))
    sections = {"boundaries": {"overrides": [{"parameter": "channel[digital]", "lower": 0}]}}
    case = inputs(frame, "kpi ~ tv + social + price", pooling=both, **sections)
    (_, first), (_, second) = cut(case)
    assert first.left_out == ("social",)
    assert first.train.pooling == PoolingMap(("tv",), ("channel",), (("video",),))
    assert second.train.pooling == both
    names = {row.name for row in fold_design(first.train, case.priors).parameters}
    assert names == {"(Intercept)", "price", "channel[video]", "noise_sd"}
    alone = PoolingMap(("social",), ("channel",), (("digital",),))
    tables = time_series_tables(inputs(frame, "kpi ~ tv + social", pooling=alone), FakeRunner())
    assert tables["tscv_folds"]["status"].tolist() == ["error", "ok"]
    assert "No pooled variable varies" in tables["tscv_folds"]["message"][0]

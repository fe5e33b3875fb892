"""What is published: rows, totals, scores, extrapolation, and the stamp on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forecast_cases import config, draws_of, panel, priors_of, report, source_of, split, weekly
from scipy import stats

from dsam_assets.config.schema_forecast import ForecastSection
from dsam_assets.errors import DsamError
from dsam_assets.fit.draws import GroupDeviations
from dsam_assets.forecast.forecast import Forecast, forecast_market
from dsam_assets.forecast.future_data import FutureData, future_of, load_future, no_tables
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate
from resources.codecs import CODECS

FORMULA = "log(kpi) ~ tv + price"


def made(future: pd.DataFrame, past: pd.DataFrame, *, point: bool = False, horizon: int | None = None) -> Forecast:
    size = 1 if point else 300
    rng = np.random.default_rng(2)
    source = source_of(past, FORMULA)
    coef = rng.normal([6.3, 0.001, -0.005], [0.01, 0.0001, 0.0001], (size, 3))
    draws = draws_of(source.matrix.terms, coef, np.full(size, 0.05),
                     attributes={"method": "optimise" if point else "mcmc"})  # fmt: skip
    return forecast_market(draws, source, priors_of(FORMULA), FutureData(future), report(), horizon=horizon)


def test_every_table_keeps_its_schema_and_carries_the_verdict() -> None:
    past, future = split(weekly(), 6)
    found = made(future, past)
    assert set(found.tables) == {
        "forecast", "forecast_model_scale", "forecast_summary", "forecast_extrapolation", "forecast_scores",
    }  # fmt: skip
    for name, frame in found.tables.items():
        validate(TABLES[name], frame)
    assert set(found.tables["forecast"]["reliability"]) == {"provisional"}
    document = json.loads(CODECS["forecast"].encode("forecast", found)["forecast.json"])
    assert document["reliability"] == "provisional"
    assert document["reasons"] == list(report().reasons)
    assert document["seed"] == 7
    assert "forecast" not in document
    assert document["forecast_summary"][0]["first_date"] == "2024-08-26"
    assert found.facts()["periods"] == 6


def test_a_point_estimate_keeps_its_schema_and_has_no_spread() -> None:
    past, future = split(weekly(), 6)
    found = made(future, past, point=True)
    for name, frame in found.tables.items():
        validate(TABLES[name], frame)
    table = found.tables["forecast"]
    assert table["conversion_method"].unique().tolist() == ["point_exp"]
    assert table[["expected_sd", "predicted_sd", "predicted_q05", "expected_q95"]].isna().all(axis=None)
    np.testing.assert_array_equal(table["predicted_q50"], table["expected_mean"])
    scores = found.tables["forecast_scores"].iloc[0]
    assert np.isnan(scores[["coverage_90", "elpd"]].astype(float)).all()
    error = future["kpi"].to_numpy() - table["expected_mean"].to_numpy()
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert "total_lower" not in found.facts()
    json.loads(CODECS["forecast"].encode("forecast", found)["forecast.json"])


def test_scores_are_those_of_the_mixture_of_the_draws() -> None:
    past, future = split(weekly(), 20)
    future.loc[[0, 5], "kpi"] = np.nan
    found = made(future, past)
    row = found.tables["forecast_scores"].iloc[0]
    known = future["kpi"].notna().to_numpy()
    coef = np.random.default_rng(2).normal([6.3, 0.001, -0.005], [0.01, 0.0001, 0.0001], (300, 3))
    mean = coef @ np.column_stack([np.ones(20), future["tv"], future["price"]])[known].T
    observed = np.log(future["kpi"][known].to_numpy())
    pit = stats.norm.cdf(observed, mean, 0.05).mean(axis=0)
    for level in (50, 80, 90):
        assert row[f"coverage_{level}"] == np.mean(np.abs(pit - 0.5) <= level / 200)
    expected = np.exp(mean + 0.05**2 / 2).mean(axis=0)
    kpi = future["kpi"][known].to_numpy()
    assert row["rows"] == 18
    assert row["rmse"] == pytest.approx(np.sqrt(np.mean((kpi - expected) ** 2)))
    assert row["smape"] == pytest.approx(np.mean(2 * np.abs(kpi - expected) / (kpi + expected)))
    density = np.log(stats.norm.pdf(observed, mean, 0.05).mean(axis=0)).sum()
    assert row["elpd"] == pytest.approx(density)
    assert row["kpi_elpd"] == pytest.approx(density - observed.sum())
    total = found.tables["forecast_summary"]["observed_total"]
    assert total.isna().all()  # two weeks are not known


def test_without_a_known_kpi_there_are_no_scores() -> None:
    past, future = split(weekly(), 6)
    assert "forecast_scores" not in made(future.drop(columns="kpi"), past).tables
    empty = made(future.assign(kpi=np.nan), past).tables
    assert "forecast_scores" not in empty
    assert empty["forecast"]["observed"].isna().all()


def test_the_kpi_of_the_future_does_not_change_the_forecast() -> None:
    past, future = split(weekly(), 6)
    one, other = made(future, past), made(future.drop(columns="kpi"), past)
    columns = [name for name in one.tables["forecast"] if name != "observed"]
    pd.testing.assert_frame_equal(one.tables["forecast"][columns], other.tables["forecast"][columns])


def test_extrapolation_says_where_and_how_far() -> None:
    past, future = split(weekly(), 4)
    low, high = past["price"].min(), past["price"].max()
    future["price"] = [low, high + 0.5 * (high - low), low - 0.25 * (high - low), (low + high) / 2]
    future["tv"] = past["tv"].mean()
    found = made(future, past)
    row = found.tables["forecast_extrapolation"].set_index("term").loc["price"]
    assert (row["rows"], row["rows_outside"], row["share_outside"]) == (4, 2, 0.5)
    assert row["beyond"] == pytest.approx(0.5 * (high - low))
    assert row["beyond_share"] == pytest.approx(0.5)
    (finding,) = found.findings
    assert (finding.subject, finding.value) == ("price", 0.5)
    assert "in 2 of 4 rows ahead, by up to 50% of its width" in finding.message
    assert found.facts()["predictors_beyond_the_fit"] == 1


def test_a_forecast_that_overflows_is_refused() -> None:
    past, future = split(weekly(), 4)
    future.loc[2, "tv"] = 1e6
    with pytest.raises(DsamError, match="has no finite value") as caught:
        made(future, past)
    assert caught.value.got == "1 of 4 rows, path base"


def test_panel_totals_come_by_unit_and_over_all() -> None:
    past, future = split(panel(), 5)
    formula, size = "kpi ~ tv + (1 | market)", 200
    source = source_of(past, formula)
    rng = np.random.default_rng(4)
    coef = rng.normal([400, 0.8], [5, 0.01], (size, 2))
    deviations = rng.normal(0, 3, (1, size, 3, 1))
    draws = draws_of(
        source.matrix.terms, coef, np.ones(size), group_sd={"sd_1[(Intercept)]": np.ones((1, size))},
        deviations=(GroupDeviations("market", ("m0", "m1", "m2"), ("(Intercept)",), deviations),),
    )  # fmt: skip
    found = forecast_market(draws, source, priors_of(formula), FutureData(future), report(), horizon=3)
    table = found.tables["forecast_summary"]
    validate(TABLES["forecast_summary"], table)
    validate(TABLES["forecast"], found.tables["forecast"])
    expected = table[table["quantity"] == "expected"].set_index("group")
    assert expected.index.tolist() == ["m0", "m1", "m2", "all"]
    kept = future.groupby("market").head(3)
    totals = np.stack(
        [3 * coef[:, 0] + coef[:, 1] * kept.loc[kept["market"] == name, "tv"].sum() + 3 * deviations[0, :, code, 0]
         for code, name in enumerate(("m0", "m1", "m2"))]
    )  # fmt: skip
    np.testing.assert_allclose(expected["mean"], [*totals.mean(axis=1), totals.sum(axis=0).mean()])
    np.testing.assert_allclose(expected["q95"].iloc[-1], np.quantile(totals.sum(axis=0), 0.95))
    np.testing.assert_allclose(expected["observed_total"].iloc[-1], kept["kpi"].sum())
    assert expected["rows"].tolist() == [3, 3, 3, 9]
    assert found.tables["forecast_scores"]["group"].tolist() == ["m0", "m1", "m2", "all"]


def test_no_forecast_asked_for_is_an_empty_forecast() -> None:
    past, _ = split(weekly(), 4)
    source = source_of(past, FORMULA)
    draws = draws_of(source.matrix.terms, np.ones((5, 3)), np.ones(5))
    found = forecast_market(draws, source, priors_of(FORMULA), None, report())
    assert found.tables == {}
    assert found.facts() == {"enabled": False, "reliability": "provisional", "overall": "fail"}
    assert found.document()["enabled"] is False
    assert future_of(no_tables(), ForecastSection()) is None


def read(path: Path, **data: Any) -> FutureData:
    made = config("kpi ~ tv", data={"path": "data.csv", "date_var": "date", **data})
    section = ForecastSection(enabled=True, data_path=str(path))
    past, _ = split(weekly(), 4)
    return load_future(made.data, section, made.time_components, past)


def test_the_future_file_is_read_as_the_data_are_whatever_its_format(tmp_path: Path) -> None:
    _, future = split(weekly(), 4)
    future.to_parquet(tmp_path / "a.parquet")
    future.assign(date=future["date"].dt.strftime("%d/%m/%Y")).to_csv(tmp_path / "a.csv", index=False)
    long = future.melt("date", var_name="name").assign(unit="uk")
    long.to_csv(tmp_path / "long.csv", index=False)
    pd.testing.assert_frame_equal(read(tmp_path / "a.parquet").frame, future)
    columns = {"long_id_col": "unit", "long_variable_col": "name", "long_value_col": "value"}
    for found in (
        read(tmp_path / "a.csv", date_format="%d/%m/%Y").frame,
        read(tmp_path / "long.csv", format="long", **columns).frame.drop(columns="unit"),
    ):
        pd.testing.assert_frame_equal(found[list(future)], future)


def test_a_bad_date_names_the_future_file(tmp_path: Path) -> None:
    _, future = split(weekly(), 4)
    future.assign(date="soon").to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DsamError, match="are not dates") as caught:
        read(tmp_path / "a.csv")
    assert caught.value.where == str(tmp_path / "a.csv")

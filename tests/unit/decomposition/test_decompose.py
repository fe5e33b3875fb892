"""The published tables: they close by week, by unit and in total, and returns are what a hand calculation gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from log_models import CLASSES, integrated_parts, media_of, model

from dsam_assets.decomposition import periods
from dsam_assets.decomposition.channels import AS_MODELLED, NO_SPEND, OTHER_COLUMN, PROPORTIONAL
from dsam_assets.decomposition.decompose import decompose, facts
from dsam_assets.design.labels import row_labels
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics.report import build_report
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.fitted import fitted_kpi_table
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate


@dataclass(frozen=True)
class Curve:
    type: str = "identity"
    scale: float | None = None
    k: float | None = None
    n: float | None = None


@dataclass(frozen=True)
class Channel:
    term: str
    name: str
    spend_col: str
    response: Curve = Curve()
    currency_col: str | None = None


@dataclass(frozen=True)
class Identifiability:
    media_terms: tuple[str, ...] = ()
    baseline_terms: tuple[str, ...] = ()
    baseline_regex: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    channels: tuple[Channel, ...] = ()
    kpi_type: str = "revenue"
    currency_scale: float | None = None
    value_per_kpi: float | None = None
    identifiability: Identifiability = field(default_factory=Identifiability)
    top_n: int = 2


REPORT = build_report((), "publish", "warn", enforce_publish_gate=False)
NO_PRIORS = pd.DataFrame(columns=["parameter", "family", "mean", "sd", "lower", "upper"])


def frame_of(matrix: ModelMatrix) -> pd.DataFrame:
    """A data file of the model's rows, two rows per date in every unit of a panel, with spends of its own."""
    size = int(matrix.rows.max()) + 1
    rng = np.random.default_rng(8)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * (np.arange(size) // 2), unit="D")
    return pd.DataFrame({"date": days, "spend_x": rng.gamma(2.0, 50.0, size), "spend_w": rng.gamma(2.0, 9.0, size)})


def made(draws: Draws, matrix: ModelMatrix, section: Any, frame: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    frame = frame_of(matrix) if frame is None else frame
    tables = decompose(draws, matrix, row_labels(frame, "date", matrix), frame, section, NO_PRIORS, REPORT)
    for name, table in tables.items():
        validate(TABLES[name], table)
    return tables


def section_of(name: str) -> Section:
    return Section(identifiability=Identifiability(media_terms=media_of(name)))


@pytest.mark.parametrize("log", [True, False], ids=["log", "identity"])
@pytest.mark.parametrize("name", CLASSES)
def test_tables_close_by_week_by_unit_and_in_total(name: str, log: bool) -> None:
    draws, matrix = model(name, log=log)
    tables = made(draws, matrix, section_of(name))
    labels = row_labels(frame_of(matrix), "date", matrix)
    fitted = fitted_kpi_table(draws, matrix, labels)
    keys = [key for key in ("date", "group") if key in labels]
    weeks = tables["decomp_timeseries"].groupby(keys)["contribution"].sum()
    pd.testing.assert_series_equal(weeks, fitted.groupby(keys)["fitted"].sum(), rtol=1e-9, check_names=False)
    wholes = {"all": fitted["fitted"].sum()}
    if matrix.groups:
        wholes |= fitted.groupby("group")["fitted"].sum().to_dict()
    for table, item, total in (("predictor", "term", "TOTAL"), ("group", "term_group", "total")):
        impact = tables[f"decomp_{table}_impact"]
        parts = impact[impact[item] != total].groupby("group")["contribution"].sum()
        assert parts.to_dict() == pytest.approx(wholes, rel=1e-9)
        stated = impact[impact[item] == total].set_index("group")["contribution"]
        assert stated.to_dict() == pytest.approx(wholes, rel=1e-9)
        shares = impact[impact[item] != total].groupby("group")["share"].sum(min_count=1).dropna()
        np.testing.assert_allclose(shares, 1.0, rtol=1e-9)
    assert tables["decomp_summary"]["fitted"].item() == pytest.approx(wholes["all"], rel=1e-9)


def test_totals_have_the_draws_intervals_and_shares() -> None:
    draws, matrix = model("blm")
    tables = made(draws, matrix, section_of("blm"))
    rows = [integrated_parts(draws, matrix, row, media_of("blm")) for row in range(len(matrix.response))]
    parts = {term: sum(row[term] for row in rows) for term in rows[0]}
    whole = sum(parts.values())
    impact = tables["decomp_predictor_impact"].set_index("term")
    for term, own in {**parts, "TOTAL": whole}.items():
        expected = [own.mean(), *np.quantile(own, [0.05, 0.95]), own.mean() / whole.mean(),
                    *np.quantile(own / whole, [0.05, 0.95])]  # fmt: skip
        shown = impact.loc[term, ["contribution", "q05", "q95", "share", "share_q05", "share_q95"]]
        np.testing.assert_allclose(shown.to_numpy(float), expected, rtol=1e-8, atol=1e-12)
    media = sum(parts[term] for term in media_of("blm"))
    row = tables["decomp_group_impact"].set_index("term_group").loc["media"]
    np.testing.assert_allclose(row[["contribution", "q05", "q95"]].to_numpy(float),
                               [media.mean(), *np.quantile(media, [0.05, 0.95])], rtol=1e-8)  # fmt: skip


def test_the_waterfall_steps_from_zero_to_the_total() -> None:
    draws, matrix = model("blm")
    table = made(draws, matrix, section_of("blm"))["decomp_group_impact"]
    assert table["term_group"].tolist() == ["baseline", "trend", "controls", "media", "total"]
    assert table["start"].iloc[0] == table["start"].iloc[-1] == 0
    np.testing.assert_allclose(table["start"].iloc[1:-1], table["end"].iloc[:-2])
    np.testing.assert_allclose(table["end"].iloc[-2:], table["contribution"].iloc[-1])
    np.testing.assert_allclose((table["end"] - table["start"]), table["contribution"])


def test_terms_are_ranked_by_size_after_the_intercept() -> None:
    draws, matrix = model("nested")
    table = made(draws, matrix, section_of("nested"))["decomp_predictor_impact"]
    for _, unit in table.groupby("group", sort=False):
        assert unit["term"].iloc[[0, -1]].tolist() == ["(Intercept)", "TOTAL"]
        sizes = unit["contribution"].abs().iloc[1:-1]
        assert (sizes.diff().dropna() <= 0).all()
        assert unit["rank"].iloc[1:-1].tolist() == [1, 2]
        assert unit["top_n"].tolist() == [False, True, True, False]
    assert table["group"].iloc[0] == "all"


def test_a_point_has_no_intervals() -> None:
    draws, matrix = model("blm", point=True)
    tables = made(draws, matrix, section_of("blm"))
    for name in ("decomp_predictor_impact", "decomp_group_impact", "decomp_timeseries", "decomp_channels"):
        uncertain = [column for column in tables[name] if column.endswith(("q05", "q95"))]
        assert len(uncertain) >= 2
        assert tables[name][uncertain].isna().all().all(), name
        assert tables[name]["contribution"].notna().all()
    assert tables["decomp_summary"]["estimate"].item() == "point"
    assert tables["decomp_summary"]["conversion_method"].item() == "point_exp"
    assert tables["channel_evidence"]["weak"].all()


def paid(section: Section, log: bool = True, name: str = "nested") -> tuple[pd.DataFrame, Draws, ModelMatrix]:
    draws, matrix = model(name, log=log)
    return made(draws, matrix, section)["decomp_channels"], draws, matrix


CHANNELS = (Channel("x", "X", "spend_x", Curve("log1p", scale=40.0)), Channel("w", "W", "spend_w"))


@pytest.mark.parametrize("log", [True, False], ids=["log", "identity"])
def test_returns_by_hand(log: bool) -> None:
    """Every unit and all: money, ROI, and the marginal return as the change under 0.001 % more spend."""
    table, draws, matrix = paid(Section(CHANNELS, currency_scale=2.0, value_per_kpi=3.0), log)
    frame, labels = frame_of(matrix), row_labels(frame_of(matrix), "date", matrix)
    unit = labels["group"].to_numpy()
    money = 2.0 * frame["spend_x"].to_numpy()[matrix.rows]
    parts = np.stack([
        integrated_parts(draws, matrix, row, ("x", "w"))["x"] if log else _effect(draws, matrix, row)
        for row in range(len(unit))
    ])  # fmt: skip
    spend = money / 2.0
    more = np.log1p(spend * (1 + 1e-5) / 40) / np.log1p(spend / 40) - 1  # growth of the column
    level = fitted_draws(draws, matrix) if log else np.ones_like(parts)
    change = level * _effects(draws, matrix) * more[:, None] / 1e-5
    for where in ("all", *np.unique(unit)):
        chosen = np.ones(len(unit), bool) if where == "all" else unit == where
        row = table[(table["group"] == where) & (table["channel"] == "X")].iloc[0]
        spent, own, slope = money[chosen].sum(), parts[chosen].sum(axis=0), change[chosen].sum(axis=0)
        assert row["money"] == pytest.approx(spent)
        assert row["spend"] == pytest.approx(spent / 2)
        assert row["contribution"] == pytest.approx(own.mean(), rel=1e-8)
        roi = [3 * own.mean() / spent, *(3 * np.quantile(own, [0.05, 0.95]) / spent)]
        np.testing.assert_allclose(row[["metric_value", "metric_q05", "metric_q95"]].to_numpy(float), roi, rtol=1e-8)
        marginal = [3 * slope.mean() / spent, *(3 * np.quantile(slope, [0.05, 0.95]) / spent)]
        shown = row[["marginal_value", "marginal_q05", "marginal_q95"]].to_numpy(float)
        np.testing.assert_allclose(shown, marginal, rtol=1e-4)
    assert set(table["metric_unit"]) == {"currency per currency"}


def _effect(draws: Draws, matrix: ModelMatrix, row: int) -> np.ndarray:
    from log_models import row_terms

    return row_terms(draws, matrix, row)["x"]


def _effects(draws: Draws, matrix: ModelMatrix) -> np.ndarray:
    return np.stack([_effect(draws, matrix, row) for row in range(len(matrix.response))])


def fitted_draws(draws: Draws, matrix: ModelMatrix) -> np.ndarray:
    from log_models import row_terms

    eta = [sum(row_terms(draws, matrix, row).values()) for row in range(len(matrix.response))]
    return np.exp(np.stack(eta) + matrix.offset[:, None] + draws.noise_flat**2 / 2)


def test_channels_of_a_unit_share_its_spend_and_its_effect() -> None:
    table, *_ = paid(Section(CHANNELS), log=False)
    for _, unit in table.groupby("group"):
        total, parts = unit[unit["channel"] == "TOTAL"].iloc[0], unit[unit["channel"] != "TOTAL"]
        assert total["contribution"] == pytest.approx(parts["contribution"].sum())
        assert total["money"] == pytest.approx(parts["money"].sum())
        assert parts["share_of_spend"].sum() == pytest.approx(1)
        assert total["metric_value"] == pytest.approx(total["contribution"] / total["money"])
        np.testing.assert_allclose(parts["share_of_spend"], parts["money"] / total["money"])
    units = table[(table["group"] != "all") & (table["channel"] == "X")]
    assert units["money"].sum() == pytest.approx(table[(table["group"] == "all") & (table["channel"] == "X")]["money"])


def test_subscriptions_have_a_cost_per_kpi_unit_and_only_where_the_effect_is_positive() -> None:
    draws, matrix = model("nested", log=False)
    coef = draws.coef.copy()
    coef[..., matrix.terms.index("x")] = np.linspace(1, 9, 50).reshape(2, 25)
    coef[..., matrix.terms.index("w")] = -1.0
    draws = replace(draws, coef=coef, deviations=tuple(replace(d, values=0 * d.values) for d in draws.deviations))
    table = made(draws, matrix, Section(CHANNELS, kpi_type="subscriptions"))["decomp_channels"]
    x, w = (table[(table["group"] == "all") & (table["channel"] == name)].iloc[0] for name in "XW")
    kpi = matrix.values[:, matrix.terms.index("x")].sum()
    expected = [x["money"] / (5 * kpi), x["money"] / (8.6 * kpi), x["money"] / (1.4 * kpi)]
    np.testing.assert_allclose(x[["metric_value", "metric_q05", "metric_q95"]].to_numpy(float), expected)
    assert w[["metric_value", "metric_q05", "marginal_value"]].isna().all()
    assert set(table["metric"]) == {"cpa"}


def test_what_spend_rests_on_is_said() -> None:
    draws, matrix = model("blm", log=False)
    frame = frame_of(matrix)
    tv, search = (matrix.values[:, matrix.terms.index(term)] for term in ("m_tv_a", "m_search"))
    frame["spend_tv_a"] = 40 * np.expm1(tv / 900)  # m_tv_a is 900 times its log1p
    frame["cost"], frame["m_search_spend"] = 3 * search, 1 + search**2
    channels = (Channel("m_tv_a", "TV", "spend_tv_a", Curve("log1p", scale=40.0), currency_col="cost"),
                Channel("m_tv_b", "TV b", "spend_w", Curve("atan", scale=5.0)),
                Channel("gone", "Gone", "spend_w"))  # fmt: skip
    table = made(draws, matrix, Section(channels), frame)["decomp_channels"].set_index("channel")
    assert list(table.index) == ["TV", "TV b", "m_search", "m_social", "TOTAL"]
    assert table.loc["TV", "assumption"] == AS_MODELLED.format(response="log1p(scale=40)", column="spend_tv_a")
    assert table.loc["TV", "money"] == pytest.approx(frame["cost"].sum())
    assert table.loc["TV b", "assumption"] == OTHER_COLUMN.format(response="atan(scale=5)", column="spend_w")
    assert table.loc["m_search", "assumption"] == PROPORTIONAL.format(column="m_search_spend")
    assert table.loc["m_social", "assumption"] == NO_SPEND
    assert table.loc["m_social", ["money", "metric_value", "marginal_value"]].isna().all()
    assert table.loc["m_search", "marginal_value"] == pytest.approx(table.loc["m_search", "metric_value"])
    assert np.isnan(table.loc["TOTAL", "money"])


@pytest.mark.parametrize("bad", [np.nan, -1.0])
def test_spend_that_cannot_be_summed_is_not_guessed(bad: float) -> None:
    draws, matrix = model("blm")
    frame = frame_of(matrix).assign(spend_tv_a=1.0)
    frame.loc[4, "spend_tv_a"] = bad
    table = made(draws, matrix, Section(), frame)["decomp_channels"].set_index("channel")
    assert "not a number ≥ 0" in table.loc["m_tv_a", "assumption"]
    assert np.isnan(table.loc["m_tv_a", "metric_value"])


def test_a_model_without_media_has_no_channels() -> None:
    draws, matrix = model("nested")
    tables = made(draws, matrix, Section())
    assert set(tables) == {
        "decomp_summary", "decomp_predictor_impact", "decomp_group_impact", "decomp_timeseries",
    }  # fmt: skip
    assert facts(tables)["weak_channels"] == 0


def test_tables_carry_the_verdict() -> None:
    draws, matrix = model("blm")
    report = replace(REPORT, reliability="blocked", reasons=("One is bad.", "Two is bad."))
    frame = frame_of(matrix)
    tables = decompose(draws, matrix, row_labels(frame, "date", matrix), frame, section_of("blm"), NO_PRIORS, report)
    for name in ("decomp_summary", "decomp_predictor_impact", "decomp_group_impact", "decomp_channels"):
        assert set(tables[name]["reliability"]) == {"blocked"}
    assert tables["decomp_summary"]["reasons"].item() == "One is bad. Two is bad."
    assert facts(tables)["reliability"] == "blocked"
    assert facts(tables)["share_media"] == pytest.approx(
        tables["decomp_group_impact"].set_index("term_group").loc["media", "share"]
    )


LADDER = [(10_000, 20_000_000, "own", True), (150, 20_000_000, "own", False), (20, 20_000_000, "quarter", False),
          (150, 1_400, "month", False), (5, 20_000_000, "year", False), (2, 20_000_000, "all", False)]  # fmt: skip


@pytest.mark.parametrize(("rows", "held", "step", "by_unit"), LADDER)
def test_long_series_are_joined_and_still_close(
    monkeypatch: pytest.MonkeyPatch, rows: int, held: int, step: str, by_unit: bool
) -> None:
    monkeypatch.setattr(periods, "MOST_ROWS", rows)
    monkeypatch.setattr(periods, "MOST_HELD", held)
    draws, matrix = model("nested")
    tables = made(draws, matrix, section_of("nested"))
    series, fitted = tables["decomp_timeseries"], fitted_kpi_table(
        draws, matrix, row_labels(frame_of(matrix), "date", matrix))  # fmt: skip
    assert tables["decomp_summary"][["series_step", "series_by_unit"]].iloc[0].tolist() == [step, by_unit]
    assert series["contribution"].sum() == pytest.approx(fitted["fitted"].sum(), rel=1e-9)
    assert (set(series["group"]) == {"all"}) != by_unit
    if step == "quarter":
        dates = fitted["date"].dt.to_period("Q").dt.start_time
        by_date = series.groupby("date")["contribution"].sum()
        pd.testing.assert_series_equal(by_date, fitted.groupby(dates)["fitted"].sum(), rtol=1e-9, check_names=False)


def test_rows_without_dates_are_periods_of_their_own() -> None:
    draws, matrix = model("blm")
    frame = frame_of(matrix)
    tables = decompose(draws, matrix, row_labels(frame, None, matrix), frame, section_of("blm"), NO_PRIORS, REPORT)
    series = validate(TABLES["decomp_timeseries"], tables["decomp_timeseries"])
    assert series[series["term"] == "trend"]["row"].tolist() == matrix.rows.tolist()

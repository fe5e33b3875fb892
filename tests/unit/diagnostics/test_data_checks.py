"""Checks of the data before the fit: each counts what was put there, names it, and skips what it does not apply to."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dsam_assets.data.delimited import MISSING_TOKENS, read_csv
from dsam_assets.data.files import FileContent
from dsam_assets.design.checks import design_checks
from dsam_assets.design.labels import row_labels
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.diagnostics.data_checks import DataFacts, data_gates
from dsam_assets.diagnostics.literal_missing import LiteralMissing, literal_missing
from dsam_assets.diagnostics.prefit import pre_run_gates
from dsam_assets.verdict import GateResult, PolicyMode

WEEKS = 100
CHANNELS = (SimpleNamespace(term="m_tv", spend_col="spend_tv"), SimpleNamespace(term="m_ooh", spend_col="spend_ooh"))
DATA_CHECKS = (
    "pre_weeks_per_parameter", "pre_weeks_of_data", "pre_spend_without_exposure", "pre_literal_missing",
    "pre_week_anchor", "pre_week_gaps",
)  # fmt: skip
MODES: tuple[PolicyMode, ...] = ("explore", "publish", "strict")


def frame(weeks: int = WEEKS) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    spend = rng.gamma(2.0, 50.0, size=(weeks, 2))
    return pd.DataFrame(
        {
            "date": pd.date_range("2022-01-03", periods=weeks, freq="7D"),
            "spend_tv": spend[:, 0],
            "spend_ooh": spend[:, 1],
            "m_tv": np.log1p(spend[:, 0]),
            "m_ooh": np.log1p(spend[:, 1]),
            "kpi": rng.normal(size=weeks),
        }
    )


def facts(
    data: pd.DataFrame, *, rows: np.ndarray | None = None, units: np.ndarray | None = None, dated: bool = True
) -> DataFacts:
    chosen = np.arange(len(data)) if rows is None else rows
    kept = data.iloc[chosen]
    values = np.column_stack([np.ones(len(kept)), kept["m_tv"], kept["m_ooh"]])
    terms, kpi = ("(Intercept)", "m_tv", "m_ooh"), kept["kpi"].to_numpy()
    matrix = ModelMatrix(terms, values, kpi, np.zeros(len(kept)), "kpi", "identity", chosen, {})
    labels = row_labels(data, "date" if dated else None, matrix)
    named = labels if units is None else labels.assign(group=units)
    return DataFacts(matrix, design_checks(matrix), data, named, CHANNELS, set(data.columns) - {"idle"})


def gate(check_id: str, given: DataFacts, mode: PolicyMode = "publish") -> GateResult:
    return next(row for row in data_gates(given, mode) if row.check_id == check_id)


def test_clean_data_pass_every_check() -> None:
    rows = data_gates(facts(frame()), "publish")
    assert [row.check_id for row in rows] == list(DATA_CHECKS)
    assert {row.status for row in rows} == {"pass"}
    assert {(row.gate, row.phase) for row in rows} == {("p0", "P0")}


def test_each_fault_warns_and_never_fails() -> None:
    data = frame(40).assign(promo="null")
    data.loc[3, "m_tv"] = 0.0
    data.loc[5, "date"] += np.timedelta64(1, "D")
    faulty = facts(data, rows=np.flatnonzero(np.arange(40) % 4 != 2)[:17])
    for mode in MODES:
        assert [row.status for row in data_gates(faulty, mode)] == ["warn"] * 6
        assert all(row.advice for row in data_gates(faulty, mode))


def test_weeks_per_parameter() -> None:
    """The threshold is 100 weeks for 15 predictors and an intercept."""
    assert gate("pre_weeks_per_parameter", facts(frame())).value == pytest.approx(WEEKS / 3)
    enough, short = facts(frame(19)), facts(frame(18))
    assert gate("pre_weeks_per_parameter", enough).status == "pass"
    found = gate("pre_weeks_per_parameter", short)
    assert (found.status, found.threshold) == ("warn", "warn < 6.25")
    assert "18 rows for 3 coefficients: 6 rows each" in found.message


def test_weeks_of_data_are_the_shortest_unit_s() -> None:
    assert gate("pre_weeks_of_data", facts(frame(80))).status == "pass"
    assert gate("pre_weeks_of_data", facts(frame(79))).status == "warn"
    assert gate("pre_weeks_of_data", facts(frame(79))).message == "79 weeks of data."
    assert gate("pre_weeks_of_data", facts(frame(79), dated=False)).message == "79 rows (taken as weeks) of data."
    both = pd.concat([frame(90), frame(26)], ignore_index=True)
    found = gate("pre_weeks_of_data", facts(both, units=np.repeat(["uk", "pt"], [90, 26])))
    assert (found.value, found.subject, found.status) == (26, "pt", "warn")
    assert "fewer than 80: pt (26)" in found.message


def test_spend_without_exposure_names_channel_and_dates() -> None:
    data = frame()
    data.loc[[4, 7, 8, 9], "m_ooh"] = 0.0
    data.loc[9, "spend_ooh"] = 0.0  # neither spend nor exposure
    data.loc[10, "spend_tv"] = 0.0  # exposure without spend: carry-over
    data.loc[11, "spend_tv"] = np.nan
    found = gate("pre_spend_without_exposure", facts(data))
    assert (found.value, found.subject, found.status) == (3, "m_ooh", "warn")
    assert "m_ooh (spend_ooh) in 2022-01-31, 2022-02-21, 2022-02-28" in found.message
    dropped = facts(data, rows=np.array([row for row in range(WEEKS) if row != 4]))
    assert gate("pre_spend_without_exposure", dropped).value == 2
    undated = gate("pre_spend_without_exposure", facts(data, dated=False))
    assert "in row 4, 7, 8" in undated.message
    panel = gate("pre_spend_without_exposure", facts(data, units=np.repeat(["uk"], WEEKS)))
    assert "in uk 2022-01-31" in panel.message


def test_spend_is_skipped_without_channels() -> None:
    given = facts(frame())
    alone = DataFacts(given.matrix, given.checks, given.frame, given.labels)
    found = gate("pre_spend_without_exposure", alone)
    assert (found.status, found.value, found.advice) == ("skipped", None, "")
    gone = DataFacts(
        given.matrix, given.checks, given.frame, given.labels, [SimpleNamespace(term="m_x", spend_col="spend_tv")]
    )
    assert gate("pre_spend_without_exposure", gone).status == "skipped"


def test_literal_missing_gate_counts_cells() -> None:
    data = frame().assign(note=["n/A", *["fine"] * (WEEKS - 2), "#REF!"], price=["1.5", "-", *["2"] * (WEEKS - 2)])
    found = gate("pre_literal_missing", facts(data))
    assert (found.value, found.subject, found.status) == (3, "note, price", "warn")
    assert 'note has "n/A", "#REF!" in row 0, 99 (counted from 0); price has "-" in row 1' in found.message


def test_columns_that_nothing_reads_are_only_mentioned() -> None:
    found = gate("pre_literal_missing", facts(frame().assign(idle=["na"] * WEEKS)))
    assert (found.value, found.subject, found.status) == (0, "model", "pass")
    assert 'Not used: idle has "na" in row 0, 1, 2 and 97 more' in found.message
    data = frame().assign(region=["null", *["north"] * (WEEKS - 1)], spend_tv="na", comment="na")
    rows = {
        row.check_id: row
        for row in pre_run_gates(
            facts(frame()).matrix, data, date_var="date", variables=("kpi", "region"), channels=CHANNELS, mode="publish"
        )
    }
    assert (rows["pre_literal_missing"].value, rows["pre_literal_missing"].subject) == (1 + WEEKS, "spend_tv, region")
    assert "Not used: comment" in rows["pre_literal_missing"].message


def test_week_anchor_names_dates() -> None:
    data = frame()
    data.loc[[2, 5], "date"] += np.timedelta64(1, "D")
    found = gate("pre_week_anchor", facts(data))
    assert (found.value, found.status) == (2, "warn")
    assert "not on a Monday: 2022-01-18 (a Tuesday), 2022-02-08 (a Tuesday)." in found.message
    assert gate("pre_week_gaps", facts(data)).value == 0


def test_units_on_different_weekdays_are_off() -> None:
    data = pd.concat(
        [frame(90), frame(85).assign(date=lambda each: each["date"] - np.timedelta64(1, "D"))], ignore_index=True
    )
    found = gate("pre_week_anchor", facts(data, units=np.repeat(["uk", "de"], [90, 85])))
    assert (found.value, found.status) == (85, "warn")
    assert "a Sunday" in found.message


def test_gaps_are_counted_within_units() -> None:
    data = pd.concat([frame(90), frame(95)], ignore_index=True)
    units = np.repeat(["uk", "de"], [90, 95])
    rows = np.setdiff1d(np.arange(185), [10, 11, 100, 184])  # the last one only makes the series shorter
    found = gate("pre_week_gaps", facts(data, rows=rows, units=units[rows]))
    assert (found.value, found.subject, found.status) == (3, "uk, de", "warn")
    assert "uk after 2022-03-07 (2 weeks); de after 2022-03-07 (1 week)." in found.message
    assert gate("pre_week_gaps", facts(data, units=units)).status == "pass"


@pytest.mark.parametrize(("step", "reason"), [("D", "most are 1 day apart"), ("MS", "most are 31 days apart")])
def test_dates_that_are_not_weekly_skip_the_week_checks(step: str, reason: str) -> None:
    data = frame(60).assign(date=pd.date_range("2022-01-01", periods=60, freq=step))
    for check_id in ("pre_week_anchor", "pre_week_gaps", "pre_weeks_of_data"):
        found = gate(check_id, facts(data))
        assert found.status == "skipped"
        assert reason in found.message


def test_without_dates() -> None:
    given = facts(frame(60), dated=False)
    assert gate("pre_week_anchor", given).status == gate("pre_week_gaps", given).status == "skipped"
    assert (gate("pre_weeks_of_data", given).value, gate("pre_weeks_of_data", given).status) == (60, "warn")


def test_what_reading_a_csv_leaves_as_text() -> None:
    """Every token that the reader knows is missing already; other spellings are found, wherever they stand."""
    words = [*MISSING_TOKENS, "na", " NA", "Null", "#n/a", "#VALUE!", "fine"]
    text = "code,price\n" + "\n".join(f'"{word}",{i}' for i, word in enumerate(words)) + "\n"
    data = read_csv(FileContent(Path("market.csv"), text.encode(), "0"))
    assert data["code"].isna().sum() == len(MISSING_TOKENS)
    assert literal_missing(data) == (
        LiteralMissing("code", 5, ("na", " NA", "Null"), tuple(len(MISSING_TOKENS) + i for i in range(3))),
    )


@pytest.mark.parametrize(
    ("values", "count"),
    [
        (["none", "sale", "bogo"], 0),
        (["none", "1.5", "2"], 1),
        (["-", ".", "?", "", "3"], 4),
        (["-", "."], 0),
        (["1", None, "2"], 0),
        ([None, None], 0),
        ([1, "na", 2.5], 1),
        (pd.Categorical(["NA", "x", "NA"]), 2),
        (pd.Categorical([1, 2, 1]), 0),
        (pd.array(["null", "x", None], dtype="string"), 1),
        ([1.0, float("nan")], 0),
    ],
)
def test_words_for_missing(values: object, count: int) -> None:
    found = literal_missing(pd.DataFrame({"x": values}))
    assert sum(each.count for each in found) == count


def test_parquet_keeps_na_as_text() -> None:
    stored = io.BytesIO()
    pd.DataFrame({"x": ["NA", "1"]}).to_parquet(stored)
    assert literal_missing(pd.read_parquet(stored))[0].count == 1

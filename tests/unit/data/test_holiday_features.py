"""Weekly holiday features, against counts worked out by hand on a wall calendar.

January 2024: Monday the 1st; the weeks of the data begin on 1, 8, 15, 22 and 29 January.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dsam_assets.config.schema_data import HolidaySection, TimeComponentsSection
from dsam_assets.data.calendar import Calendar
from dsam_assets.data.holidays import (
    HolidayFeatures,
    build_holiday_features,
    from_tables,
    market_holidays,
    no_tables,
)
from dsam_assets.data.weeks import DAYS, week_floor
from dsam_assets.errors import ConfigError, DataError
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate

MONDAYS = ["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22", "2024-01-29"]


def calendar(*events: tuple[str, str]) -> Calendar:
    frame = pd.DataFrame({"date": pd.to_datetime([day for day, _ in events]), "label": [label for _, label in events]})
    return Calendar(frame, Path("calendar.csv"), "0" * 64)


def features(events: list[tuple[str, str]], dates: list[str] = MONDAYS, **keys: Any) -> HolidayFeatures:
    frame = pd.DataFrame({"week": pd.to_datetime(dates), "y": range(len(dates))})
    return build_holiday_features(calendar(*events), frame, "week", HolidaySection.model_validate(keys))


def counts(events: list[tuple[str, str]], dates: list[str] = MONDAYS, **keys: Any) -> dict[str, list[int]]:
    return features(events, dates, **keys).frame_columns.to_dict("list")


def test_event_days_are_counted_by_week() -> None:
    events = [("2024-01-07", "A"), ("2024-01-08", "A"), ("2024-01-14", "A"), ("2024-01-31", "B")]
    assert counts(events) == {"holiday_a": [1, 2, 0, 0, 0], "holiday_b": [0, 0, 0, 0, 1]}


def test_windows_reach_into_neighbouring_weeks() -> None:
    # Sunday the 14th, two days before to one day after: Friday, Saturday, Sunday | Monday
    assert counts([("2024-01-14", "A")], window_before=2, window_after=1) == {"holiday_a": [0, 3, 1, 0, 0]}


def test_windows_reach_in_from_outside_the_data() -> None:
    # Saturday 30 December with three days after: Sunday, then Monday and Tuesday of the first week
    assert counts([("2023-12-30", "A")], window_after=3) == {"holiday_a": [2, 0, 0, 0, 0]}
    # Wednesday 7 February lies after the last week, which ends on the 4th
    assert counts([("2024-02-07", "A")], window_before=4) == {"holiday_a": [0, 0, 0, 0, 2]}


def test_any_is_zero_or_one() -> None:
    events = [("2024-01-08", "A"), ("2024-01-09", "A"), ("2024-01-15", "A")]
    made = features(events, aggregation_rule="any")
    assert made.frame_columns.to_dict("list") == {"holiday_a": [0, 1, 1, 0, 0]}
    assert made.manifest["event_days"].tolist() == [3]  # the manifest still counts days


def test_overlapping_windows_count_twice_or_once() -> None:
    # Wednesday and Thursday, each with a day before: Tuesday, Wednesday twice, Thursday
    events = [("2024-01-10", "A"), ("2024-01-11", "A")]
    assert counts(events, window_before=1) == {"holiday_a": [0, 4, 0, 0, 0]}
    assert counts(events, window_before=1, overlap_policy="dedupe_label_date") == {"holiday_a": [0, 3, 0, 0, 0]}


def test_a_repeated_event_counts_once_per_label_and_date_when_deduplicated() -> None:
    events = [("2024-01-10", "A"), ("2024-01-10", "A"), ("2024-01-10", "B"), ("2024-01-11", "A")]
    assert counts(events) == {"holiday_a": [0, 3, 0, 0, 0], "holiday_b": [0, 1, 0, 0, 0]}
    once = {"holiday_a": [0, 2, 0, 0, 0], "holiday_b": [0, 1, 0, 0, 0]}
    assert counts(events, overlap_policy="dedupe_label_date") == once


@pytest.mark.parametrize(
    ("week_start", "floor"),
    [
        ("monday", "2024-01-08"), ("tuesday", "2024-01-09"), ("wednesday", "2024-01-10"), ("thursday", "2024-01-04"),
        ("friday", "2024-01-05"), ("saturday", "2024-01-06"), ("sunday", "2024-01-07"),
    ],
)  # fmt: skip
def test_weeks_of_wednesday_the_tenth(week_start: str, floor: str) -> None:
    dates = pd.Series(pd.to_datetime(["2024-01-10 18:00"]))
    assert week_floor(dates, week_start).tolist() == [pd.Timestamp(floor)]


@pytest.mark.parametrize("week_start", DAYS)
def test_seven_days_of_each_week_floor_to_its_first(week_start: str) -> None:
    first = pd.Timestamp("2024-02-26") + pd.DateOffset(days=DAYS.index(week_start))  # over a leap day
    days = pd.Series(pd.date_range(first, periods=14))
    expected = [first] * 7 + [first + pd.DateOffset(days=7)] * 7
    assert week_floor(days, week_start).tolist() == expected


def test_sunday_weeks() -> None:
    sundays = ["2024-01-07", "2024-01-14"]
    assert counts([("2024-01-13", "A"), ("2024-01-14", "A")], sundays, week_start="sunday") == {"holiday_a": [1, 1]}


def test_misaligned_dates_are_named() -> None:
    dates = ["2024-01-01", "2024-01-09", "2024-01-09", "2024-01-16", "2024-01-24", "2024-02-02"]
    with pytest.raises(DataError, match="not every date of the data is the Monday") as caught:
        features([("2024-01-01", "A")], dates)
    shown = str(caught.value)
    assert "2024-01-09 (a Tuesday), 2024-01-16 (a Tuesday), 2024-01-24 (a Wednesday) and 1 more dates" in shown
    assert "column week" in shown


def test_data_of_other_weeks_are_told_which_week_start_they_have() -> None:
    with pytest.raises(DataError) as caught:
        features([("2024-01-01", "A")], ["2024-01-07", "2024-01-14"])
    assert "Set time_components.holidays.week_start: sunday." in str(caught.value)


def test_panels_get_the_same_week_in_every_group() -> None:
    dates = ["2024-01-08", "2024-01-01", "2024-01-01", "2024-01-08"]
    assert counts([("2024-01-09", "A")], dates) == {"holiday_a": [1, 0, 0, 1]}


def test_columns_keep_the_index_of_the_data() -> None:
    frame = pd.DataFrame({"week": pd.to_datetime(MONDAYS[:2])}, index=[5, 3])
    made = build_holiday_features(calendar(("2024-01-09", "A")), frame, "week", HolidaySection())
    assert made.frame_columns["holiday_a"].to_dict() == {5: 0, 3: 1}
    assert made.on(frame).loc[3].tolist() == [pd.Timestamp("2024-01-08"), 1]


def test_a_gap_in_the_data_is_no_week_of_it() -> None:
    events = [("2024-01-10", "gap"), ("2024-01-01", "kept")]
    made = features(events, ["2024-01-01", "2024-01-15"])
    assert made.names == ("holiday_kept",)


def test_labels_without_event_days_are_listed_and_not_made() -> None:
    made = features([("2024-01-10", "A"), ("2025-12-25", "Xmas"), ("2023-12-25", "Xmas")], window_before=1)
    assert made.names == ("holiday_a",)
    rows = made.manifest.set_index("feature")
    assert rows["generated"].to_dict() == {"holiday_a": True, "holiday_xmas": False}
    assert rows.loc["holiday_xmas", "reason"] == "no event day in the weeks of the data (2024-01-01 to 2024-01-29)"
    assert rows.loc["holiday_xmas", "in_formula"] == False  # noqa: E712 (a NumPy flag)
    assert made.formula_names == ("holiday_a",)


def test_the_manifest_by_hand() -> None:
    made = features(
        [("2024-01-31", "B b"), ("2024-01-07", "A"), ("2024-01-16", "A"), ("2025-01-01", "A"), ("2020-01-01", "Old")],
        window_after=1, prefix="h_", overlap_policy="dedupe_label_date",
    )  # fmt: skip
    validate(TABLES["holiday_feature_manifest"], made.manifest)
    row = made.manifest.set_index("feature").loc["h_a"]
    assert (row["label"], row["events"], row["event_days"], row["active_weeks"]) == ("A", 3, 4, 3)
    assert (row["first_event"], row["last_event"]) == (pd.Timestamp("2024-01-07"), pd.Timestamp("2025-01-01"))
    assert (row["first_active_week"], row["last_active_week"]) == (
        pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-15"),
    )  # fmt: skip
    assert (row["window_before"], row["window_after"], row["aggregation_rule"]) == (0, 1, "count")
    assert (row["overlap_policy"], row["week_start"], row["timezone"]) == ("dedupe_label_date", "monday", "UTC")
    assert made.manifest["feature"].tolist() == ["h_a", "h_b_b", "h_old"]
    assert pd.isna(made.manifest["first_active_week"].iloc[2])


def test_two_labels_with_one_name_are_both_named() -> None:
    with pytest.raises(DataError, match="same feature name holiday_new_year_s_day") as caught:
        features([("2024-01-01", "New Year's Day"), ("2025-01-01", "New Year’s Day")])
    assert '"New Year\'s Day" and "New Year’s Day"' in str(caught.value)


def test_existing_columns_are_kept_unless_overwriting_is_allowed() -> None:
    frame = pd.DataFrame({"week": pd.to_datetime(MONDAYS[:2]), "holiday_a": [9.0, 9.0], "y": [1, 2]})
    events = calendar(("2024-01-09", "A"))
    with pytest.raises(DataError, match="names of columns of the data") as caught:
        build_holiday_features(events, frame, "week", HolidaySection())
    assert "holiday_a" in str(caught.value)
    made = build_holiday_features(events, frame, "week", HolidaySection(overwrite_existing=True))
    assert made.on(frame).to_dict("list") == {
        "week": list(frame["week"]), "y": [1, 2], "holiday_a": [0, 1],
    }  # fmt: skip
    assert made.manifest["overwrites_column"].tolist() == [True]
    assert frame["holiday_a"].tolist() == [9.0, 9.0]


def test_the_date_column_is_never_overwritten() -> None:
    frame = pd.DataFrame({"holiday_a": pd.to_datetime(MONDAYS[:2])})
    with pytest.raises(DataError, match="names of columns"):
        build_holiday_features(
            calendar(("2024-01-09", "A")), frame, "holiday_a", HolidaySection(overwrite_existing=True)
        )


def test_a_calendar_of_other_years_is_an_error() -> None:
    with pytest.raises(DataError, match="No event of the calendar falls in a week of the data") as caught:
        features([("2031-01-01", "A")])
    assert "events between 2024-01-01 and 2024-02-04" in str(caught.value)


def test_windows_are_at_most_a_year() -> None:
    with pytest.raises(ConfigError, match="longer than a year"):
        features([("2024-01-01", "A")], window_before=300, window_after=66)


def test_stored_tables_give_the_features_back() -> None:
    made = features([("2024-01-10", "A"), ("2031-01-01", "B")], add_to_formula=False)
    tables = made.tables()
    for name, table in tables.items():
        validate(TABLES[name], table)
    again = from_tables(tables)
    assert again is not None
    assert (again.names, again.formula_names) == (("holiday_a",), ())
    pd.testing.assert_frame_equal(again.frame_columns, made.frame_columns)
    validate(TABLES["holiday_features"], no_tables()["holiday_features"])
    assert from_tables(no_tables()) is None


def test_features_of_other_rows_are_refused() -> None:
    with pytest.raises(DataError, match="different numbers of rows"):
        features([("2024-01-10", "A")]).on(pd.DataFrame({"y": [1]}))


@pytest.mark.parametrize("switches", [(False, True), (True, False), (False, False)])
def test_both_switches_must_be_on(switches: tuple[bool, bool]) -> None:
    section = TimeComponentsSection.model_validate({"enabled": switches[0], "holidays": {"enabled": switches[1]}})
    assert market_holidays(pd.DataFrame({"y": [1]}), None, section) is None

"""A public calendar of 123 countries on public weekly data, against dates from the church and the civil calendar."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dsam_assets.config.schema_data import HolidaySection
from dsam_assets.data.calendar import load_calendar
from dsam_assets.data.holidays import HolidayFeatures, build_holiday_features

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "robyn"
CALENDAR, WEEKLY = FOLDER / "dt_prophet_holidays.csv", FOLDER / "dt_simulated_weekly.csv"

pytestmark = pytest.mark.skipif(
    not (CALENDAR.exists() and WEEKLY.exists()), reason="the public data are not in ../shared/data"
)


@pytest.fixture(scope="module")
def germany(tmp_path_factory: pytest.TempPathFactory) -> tuple[HolidayFeatures, pd.Series]:
    rows = CALENDAR.read_text().splitlines()
    path = tmp_path_factory.mktemp("calendar") / "de.csv"
    path.write_text("\n".join([rows[0], *(row for row in rows if ',"DE",' in row)]) + "\n")
    frame = pd.read_csv(WEEKLY, usecols=["DATE"], parse_dates=["DATE"])
    section = HolidaySection.model_validate({"calendar_path": str(path)})
    return build_holiday_features(load_calendar(section), frame, "DATE", section), frame["DATE"]


def test_christmas_in_germany(germany: tuple[HolidayFeatures, pd.Series]) -> None:
    made, dates = germany
    christmas = made.frame_columns["holiday_christmas_day"]
    # 25 December: a Friday in 2015, then Sunday, Monday, Tuesday; the data end on 17 November 2019
    weeks = dates[christmas > 0].dt.strftime("%Y-%m-%d").tolist()
    assert weeks == ["2015-12-21", "2016-12-19", "2017-12-25", "2018-12-24"]
    assert christmas.sum() == 4
    # 26 December 2016 is a Monday, so its week is the next one
    second = made.frame_columns["holiday_second_day_of_christmas"]
    assert "2016-12-26" in dates[second > 0].dt.strftime("%Y-%m-%d").tolist()


def test_easter_monday_begins_its_week(germany: tuple[HolidayFeatures, pd.Series]) -> None:
    made, dates = germany
    mondays = dates[made.frame_columns["holiday_easter_monday"] > 0].dt.strftime("%Y-%m-%d").tolist()
    assert mondays == ["2016-03-28", "2017-04-17", "2018-04-02", "2019-04-22"]


def test_names_and_counts(germany: tuple[HolidayFeatures, pd.Series]) -> None:
    made, _ = germany
    assert made.names == (
        "holiday_ascension_day", "holiday_christmas_day", "holiday_easter_monday", "holiday_german_unity_day",
        "holiday_good_friday", "holiday_labor_day", "holiday_new_year_s_day", "holiday_reformation_day",
        "holiday_second_day_of_christmas", "holiday_whit_monday",
    )  # fmt: skip
    # nationwide, Reformation Day was a holiday in 2017 only
    assert made.frame_columns["holiday_reformation_day"].sum() == 1
    assert (made.manifest.set_index("feature")["active_weeks"].drop("holiday_reformation_day") == 4).all()

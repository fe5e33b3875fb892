"""Calendars: columns, formats, time zones and labels, against dates worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from r_files import R, data_frame, rds_bytes, text

from dsam_assets.config.schema_data import HolidaySection
from dsam_assets.data.calendar import load_calendar, normalise_label
from dsam_assets.errors import ConfigError, DataError


def events(folder: Path, content: str | bytes, *, name: str = "calendar.csv", **keys: Any) -> list[tuple[str, str]]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    calendar = load_calendar(HolidaySection.model_validate({"calendar_path": str(path), **keys}))
    return [(f"{date:%Y-%m-%d %H:%M}", label) for date, label in calendar.events.itertuples(index=False)]


@pytest.mark.parametrize("column", ["date", "ds", "event_date"])
def test_date_columns_are_found(tmp_path: Path, column: str) -> None:
    assert events(tmp_path, f"holiday,{column}\nXmas,2024-12-25\n") == [("2024-12-25 00:00", "Xmas")]


def test_the_order_of_date_columns_is_date_ds_event_date(tmp_path: Path) -> None:
    row = "event_date,ds,date,holiday\n2024-01-03,2024-01-02,2024-01-01,A\n"
    assert events(tmp_path, row)[0][0] == "2024-01-01 00:00"
    assert events(tmp_path, row.replace(",date,", ",x,"))[0][0] == "2024-01-02 00:00"
    assert events(tmp_path, row, date_col="event_date")[0][0] == "2024-01-03 00:00"


@pytest.mark.parametrize(
    ("header", "keys", "message", "shown"),
    [
        ("Date,holiday", {}, "no date column of a known name", "time_components.holidays.date_col"),
        ("date,label", {}, "no label column holiday", "time_components.holidays.label_col"),
        ("date,holiday", {"date_col": "dates"}, "no date column dates", "did you mean date?"),
    ],
)
def test_absent_columns(tmp_path: Path, header: str, keys: dict[str, str], message: str, shown: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        events(tmp_path, f"{header}\n2024-12-25,Xmas\n", **keys)
    assert shown in str(caught.value)


def test_a_date_format_and_another_label_column(tmp_path: Path) -> None:
    found = events(tmp_path, "ds,name\n05/02/2024,A\n", date_format="%d/%m/%Y", label_col="name")
    assert found == [("2024-02-05 00:00", "A")]


@pytest.mark.parametrize(
    ("written", "zone", "day"),
    [
        ("2024-12-25", "America/New_York", "2024-12-25"),  # a date has no zone
        ("2024-12-25 23:30:00", "America/New_York", "2024-12-25"),  # a clock without a zone shows the configured one
        ("2024-12-26T02:00:00Z", "America/New_York", "2024-12-25"),  # 21:00 the day before, UTC−5
        ("2024-12-26T02:00:00Z", "UTC", "2024-12-26"),
        ("2024-12-25T23:30:00-05:00", "UTC", "2024-12-26"),  # 04:30 UTC
        ("2024-06-30T22:30:00+00:00", "Europe/Berlin", "2024-07-01"),  # 00:30 summer time
        ("2024-12-31T22:30:00+00:00", "Europe/Berlin", "2024-12-31"),  # 23:30 winter time
    ],
)
def test_time_zones_decide_the_date(tmp_path: Path, written: str, zone: str, day: str) -> None:
    assert events(tmp_path, f"ds,holiday\n{written},A\n", timezone=zone) == [(f"{day} 00:00", "A")]


def test_dates_with_and_without_zones_mix(tmp_path: Path) -> None:
    rows = "ds,holiday\n2024-12-25,A\n2024-12-26T02:00:00Z,B\n2024-12-26 02:00,C\n"
    found = events(tmp_path, rows, timezone="America/New_York")
    assert [day[:10] for day, _ in found] == ["2024-12-25", "2024-12-25", "2024-12-26"]


def test_a_format_with_an_offset(tmp_path: Path) -> None:
    row = "ds,holiday\n26.12.2024 02:00 +0000,A\n"
    found = events(tmp_path, row, timezone="America/New_York", date_format="%d.%m.%Y %H:%M %z")
    assert found == [("2024-12-25 00:00", "A")]


def test_r_times_are_converted_to_the_zone(tmp_path: Path) -> None:
    late = R("real", (20083 * 86400 + 2 * 3600.0,), {"class": text("POSIXct", "POSIXt"), "tzone": text("UTC")})
    content = rds_bytes(data_frame({"date": late, "holiday": text("A")}))  # 2024-12-26 02:00 UTC
    assert events(tmp_path, content, name="c.rds", timezone="America/New_York") == [("2024-12-25 00:00", "A")]
    assert events(tmp_path, content, name="c.rds") == [("2024-12-26 00:00", "A")]


def test_r_calendars_with_dates_and_factors(tmp_path: Path) -> None:
    day = R("int", (20082,), {"class": text("Date")})
    label = R("int", (1,), {"levels": text("Xmas"), "class": text("factor")})
    content = rds_bytes(data_frame({"ds": day, "holiday": label}))
    assert events(tmp_path, content, name="c.rds") == [("2024-12-25 00:00", "Xmas")]


def test_labels_are_kept_as_text(tmp_path: Path) -> None:
    found = events(tmp_path, "ds,holiday\n2024-01-01,NA\n2024-01-02,\n2024-01-03, 007 \n")
    assert [label for _, label in found] == ["NA", "", "007"]


@pytest.mark.parametrize("bad", ["soon", "", "2024", "2024-13-01", "25/12/2024"])
def test_values_that_are_no_dates(tmp_path: Path, bad: str) -> None:
    with pytest.raises(DataError, match="1 of 2 values of the date column ds are not dates") as caught:
        events(tmp_path, f"ds,holiday\n2024-01-01,A\n{bad},B\n")
    assert f"row 3: {bad}" in str(caught.value)


def test_a_time_zone_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such time zone") as caught:
        events(tmp_path, "ds,holiday\n2024-01-01,A\n", timezone="Europe/Atlantis")
    assert "time_components.holidays.timezone" in str(caught.value)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Black Friday", "black_friday"),
        ("New Year's Day", "new_year_s_day"),
        ("  --Xmas!! ", "xmas"),
        ("4th of July", "4th_of_july"),
        ("", "unnamed"),
        ("?!", "unnamed"),
        ("Día de la Raza", "dia_de_la_raza"),
        ("Di\u0301a", "dia"),  # the same, its accent as a character of its own
        ("Ax\u030cis", "axis"),  # an accent that no letter has been made with
        ("\u0438\u0306", "\u0439"),  # a Cyrillic letter in two characters and in one
        ("元旦", "元旦"),
        ("Straße", "straße"),
    ],
)
def test_labels_become_names(label: str, name: str) -> None:
    assert normalise_label(label) == name

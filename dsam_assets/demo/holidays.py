"""The holidays of the demo markets: real dates, counted per week or listed as a calendar file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from dsam_assets.demo.series import mondays, write_text
from dsam_assets.scales import FloatArray

CALENDAR_NAME = "holidays_demo.csv"
CALENDAR_WEEKS = 156


def easter_sunday(year: int) -> date:
    """Easter Sunday in the Gregorian calendar.

    Source: Oudin (1940), as printed in the Explanatory Supplement to the Astronomical Almanac.
    """
    golden, century = year % 19, year // 100
    moon = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    moon -= (moon // 28) * (1 - (29 // (moon + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    # Days from 21 March to the Sunday on or before the ecclesiastical full moon; Easter is the Sunday after it.
    offset = moon - weekday
    return date(year, 3, 28) + timedelta(days=offset)


def black_friday(year: int) -> date:
    """The day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 22)


def holiday_dates(year: int) -> dict[str, list[date]]:
    """The days of each holiday in `year`, by column name."""
    return {
        "h_black_friday": [black_friday(year)],
        "h_christmas": [date(year, 12, day) for day in (24, 25, 26)],
        "h_new_year": [date(year, 1, 1)],
        "h_easter": [easter_sunday(year) + timedelta(days=shift) for shift in (-2, 0, 1)],
        "h_summer_sale": [date(year, 7, day) for day in range(1, 15)],
    }


def holiday_counts(mondays: Sequence[date]) -> dict[str, FloatArray]:
    """How many days of each holiday fall in each week that begins on one of `mondays`, shape (weeks,)."""
    position = {monday: week for week, monday in enumerate(mondays)}
    counts = {name: np.zeros(len(mondays)) for name in holiday_dates(mondays[0].year)}
    # A week may begin in one year and end in the next, hence one year more.
    for year in range(mondays[0].year, mondays[-1].year + 2):
        for name, days in holiday_dates(year).items():
            for day in days:
                week = position.get(day - timedelta(days=day.weekday()))
                if week is not None:
                    counts[name][week] += 1
    return counts


def feature_name(column: str) -> str:
    """What the product calls the holiday of a column when it makes the feature from the calendar file."""
    return column.replace("h_", "holiday_", 1)


def write_calendar(folder: Path | str) -> Path:
    """Write the days of every holiday in the years of the demo markets as a calendar file: date and holiday."""
    years = sorted({monday.year for monday in mondays(CALENDAR_WEEKS)})
    days = [
        (day, column.removeprefix("h_").replace("_", " ").capitalize())
        for year in years
        for column, found in holiday_dates(year).items()
        for day in found
    ]
    rows = [f"{day.isoformat()},{label}\n" for day, label in sorted(days)]
    return write_text(Path(folder) / CALENDAR_NAME, "".join(["date,holiday\n", *rows]))

"""Weeks that begin on a chosen day."""

from __future__ import annotations

import pandas as pd

from dsam_assets.config.schema_data import WeekDay
from dsam_assets.errors import DataError

DAYS: tuple[WeekDay, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHOWN = 3


def week_floor(dates: pd.Series, week_start: WeekDay) -> pd.Series:
    """The latest `week_start` on or before each date, at midnight."""
    midnight = dates.dt.normalize()
    since = (midnight.dt.weekday - DAYS.index(week_start)) % 7
    floor: pd.Series = midnight - pd.to_timedelta(since, unit="D")
    return floor


def require_week_starts(dates: pd.Series, week_start: WeekDay, *, column: str, key: str) -> None:
    """Every date must be the first day of a week.

    Args:
        dates: datetime64, shape (N,).
        week_start: first day of the weeks.
        column: name of the date column, for messages.
        key: the config key of `week_start`, for messages.

    Raises:
        DataError: names the first misaligned dates and, when all dates fall on one weekday, that day.
    """
    aligned = (week_floor(dates, week_start) == dates.dt.normalize()).to_numpy()
    if aligned.all():
        return
    wrong = dates[~aligned].drop_duplicates()
    shown = ", ".join(f"{date:%Y-%m-%d} (a {DAYS[date.weekday()].title()})" for date in wrong.head(_SHOWN))
    more = f" and {len(wrong) - _SHOWN:,} more dates" if len(wrong) > _SHOWN else ""
    weekdays = {DAYS[day] for day in dates.dt.weekday.unique()}
    only = weekdays.pop() if len(weekdays) == 1 else None
    raise DataError(
        f"Holidays are counted by week, but not every date of the data is the {week_start.title()} that begins one.",
        where=f"column {column}",
        got=shown + more,
        wanted=f"dates that are {week_start.title()}s, as {key} says",
        fix=f"Set {key}: {only}." if only else "Date each row by the first day of its week.",
    )

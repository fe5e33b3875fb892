"""The future data file: the predictors of the weeks ahead, read as the data file is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dsam_assets.config.defaults import infer_format
from dsam_assets.config.schema_data import DataSection, HolidaySection, TimeComponentsSection
from dsam_assets.config.schema_forecast import ForecastSection
from dsam_assets.data.calendar import KEY, load_calendar
from dsam_assets.data.holidays import build_holiday_features
from dsam_assets.data.load import load_dataset
from dsam_assets.errors import ConfigError, DataError, DsamError

FRAME, HOLIDAYS = "future_frame", "future_holidays"


@dataclass(frozen=True)
class FutureData:
    """What is known of the weeks ahead.

    Attributes:
        frame: the file's columns in the file's order, the date column parsed.
        holidays: columns generated from the calendar, one row per row of `frame`; `None` when there are none. Labels
            that the data never had are among them.
        where: the file, for messages.
    """

    frame: pd.DataFrame
    holidays: pd.DataFrame | None = None
    where: str = "the future data"

    def tables(self) -> dict[str, pd.DataFrame]:
        """What is stored; `future_of` is the inverse."""
        holidays = {} if self.holidays is None else {HOLIDAYS: self.holidays.reset_index(drop=True)}
        return {FRAME: self.frame, **holidays}


def no_tables() -> dict[str, pd.DataFrame]:
    """What is stored when the config asks for no forecast."""
    return {FRAME: pd.DataFrame({"row": np.arange(0)})}


def future_of(tables: Mapping[str, pd.DataFrame], forecast: ForecastSection) -> FutureData | None:
    """The data of stored tables; `None` when the config asks for no forecast."""
    if not forecast.enabled:
        return None
    return FutureData(tables[FRAME], tables.get(HOLIDAYS), str(forecast.data_path))


def load_future(
    data: DataSection, forecast: ForecastSection, time_components: TimeComponentsSection, past: pd.DataFrame
) -> FutureData:
    """Read the future data file as the data file is read, and generate its holiday features.

    Args:
        data: how the data file is read: date column and format, columns of long data.
        forecast: names the future file; its extension names its format.
        time_components: the holiday calendar.
        past: the data file, whose weeks say which labels the calendar gives.

    Raises:
        ConfigError: no file or no date column is named.
        DataError: the file cannot be read, or its dates cannot be used.
    """
    if forecast.data_path is None or data.date_var is None:
        raise ConfigError(
            "A forecast needs a file of future data and a date column.",
            where="data.date_var" if data.date_var is None else "forecast.data_path",
        )
    kind = "long" if data.format == "long" else infer_format(forecast.data_path) or data.format
    frame = load_dataset(data.model_copy(update={"path": forecast.data_path, "format": kind})).frame
    with located(forecast.data_path):
        holidays = future_holidays(frame, past, data.date_var, time_components)
    return FutureData(frame, holidays, forecast.data_path)


def future_holidays(
    frame: pd.DataFrame, past: pd.DataFrame, date_var: str, section: TimeComponentsSection
) -> pd.DataFrame | None:
    """Holiday features of the future rows, counted as those of the data; `None` when holidays are switched off."""
    if not (section.enabled and section.holidays.enabled):
        return None
    dates = pd.concat([past[date_var], frame[date_var]], ignore_index=True).to_frame(date_var)
    features = build_holiday_features(load_calendar(section.holidays), dates, date_var, section.holidays)
    _require_free_names(features.names, frame, section.holidays)
    return features.frame_columns.iloc[len(past) :].set_axis(frame.index)


def _require_free_names(names: tuple[str, ...], frame: pd.DataFrame, section: HolidaySection) -> None:
    taken = sorted(set(names) & {str(name) for name in frame.columns})
    if taken and not section.overwrite_existing:
        raise DataError(
            "Generated holiday features have the names of columns of the future data.",
            got=", ".join(taken),
            fix=f"Drop these columns, or set {KEY}.overwrite_existing: true.",
        )


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say in errors that they are about the future data, not about the data."""
    try:
        yield
    except DsamError as error:
        if where not in (error.where or ""):
            error.where = f"{where}, {error.where}" if error.where else where
        raise

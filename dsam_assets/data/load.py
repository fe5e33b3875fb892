"""From a data file to a validated frame: the raw columns plus a parsed date column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dsam_assets.config.schema_data import DataSection
from dsam_assets.data.dates import parse_dates
from dsam_assets.data.files import FileContent, read_once
from dsam_assets.data.long import LongColumns, long_to_wide
from dsam_assets.data.read import FileKind, kind_of, read_table
from dsam_assets.errors import ConfigError

_LONG_KEYS = ("long_id_col", "long_variable_col", "long_value_col")


@dataclass(frozen=True)
class Dataset:
    """A data file as a frame.

    Attributes:
        frame: the file's columns in the file's order (long data: unit, date, variables); the date column, when there
            is one, as datetime64.
        date_var: name of the date column, or `None`.
        path: the file.
        sha256: hash of the file's bytes.
    """

    frame: pd.DataFrame
    date_var: str | None
    path: Path
    sha256: str


def load_dataset(section: DataSection) -> Dataset:
    """Load what the config's `data` section names.

    Args:
        section: path, format (`csv`, `parquet`, `rds` or `long`; long data come in a file of any of the other three),
            date column and format, and the columns of long data.

    Raises:
        DataError: unreadable file, broken header, no rows, dates that do not parse, or repeated keys of long data.
        ConfigError: columns of long data are named for data that are not long, or are incomplete.
    """
    path, columns = Path(section.path), _long_columns(section)
    dataset = _load(
        read_once(path), kind_of(path) if section.format == "long" else section.format, section.date_var,
        section.date_format,
    )  # fmt: skip
    if columns is None:
        return dataset
    return Dataset(long_to_wide(dataset.frame, columns, path), section.date_var, path, dataset.sha256)


def load_csv(path: Path, *, date_var: str | None = None, date_format: str | None = None) -> Dataset:
    """Load a comma-separated file with a header row.

    Args:
        path: the file; UTF-8.
        date_var: column to parse as dates; `None` leaves every column as it is.
        date_format: strptime format of that column; ISO 8601 when `None`.

    Raises:
        DataError: unreadable file, broken header, no rows, or dates that do not parse.
    """
    return _load(read_once(path), "csv", date_var, date_format)


def _load(file: FileContent, kind: FileKind, date_var: str | None, date_format: str | None) -> Dataset:
    frame = read_table(file, kind)
    if date_var is not None:
        frame = frame.assign(**{date_var: parse_dates(frame, date_var, date_format, file.path)})
    return Dataset(frame, date_var, file.path, file.sha256)


def _long_columns(section: DataSection) -> LongColumns | None:
    names = {key: getattr(section, key) for key in _LONG_KEYS}
    if section.format != "long":
        useless = [f"data.{key}" for key, name in names.items() if name is not None]
        if useless:
            raise ConfigError(
                "Columns of long data are named, but the data are not long.",
                where=useless[0],
                got=f"data.format: {section.format}",
                fix="Set data.format: long, or remove " + ", ".join(useless) + ".",
            )
        return None
    unit, date = section.long_id_col, section.date_var
    variable, value = section.long_variable_col, section.long_value_col
    if unit is None or date is None or variable is None or value is None:
        raise ConfigError(
            "Long data need four columns.",
            where="data",
            wanted="data.date_var, data.long_id_col, data.long_variable_col and data.long_value_col",
        )
    return LongColumns(unit, date, variable, value)

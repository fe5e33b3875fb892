"""From a data file to a validated frame: the raw columns plus a parsed date column."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from dsam_assets.data.files import FileContent, read_once
from dsam_assets.errors import DataError

MISSING_TOKENS = ("", "NA", "NaN", "nan", "N/A", "#N/A", "NULL", "null")


@dataclass(frozen=True)
class Dataset:
    """A data file as a frame.

    Attributes:
        frame: the file's columns in the file's order; the date column, when there is one, as datetime64.
        date_var: name of the date column, or `None`.
        path: the file.
        sha256: hash of the file's bytes.
    """

    frame: pd.DataFrame
    date_var: str | None
    path: Path
    sha256: str


def load_csv(path: Path, *, date_var: str | None = None, date_format: str | None = None) -> Dataset:
    """Load a comma-separated file with a header row.

    Args:
        path: the file; UTF-8.
        date_var: column to parse as dates; `None` leaves every column as it is.
        date_format: strptime format of that column; ISO 8601 when `None`.

    Raises:
        DataError: unreadable file, broken header, no rows, or dates that do not parse.
    """
    file = read_once(path)
    frame = _parse(file)
    if date_var is not None:
        frame = frame.assign(**{date_var: parse_dates(frame, date_var, date_format, path)})
    return Dataset(frame, date_var, path, file.sha256)


def _parse(file: FileContent) -> pd.DataFrame:
    _require_clean_header(file)
    try:
        frame = pd.read_csv(
            io.BytesIO(file.content), keep_default_na=False, na_values=list(MISSING_TOKENS), encoding="utf-8-sig"
        )
    except UnicodeDecodeError as error:
        raise DataError(
            "The file is not UTF-8 text.", where=f"{file.path}, byte {error.start}", fix="Save it as UTF-8 CSV."
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(
            f"The file is not a valid CSV: {error}.",
            where=str(file.path),
            wanted="comma-separated values with the same number of fields in every row",
            fix="Look at the line that the message names; put quotes around text that contains commas.",
        ) from error
    if frame.empty:
        raise DataError(
            "The file has a header and no rows.",
            where=str(file.path),
            wanted="at least one row",
            fix="Export the data again, or correct data.path.",
        )
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(
            "Rows have more fields than the header.",
            where=str(file.path),
            fix="Check for a missing column name or trailing commas.",
        )
    return frame


def _require_clean_header(file: FileContent) -> None:
    first_line = file.content.split(b"\n", 1)[0]
    header = pd.read_csv(
        io.BytesIO(first_line + b"\n"), header=None, dtype=str, encoding="utf-8-sig", encoding_errors="replace",
        keep_default_na=False,
    ) if first_line.strip() else pd.DataFrame()  # fmt: skip
    if header.empty:
        raise DataError(
            "The file is empty or starts with a blank line.",
            where=str(file.path),
            wanted="a header row",
            fix="Export the data again, or correct data.path.",
        )
    names = [str(name) for name in header.iloc[0]]
    repeated = sorted(name for name, count in Counter(names).items() if count > 1 and name)
    if repeated:
        raise DataError(
            "A column name appears more than once.",
            where=str(file.path),
            got=", ".join(repeated),
            wanted="unique column names",
            fix="Rename or remove the repeated columns.",
        )


def parse_dates(frame: pd.DataFrame, column: str, date_format: str | None, path: Path) -> pd.Series:
    """Parse a date column; every value must be a date.

    Raises:
        DataError: the column is absent, or values do not parse; the message shows the first of them with their rows.
    """
    if column not in frame.columns:
        near = get_close_matches(column, [str(name) for name in frame.columns], n=1)
        raise DataError(
            f"data.date_var names a column that is not in the file: {column}.",
            where=str(path),
            got="columns " + ", ".join(map(str, frame.columns)),
            fix=f"Did you mean {near[0]}?" if near else "Set data.date_var to the file's date column.",
        )
    text = frame[column].astype("string")
    parsed = pd.to_datetime(text, format=date_format or "ISO8601", errors="coerce")
    bad = parsed.isna()
    if bad.any():
        shown = "; ".join(f"row {row + 2}: {text.iloc[row]}" for row in bad.to_numpy().nonzero()[0][:3])
        raise DataError(
            f"{int(bad.sum())} of {len(frame)} values of the date column {column} are not dates.",
            where=str(path),
            got=shown,
            wanted=f"dates written as {date_format or 'ISO 8601, e.g. 2024-01-29'}",
            fix="Correct the values or set data.date_format.",
        )
    if parsed.dt.tz is not None:
        parsed = parsed.dt.tz_convert("UTC").dt.tz_localize(None)
    return parsed.astype("datetime64[ns]")

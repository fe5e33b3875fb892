"""Date columns: text in a known format, or typed dates, as wall-clock times without a zone."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from dsam_assets.errors import DataError

_OFFSET = re.compile(r"(?<=\d)\s?(?:Z|[+-]\d{2}(?::?\d{2})?)$")
_ZONED = re.compile(r"\d[T ]\d{2}.*" + _OFFSET.pattern)
# R's shorthands that Python's parser does not know.
_R_DIRECTIVES = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y", "%h": "%b", "%e": "%d"}


def parse_dates(frame: pd.DataFrame, column: str, date_format: str | None, path: Path) -> pd.Series:
    """Parse the data's date column; every value must be a date.

    A time zone or offset is dropped: the date is the one that is written.

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
    parsed = wall_clock(frame[column], date_format, key="data.date_format")
    require_dates(frame[column], parsed, date_format, path, key="data.date_format")
    return parsed


def wall_clock(values: pd.Series, date_format: str | None, *, zone: str | None = None, key: str) -> pd.Series:
    """Date-times as datetime64[ns] without a zone, NaT where a value is no date.

    Args:
        values: text (or numbers such as 20240129), or typed dates; a format applies to text only.
        date_format: strptime format; ISO 8601 when `None`.
        zone: zone into which values with a zone or an offset are converted; `None` keeps the time that they show.
        key: the config key of the format, for messages.

    Raises:
        DataError: the format itself is not valid.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        local = values if zone is None else values.dt.tz_convert(zone)
        naive: pd.Series = local.dt.tz_localize(None)
        return naive.astype("datetime64[ns]")
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return values.astype("datetime64[ns]")
    return _from_text(values.astype("string").str.strip(), date_format, zone, key)


def _from_text(text: pd.Series, date_format: str | None, zone: str | None, key: str) -> pd.Series:
    zoned = _zoned(text, date_format)
    if date_format is None and zone is None:
        text = text.mask(zoned, text.str.replace(_OFFSET, "", regex=True))
        zoned = zoned & False
    instants = _instants(text, date_format, key)
    naive: pd.Series = instants.dt.tz_localize(None)
    if zoned.any():
        naive = naive.mask(zoned, instants.dt.tz_convert(zone or "UTC").dt.tz_localize(None))
    return naive.astype("datetime64[ns]")


def _zoned(text: pd.Series, date_format: str | None) -> pd.Series:
    if date_format is None:
        return text.str.contains(_ZONED).fillna(False).astype(bool)
    return text.notna() & ("%z" in date_format or "%Z" in date_format)


def _instants(text: pd.Series, date_format: str | None, key: str) -> pd.Series:
    """Text as UTC; text without an offset keeps its own digits."""
    try:
        return pd.to_datetime(text, format=python_format(date_format), errors="coerce", utc=True)
    except ValueError as error:
        raise DataError(
            f"The date format is not valid: {error}.",
            where=key,
            got=date_format,
            wanted="a format such as %d/%m/%Y",
            fix="Write the day as %d, the month as %m, the year as %Y.",
        ) from error


def python_format(date_format: str | None) -> str:
    """The format with R's shorthands spelled out; pandas' name for ISO 8601 when there is none."""
    if date_format is None:
        return "ISO8601"
    return re.sub("%.", lambda match: _R_DIRECTIVES.get(match.group(), match.group()), date_format)


def require_dates(values: pd.Series, parsed: pd.Series, date_format: str | None, path: Path, *, key: str) -> None:
    """Refuse values that did not parse; the message shows the first three with their lines (the header is line 1).

    Raises:
        DataError: at least one value is no date.
    """
    bad = parsed.isna().to_numpy()
    if bad.any():
        text = values.astype("string").fillna("(empty)")
        shown = "; ".join(f"row {row + 2}: {text.iloc[row]}" for row in bad.nonzero()[0][:3])
        raise DataError(
            f"{int(bad.sum())} of {len(values)} values of the date column {values.name} are not dates.",
            where=str(path),
            got=shown,
            wanted=f"dates written as {date_format or 'ISO 8601, e.g. 2024-01-29'}",
            fix=f"Correct the values or set {key}.",
        )

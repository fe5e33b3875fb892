"""Holiday calendars: one row per event, read from CSV, RDS or parquet."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from dsam_assets.config.schema_data import HolidaySection
from dsam_assets.data.dates import require_dates, wall_clock
from dsam_assets.data.files import read_once
from dsam_assets.data.read import kind_of, read_table
from dsam_assets.errors import ConfigError, DataError

DATE_COLUMNS = ("date", "ds", "event_date")
UNNAMED = "unnamed"
KEY = "time_components.holidays"
_FULL_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ].*)?|\d{8}"


@dataclass(frozen=True)
class Calendar:
    """A validated calendar.

    Attributes:
        events: one row per event: `date` (datetime64, midnight) and `label` (text, stripped; empty when it has none).
        path: the file.
        sha256: hash of the file's bytes.
    """

    events: pd.DataFrame
    path: Path
    sha256: str


def load_calendar(section: HolidaySection) -> Calendar:
    """Read and validate the calendar that the config names.

    Date-times with a zone or an offset are converted to `timezone` before their date is taken; date-times without one
    are taken to be in `timezone` already.

    Raises:
        DataError: unreadable file, absent columns, or values that are no dates.
        ConfigError: no calendar, or a time zone that does not exist.
    """
    if section.calendar_path is None:
        raise ConfigError("Holidays need a calendar.", where=f"{KEY}.calendar_path", fix="Name the calendar file.")
    path = Path(section.calendar_path)
    file = read_once(path)
    frame = read_table(file, kind_of(path), as_text=True)
    return Calendar(calendar_events(frame, section, path), path, file.sha256)


def calendar_events(frame: pd.DataFrame, section: HolidaySection, path: Path) -> pd.DataFrame:
    """The events of a calendar table, in its order: `date` and `label`."""
    _require_zone(section.timezone)
    date_column, label_column = _date_column(frame, section.date_col, path), section.label_col
    if label_column not in frame.columns:
        raise _absent("label", label_column, frame, path)
    dates = frame[date_column]
    parsed = wall_clock(dates, section.date_format, zone=section.timezone, key=f"{KEY}.date_format")
    if section.date_format is None and not pd.api.types.is_datetime64_any_dtype(dates.dtype):
        # ISO 8601 also allows a year alone, which is no event's date
        parsed = parsed.where(dates.astype("string").str.strip().str.fullmatch(_FULL_DATE).fillna(False).astype(bool))
    require_dates(dates, parsed, section.date_format, path, key=f"{KEY}.date_format")
    labels = frame[label_column].astype("string").fillna("").str.strip()
    return pd.DataFrame({"date": parsed.dt.normalize().to_numpy(), "label": labels.astype(object).to_numpy()})


def normalise_label(label: str) -> str:
    """A label as part of a column name: lower case, letters and digits, everything else an underscore.

    Accents are dropped (`Día` → `dia`), letters of other scripts stay. "New Year's Day" → `new_year_s_day`; a label
    without any letter or digit → `unnamed`.
    """
    kept = "".join(_letter(character) for character in unicodedata.normalize("NFC", label.lower()))
    return "_".join(part for part in kept.split("_") if part) or UNNAMED


def _letter(character: str) -> str:
    parts = unicodedata.normalize("NFKD", character)
    if parts[0].isascii():
        return "".join(part for part in parts if part.isascii() and part.isalnum()) or "_"
    if "\u0300" <= character <= "\u036f":  # an accent on its own
        return ""
    return character if unicodedata.category(character)[0] in "LMN" else "_"


def _require_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            "There is no such time zone.",
            where=f"{KEY}.timezone",
            got=name,
            wanted="a name of the time zone database, such as UTC or Europe/London",
        ) from error


def _date_column(frame: pd.DataFrame, wanted: str | None, path: Path) -> str:
    if wanted is not None:
        if wanted not in frame.columns:
            raise _absent("date", wanted, frame, path)
        return wanted
    found = next((name for name in DATE_COLUMNS if name in frame.columns), None)
    if found is None:
        raise DataError(
            "The calendar has no date column of a known name.",
            where=str(path),
            got="columns " + ", ".join(map(str, frame.columns)),
            wanted="one of " + ", ".join(DATE_COLUMNS),
            fix=f"Set {KEY}.date_col to the calendar's date column.",
        )
    return found


def _absent(what: str, name: str, frame: pd.DataFrame, path: Path) -> DataError:
    names = [str(column) for column in frame.columns]
    near = get_close_matches(name, names, n=1)
    return DataError(
        f"The calendar has no {what} column {name}.",
        where=str(path),
        got="columns " + ", ".join(names),
        fix=f"Set {KEY}.{what}_col" + (f"; did you mean {near[0]}?" if near else " to a column of the calendar."),
    )

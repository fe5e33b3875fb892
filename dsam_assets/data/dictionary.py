"""The data dictionary: what each column means, as the config, a CSV file and generated columns say, and holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from dsam_assets.config.schema_data import DataSection
from dsam_assets.data.column_statistics import column_statistics
from dsam_assets.data.files import read_once
from dsam_assets.data.holidays import HolidayFeatures
from dsam_assets.data.read import read_table
from dsam_assets.errors import ConfigError, DataError

FIELDS = ("unit", "cadence", "source", "transform", "rationale")


class Entry(Protocol):
    """What is known of one column; every field is free text."""

    @property
    def unit(self) -> str | None: ...
    @property
    def cadence(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...
    @property
    def transform(self) -> str | None: ...
    @property
    def rationale(self) -> str | None: ...


@dataclass(frozen=True)
class Described:
    """An entry that does not come from the config."""

    unit: str | None = None
    cadence: str | None = None
    source: str | None = None
    transform: str | None = None
    rationale: str | None = None


def data_dictionary(
    columns: Sequence[str],
    used: Sequence[str],
    entries: Mapping[str, Entry],
    *,
    fallbacks: Sequence[Mapping[str, Entry]] = (),
) -> pd.DataFrame:
    """One row per column: the modelled ones first, then others that are described, then the rest.

    Args:
        columns: the data's columns, generated ones included.
        used: the columns that the formula uses, in its order.
        entries: `data.dictionary`; each must describe a column of the data.
        fallbacks: further entries, strongest first, which fill the fields that the former leave out. What they say of
            other columns is passed over, since one dictionary file may serve many markets.

    Raises:
        ConfigError: an entry describes a column that is not in the data.
    """
    unknown = [name for name in entries if name not in columns]
    if unknown:
        near = get_close_matches(unknown[0], list(columns), n=1)
        raise ConfigError(
            f"data.dictionary describes a column that is not in the data: {unknown[0]}.",
            where=f"data.dictionary.{unknown[0]}",
            fix=f"Did you mean {near[0]}?" if near else "Use one of: " + ", ".join(columns),
        )
    known = set(columns)
    described = [name for source in (entries, *fallbacks) for name in source if name in known]
    return pd.DataFrame(
        [
            {"term": name, **_fields(name, (entries, *fallbacks)), "in_formula": name in used}
            for name in dict.fromkeys([*used, *described, *columns])
        ],
        columns=["term", *FIELDS, "in_formula"],
    )


def _fields(name: str, sources: Sequence[Mapping[str, Entry]]) -> dict[str, str]:
    """Each field from the first source that has it."""
    found = [source[name] for source in sources if name in source]
    given = {field: [getattr(entry, field) for entry in found] for field in FIELDS}
    return {field: next((text for text in texts if text is not None), "") for field, texts in given.items()}


def dictionary_with_statistics(
    section: DataSection, frame: pd.DataFrame, used: Sequence[str], holidays: HolidayFeatures | None = None
) -> pd.DataFrame:
    """`market_dictionary` with the columns of `column_statistics.column_statistics` beside the words.

    Args:
        section: the config's `data`.
        frame: the data, generated columns included.
        used, holidays: as for `market_dictionary`.

    Raises:
        ConfigError, DataError: as `market_dictionary`.
    """
    words = market_dictionary(section, [str(name) for name in frame.columns], used, holidays)
    return words.merge(column_statistics(frame), on="term", how="left", validate="1:1")


def market_dictionary(
    section: DataSection, columns: Sequence[str], used: Sequence[str], holidays: HolidayFeatures | None = None
) -> pd.DataFrame:
    """The dictionary of a market: inline entries, then the CSV of `data.dictionary_path`, then generated holidays.

    Args:
        section: the config's `data`.
        columns: the data's columns, generated ones included.
        used: the columns that the formula uses.
        holidays: the generated features, if any.

    Raises:
        ConfigError: an inline entry describes a column that is not in the data.
        DataError: the CSV cannot be read, see `load_dictionary`.
    """
    file = {} if section.dictionary_path is None else load_dictionary(Path(section.dictionary_path))
    generated = {} if holidays is None else holiday_entries(holidays)
    return data_dictionary(columns, used, section.dictionary, fallbacks=(file, generated))


def load_dictionary(path: Path) -> dict[str, Described]:
    """The entries of a dictionary CSV by term: a column `term`, and any of `FIELDS`, whose empty cells say nothing.

    Raises:
        DataError: unreadable file, no column `term`, an unknown column, an empty term, or a term that occurs twice.
    """
    frame = read_table(read_once(path), "csv", as_text=True)
    _require_dictionary_columns([str(name) for name in frame.columns], path)
    frame = frame.apply(lambda column: column.str.strip())
    faults = {"an empty term": frame["term"] == "", "a term that occurs twice": frame["term"].duplicated()}
    for fault, rows in faults.items():
        if rows.any():
            row = int(rows.to_numpy().argmax())
            raise DataError(
                f"The data dictionary has {fault}.",
                where=f"{path}, row {row + 2}",
                got=frame["term"].iloc[row] or None,
                wanted="one row per term",
                fix="Correct or remove the row.",
            )
    fields = [name for name in frame.columns if name != "term"]
    return {
        row["term"]: Described(**{field: row[field] or None for field in fields}) for row in frame.to_dict("records")
    }


def _require_dictionary_columns(names: Sequence[str], path: Path) -> None:
    allowed = ("term", *FIELDS)
    unknown = [name for name in names if name not in allowed]
    if "term" in names and not unknown:
        return
    near = get_close_matches(unknown[0], allowed, n=1) if unknown else []
    raise DataError(
        f"The data dictionary has an unknown column: {unknown[0]}." if unknown else "The data dictionary has no terms.",
        where=str(path),
        got="columns " + ", ".join(names),
        wanted="a column term, and any of " + ", ".join(FIELDS),
        fix=f"Did you mean {near[0]}?" if near else "Rename or remove columns.",
    )


def holiday_entries(holidays: HolidayFeatures) -> dict[str, Described]:
    """What generated holiday features are."""
    rows = holidays.manifest[holidays.manifest["generated"].astype(bool)]
    return {row["feature"]: _holiday_entry(row) for row in rows.to_dict("records")}


def _holiday_entry(row: Mapping[Any, Any]) -> Described:
    any_day = row["aggregation_rule"] == "any"
    return Described(
        unit="0 or 1" if any_day else "event days per week",
        cadence=f"weekly, weeks begin on {row['week_start'].title()}",
        source=f'holiday calendar, label "{row["label"]}"',
        transform=f"window {row['window_before']} days before to {row['window_after']} after, {row['overlap_policy']}",
    )

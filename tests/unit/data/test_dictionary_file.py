"""The data dictionary from the config, a CSV file and generated columns, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsam_assets.config.schema_data import DataSection, HolidaySection
from dsam_assets.data.calendar import Calendar
from dsam_assets.data.dictionary import dictionary_with_statistics, load_dictionary, market_dictionary
from dsam_assets.data.holidays import build_holiday_features
from dsam_assets.errors import ConfigError, DataError
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate


def write(folder: Path, content: str) -> Path:
    path = folder / "dictionary.csv"
    path.write_text(content)
    return path


def rows(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return table.set_index("term").to_dict("index")


def section(folder: Path, inline: dict[str, Any], content: str) -> DataSection:
    keys = {"path": "data.csv", "dictionary": inline, "dictionary_path": str(write(folder, content))}
    return DataSection.model_validate(keys)


def test_inline_entries_win_field_by_field(tmp_path: Path) -> None:
    data = section(
        tmp_path, {"y": {"unit": "EUR", "rationale": ""}},
        "term,unit,source,rationale\ny,GBP,erp,the KPI\nx,NA,,\nelsewhere,a,b,c\n",
    )  # fmt: skip
    found = market_dictionary(data, ["y", "x", "z"], ["y", "z"])
    assert found["term"].tolist() == ["y", "z", "x"]
    nothing = {"unit": "", "cadence": "", "source": "", "transform": "", "rationale": ""}
    assert rows(found) == {
        "y": {**nothing, "unit": "EUR", "source": "erp", "in_formula": True},
        "z": {**nothing, "in_formula": True},
        "x": {**nothing, "unit": "NA", "in_formula": False},
    }


def test_every_column_is_there_with_what_it_holds(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "note": ["a", None, "a", "b"],
            "week": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-15"]),
            "y": [1.0, 2.0, np.nan, 6.0],
            "on": [True, False, True, True],
            "empty": [np.nan] * 4,
        }
    )
    table = dictionary_with_statistics(section(tmp_path, {}, "term,unit\nweek,day\n"), frame, ["y"])
    validate(TABLES["data_dictionary"], table)
    assert table["term"].tolist() == ["y", "week", "note", "on", "empty"]
    assert table["in_formula"].tolist() == [True, False, False, False, False]
    assert table["kind"].tolist() == ["number", "date", "text", "flag", "number"]
    assert table["missing"].tolist() == [1, 0, 1, 0, 4]
    assert table["unique"].tolist() == [3, 3, 2, 2, 0]
    assert table.loc[0, ["mean", "sd", "min", "max"]].tolist() == pytest.approx([3.0, np.sqrt(7.0), 1.0, 6.0])
    assert table.loc[1:, ["mean", "sd", "min", "max"]].isna().all().all()
    one = dictionary_with_statistics(section(tmp_path, {}, "term,unit\nweek,day\n"), frame.iloc[:1], ["y"])
    assert (one.loc[0, "mean"], one.loc[0, "min"]) == (1.0, 1.0)
    assert np.isnan(one.loc[0, "sd"])


def test_an_inline_entry_must_be_in_the_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not in the data: yy"):
        market_dictionary(section(tmp_path, {"yy": {}}, "term\ny\n"), ["y"], ["y"])


@pytest.mark.parametrize(
    ("content", "message", "shown"),
    [
        ("term,units\ny,GBP\n", "unknown column: units", "Did you mean unit?"),
        ("name,unit\ny,GBP\n", "unknown column: name", "a column term"),
        ("unit\nGBP\n", "has no terms", "a column term"),
        ("term,unit\ny,GBP\n y ,EUR\n", "a term that occurs twice", "row 3"),
        ("term,unit\ny,GBP\n,EUR\n", "an empty term", "row 3"),
        ("term,unit\n", "no rows", "dictionary.csv"),
    ],
)
def test_bad_dictionary_files(tmp_path: Path, content: str, message: str, shown: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_dictionary(write(tmp_path, content))
    assert shown in str(caught.value)


def test_generated_columns_describe_themselves_unless_someone_else_does(tmp_path: Path) -> None:
    frame = pd.DataFrame({"week": pd.to_datetime(["2024-01-01"]), "y": [1]})
    events = pd.DataFrame({"date": pd.to_datetime(["2024-01-03", "2024-01-04"]), "label": ["A", "B"]})
    holidays = build_holiday_features(
        Calendar(events, Path("c.csv"), ""), frame, "week", HolidaySection(window_before=1, aggregation_rule="any")
    )
    data = section(tmp_path, {}, "term,unit,source\nholiday_b,days,\n")
    found = rows(market_dictionary(data, ["week", "y", *holidays.names], ["y", *holidays.names], holidays))
    assert found["holiday_a"]["unit"] == "0 or 1"
    assert found["holiday_a"]["source"] == 'holiday calendar, label "A"'
    assert found["holiday_a"]["transform"] == "window 1 days before to 0 after, count_all"
    assert found["holiday_b"]["unit"] == "days"
    assert found["holiday_b"]["source"] == 'holiday calendar, label "B"'
    assert found["holiday_b"]["cadence"] == "weekly, weeks begin on Monday"

"""One table in every format is one frame; long data become wide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from r_files import R, data_frame, rds_bytes, text

from dsam_assets.config.schema_data import DataSection
from dsam_assets.data.load import load_csv, load_dataset
from dsam_assets.errors import ConfigError, DataError

LONG = {"format": "long", "date_var": "week", "long_id_col": "geo", "long_variable_col": "var", "long_value_col": "val"}


def section(path: Path, **keys: Any) -> DataSection:
    return DataSection.model_validate({"path": str(path), **keys})


def write_csv(folder: Path, content: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def write_parquet(folder: Path, frame: pd.DataFrame, name: str = "data.parquet", **options: Any) -> Path:
    path = folder / name
    frame.to_parquet(path, **options)
    return path


def test_the_same_market_in_three_formats(tmp_path: Path) -> None:
    csv = write_csv(tmp_path, "date,y,g\n2024-01-01,1.5,a\n2024-01-08,2.5,b\n")
    frame = pd.DataFrame({"date": pd.to_datetime(["2024-01-01", "2024-01-08"]), "y": [1.5, 2.5], "g": ["a", "b"]})
    parquet = write_parquet(tmp_path, frame)
    rds = tmp_path / "data.rds"
    days = R("real", (19723.0, 19730.0), {"class": text("Date")})
    rds.write_bytes(rds_bytes(data_frame({"date": days, "y": R("real", (1.5, 2.5)), "g": text("a", "b")})))
    loaded = [load_dataset(section(path, date_var="date")) for path in (csv, parquet, rds)]
    for dataset in loaded:
        pd.testing.assert_frame_equal(dataset.frame, frame)
        assert dataset.date_var == "date"
    assert len({dataset.sha256 for dataset in loaded}) == 3


def test_the_format_key_wins_over_the_extension(tmp_path: Path) -> None:
    path = write_parquet(tmp_path, pd.DataFrame({"y": [1]}), "data.bin")
    assert load_dataset(section(path, format="parquet")).frame["y"].tolist() == [1]
    with pytest.raises(DataError, match="cannot be read as parquet"):
        load_dataset(section(write_csv(tmp_path, "y\n1\n"), format="parquet"))
    with pytest.raises(DataError, match="cannot be read as RDS"):
        load_dataset(section(write_csv(tmp_path, "y\n1\n"), format="rds"))


def test_parquet_types_and_indexes(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": [1.0, 2.0], "g": pd.Categorical(["b", "a"], ["b", "a"])}, index=[7, 9])
    unnamed = load_dataset(section(write_parquet(tmp_path, frame))).frame
    assert list(unnamed.columns) == ["y", "g"]
    assert list(unnamed["g"].cat.categories) == ["b", "a"]
    assert list(unnamed.index) == [0, 1]
    named = load_dataset(section(write_parquet(tmp_path, frame.rename_axis("week")))).frame
    assert named["week"].tolist() == [7, 9]


def test_parquet_day_columns_are_dates_whatever_the_text_format_is(tmp_path: Path) -> None:
    import datetime

    frame = pd.DataFrame({"d": [datetime.date(2024, 1, 1), datetime.date(2024, 1, 8)], "y": [1, 2]})
    dataset = load_dataset(section(write_parquet(tmp_path, frame), date_var="d", date_format="%d/%m/%Y"))
    assert dataset.frame["d"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-08")]


def test_parquet_without_rows_or_with_repeated_names(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pytest.raises(DataError, match="no rows"):
        load_dataset(section(write_parquet(tmp_path, pd.DataFrame({"y": []}))))
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="more than once"):
        load_dataset(section(tmp_path / "twice.parquet"))


@pytest.mark.parametrize(
    ("written", "date_format", "day"),
    [
        ("2024-01-01T00:00:00+01:00", None, "2024-01-01"),
        ("2024-01-01 00:00:00-0500", None, "2024-01-01"),
        ("2024-01-01T00:00:00Z", None, "2024-01-01"),
        ("20240101", None, "2024-01-01"),
        ("01.02.2024", "%d.%m.%Y", "2024-02-01"),
        ("2024-02-01", "%F", "2024-02-01"),
    ],
)
def test_a_date_is_the_one_that_is_written(tmp_path: Path, written: str, date_format: str | None, day: str) -> None:
    path = write_csv(tmp_path, f"d,y\n{written},1\n")
    assert load_csv(path, date_var="d", date_format=date_format).frame["d"].tolist() == [pd.Timestamp(day)]


def test_offsets_may_differ_between_rows(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "d,y\n2024-03-25T00:00:00+01:00,1\n2024-04-01T00:00:00+02:00,1\n")
    assert load_csv(path, date_var="d").frame["d"].tolist() == [pd.Timestamp("2024-03-25"), pd.Timestamp("2024-04-01")]


def test_a_format_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="date format is not valid"):
        load_csv(write_csv(tmp_path, "d,y\n2024-01-01,1\n"), date_var="d", date_format="%Q")


LONG_CSV = """\
geo,week,var,val,source
north,2024-01-08,tv,3,erp
north,2024-01-01,tv,1,erp
north,2024-01-01,kpi,10,erp
south,2024-01-01,kpi,20,erp
south,2024-01-01,note,sunny,log
"""


def test_long_data_become_wide(tmp_path: Path) -> None:
    dataset = load_dataset(section(write_csv(tmp_path, LONG_CSV), **LONG))
    expected = pd.DataFrame(
        {
            "geo": ["north", "north", "south"],
            "week": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-01"]),
            "tv": [1.0, 3.0, np.nan],
            "kpi": [10.0, np.nan, 20.0],
            "note": [np.nan, np.nan, "sunny"],
        }
    )
    pd.testing.assert_frame_equal(dataset.frame, expected)


@pytest.mark.parametrize("kind", ["parquet", "rds"])
def test_long_data_in_other_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"data.{kind}"
    if kind == "parquet":
        pd.DataFrame({"geo": ["n"], "week": [pd.Timestamp("2024-01-01")], "var": ["tv"], "val": [2.0]}).to_parquet(path)
    else:
        level = {"levels": text("tv", "unused"), "class": text("factor")}
        day = R("real", (19723.0,), {"class": text("Date")})
        columns = {"geo": text("n"), "week": day, "var": R("int", (1,), level), "val": R("real", (2.0,))}
        path.write_bytes(rds_bytes(data_frame(columns)))
    frame = load_dataset(section(path, **LONG)).frame
    assert frame.to_dict("list") == {"geo": ["n"], "week": [pd.Timestamp("2024-01-01")], "tv": [2.0]}


@pytest.mark.parametrize(
    ("edit", "message", "shown"),
    [
        (("south,2024-01-01,note", "south,2024-01-01,kpi"), "1 rows repeat", "geo south, week 2024-01-01, var kpi"),
        (("south,2024-01-01,note", ",2024-01-01,note"), "key column geo has missing", "row 5"),
        (("south,2024-01-01,note", "south,2024-01-01,"), "key column var has missing", "row 5"),
        (("south,2024-01-01,note", "south,2024-01-01,week"), "name of a key column", "week"),
        (("geo,week,var,val,", "geo,week,var,value,"), "data.long_value_col names a column that is not", "value"),
    ],
)
def test_bad_long_data(tmp_path: Path, edit: tuple[str, str], message: str, shown: str) -> None:
    assert LONG_CSV.count(edit[0]) == 1
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(section(write_csv(tmp_path, LONG_CSV.replace(*edit)), **LONG))
    assert shown in str(caught.value)


@pytest.mark.parametrize("keys", [{"long_id_col": "a"}, {"format": "long", "date_var": "week", "long_id_col": "geo"}])
def test_keys_of_long_data_without_long_data(tmp_path: Path, keys: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"[Ll]ong data"):
        load_dataset(section(write_csv(tmp_path, LONG_CSV), **keys))

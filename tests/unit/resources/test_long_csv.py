"""The fast CSV writer against pandas' own: read back, both give the same frame."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from resources.codecs import LONG_TABLE, csv_bytes
from resources.long_csv import long_csv

ROWS = 400


def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "row": np.arange(ROWS),
            "day": pd.Timestamp("2020-01-06") + pd.to_timedelta(7 * np.arange(ROWS), unit="D"),
            "minute": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(ROWS), unit="min"),
            "value": rng.normal(size=ROWS) * 10.0 ** rng.integers(-300, 300, size=ROWS),
            "flag": rng.random(ROWS) > 0.5,
            "text": "plain",
            'a "name", with': "x",
        }
    )
    frame.loc[1:4, "value"] = [np.nan, np.inf, -0.0, 1e5]
    frame.loc[5:7, "text"] = ['said "yes", left', "two\nlines", None]
    frame.loc[8, "minute"] = pd.NaT
    return frame


def read(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), float_precision="round_trip", parse_dates=["day", "minute"])


def test_values_are_those_of_the_slow_writer() -> None:
    frame = table()
    fast = long_csv(frame)
    assert fast is not None
    pd.testing.assert_frame_equal(read(fast), read(frame.to_csv(index=False).encode()), check_exact=True)
    np.testing.assert_array_equal(read(fast)["value"], frame["value"])
    assert list(read(fast).columns) == list(frame.columns)


def test_dates_show_a_time_only_where_they_have_one() -> None:
    lines = (long_csv(table()[["day", "minute"]]) or b"").decode().splitlines()
    assert lines[:3] == ["day,minute", "2020-01-06,2020-01-01 00:00:00", "2020-01-13,2020-01-01 00:01:00"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a", 1]),
        pd.Series([1, "a"]),
        pd.to_datetime(pd.Series(["2020-01-01 00:00:00.5", "2020-01-01 00:00:01.0"])),
        pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"], utc=True)),
    ],
    ids=["text and number", "number and text", "half a second", "time zone"],
)
def test_what_would_be_written_differently_is_left_to_the_slow_writer(column: pd.Series) -> None:
    assert long_csv(pd.DataFrame({"a": column})) is None


def test_long_tables_are_guarded_too() -> None:
    rows = LONG_TABLE + 1
    text = csv_bytes(pd.DataFrame({"term": ["=cmd"] + ["safe"] * (rows - 1), "value": np.ones(rows)})).decode()
    assert text.startswith("term,value\n")
    assert text.splitlines()[1].strip('"').startswith("'=cmd")
    assert text.count("\n") == rows + 1

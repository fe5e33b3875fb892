"""CSV loading: what is read, and how bad files are refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dsam_assets.data.load import load_csv
from dsam_assets.errors import DataError


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_values_dates_and_missing_tokens(tmp_path: Path) -> None:
    path = write(tmp_path, "date,y,note\n2024-01-01,1.5,na\n2024-01-08,NA,\n")
    dataset = load_csv(path, date_var="date")
    assert list(dataset.frame["date"]) == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-08")]
    assert dataset.frame["y"].isna().tolist() == [False, True]
    assert dataset.frame["note"].iloc[0] == "na"
    assert len(dataset.sha256) == 64


def test_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    assert list(load_csv(write(tmp_path, "\ufeffa,b\n1,2\n")).frame.columns) == ["a", "b"]


def test_date_format_is_used(tmp_path: Path) -> None:
    path = write(tmp_path, "date,y\n05/02/2024,1\n")
    assert load_csv(path, date_var="date", date_format="%d/%m/%Y").frame["date"].iloc[0] == pd.Timestamp("2024-02-05")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,a\n1,2\n", "more than once"),
        ("", "empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2,3\n4,5,6\n", "more fields than the header"),
        (b"a,b\n\xff\xfe,2\n", "not UTF-8"),
    ],
)
def test_broken_files(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_csv(write(tmp_path, text))


def test_bad_dates_are_shown_with_their_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "date,y\n2024-01-01,1\nsoon,2\n")
    with pytest.raises(DataError) as caught:
        load_csv(path, date_var="date")
    assert "row 3: soon" in str(caught.value)


def test_missing_date_column_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not in the file") as caught:
        load_csv(write(tmp_path, "DATE,y\n2024-01-01,1\n"), date_var="DATES")
    assert "Did you mean DATE?" in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_csv(tmp_path / "absent.csv")
    with pytest.raises(DataError):
        load_csv(tmp_path)

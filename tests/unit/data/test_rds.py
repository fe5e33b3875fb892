"""RDS files: written by hand after R's format, and written by R itself (the reader package's own test files)."""

from __future__ import annotations

import bz2
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from r_files import NA_INT, NA_REAL, R, data_frame, rds_bytes, text

from dsam_assets.data.files import read_once
from dsam_assets.data.rds import read_rds
from dsam_assets.errors import DataError


def read(folder: Path, root: R | bytes) -> pd.DataFrame:
    path = folder / "data.rds"
    path.write_bytes(root if isinstance(root, bytes) else rds_bytes(root))
    return read_rds(read_once(path))


def test_numbers_text_and_missing_values(tmp_path: Path) -> None:
    frame = read(
        tmp_path,
        data_frame(
            {
                "y": R("real", (1.5, NA_REAL, -2.0)),
                "n": R("int", (1, 2, 3)),
                "gaps": R("int", (1, NA_INT, 3)),
                "flag": R("lgl", (1, 0, 1)),
                "maybe": R("lgl", (1, NA_INT, 0)),
                "note": text("a", None, "Größe"),
            }
        ),
    )
    assert list(frame.columns) == ["y", "n", "gaps", "flag", "maybe", "note"]
    np.testing.assert_array_equal(frame["y"], [1.5, np.nan, -2.0])
    assert frame["n"].dtype == np.int64
    np.testing.assert_array_equal(frame["gaps"], [1.0, np.nan, 3.0])
    assert frame["flag"].dtype == bool
    assert frame["flag"].tolist() == [True, False, True]
    assert frame["maybe"].tolist()[::2] == [True, False]
    assert frame["maybe"].isna().tolist() == [False, True, False]
    assert frame["note"].tolist()[::2] == ["a", "Größe"]
    assert frame["note"].isna().tolist() == [False, True, False]


def test_factor_levels_keep_their_order(tmp_path: Path) -> None:
    codes = {"levels": text("south", "north"), "class": text("factor")}
    frame = read(tmp_path, data_frame({"g": R("int", (2, NA_INT, 1, 2), codes)}))
    assert list(frame["g"].cat.categories) == ["south", "north"]
    assert frame["g"].astype(object).where(frame["g"].notna(), None).tolist() == ["north", None, "south", "north"]


def test_dates_are_days_since_1970(tmp_path: Path) -> None:
    day = {"class": text("Date")}
    columns = {"whole": R("int", (19723, NA_INT), day), "real": R("real", (19723.75, -1.0), day)}
    frame = read(tmp_path, data_frame(columns))
    assert frame["whole"].tolist()[0] == pd.Timestamp("2024-01-01")
    assert frame["whole"].isna().tolist() == [False, True]
    assert frame["real"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("1969-12-31")]


def test_times_keep_their_zone(tmp_path: Path) -> None:
    berlin = {"class": text("POSIXct", "POSIXt"), "tzone": text("Europe/Berlin")}
    nowhere = {"class": text("POSIXct", "POSIXt"), "tzone": text("")}
    midnight = 19723 * 86400.0 - 3600  # 2024-01-01 00:00 in Berlin
    frame = read(
        tmp_path, data_frame({"t": R("real", (midnight, NA_REAL), berlin), "u": R("real", (midnight, 0.5), nowhere)})
    )
    assert frame["t"].dt.tz_localize(None).tolist()[0] == pd.Timestamp("2024-01-01")
    assert frame["t"].isna().tolist() == [False, True]
    assert frame["u"].tolist() == [
        pd.Timestamp("2023-12-31 23:00", tz="UTC"), pd.Timestamp("1970-01-01 00:00:00.5", tz="UTC"),
    ]  # fmt: skip


def test_tibbles_and_the_luggage_of_packages(tmp_path: Path) -> None:
    luggage = R("list", (text("x"),), {"class": text("col_spec"), "names": text("cols")})
    classes = ("spec_tbl_df", "tbl_df", "tbl", "data.frame")
    frame = read(tmp_path, data_frame({"y": R("real", (1.0,))}, *classes, spec=luggage))
    assert frame.to_dict("list") == {"y": [1.0]}


@pytest.mark.parametrize("pack", [bytes, bz2.compress, lzma.compress])
def test_compressions(tmp_path: Path, pack) -> None:
    content = rds_bytes(data_frame({"y": R("real", (4.0,))}), compressed=False)
    assert read(tmp_path, pack(content))["y"].tolist() == [4.0]


@pytest.mark.parametrize(
    ("column", "got"),
    [
        (R("real", (0.0,), {"class": text("integer64")}), "integer64"),
        (R("list", (text("a"),)), "type VEC"),
        (R("real", (1.0, 2.0), {"dim": R("int", (1, 2))}), "type REAL"),
    ],
)
def test_columns_whose_meaning_is_not_known_are_named(tmp_path: Path, column: R, got: str) -> None:
    with pytest.raises(DataError, match="The column odd is of an R type") as caught:
        read(tmp_path, data_frame({"odd": column}))
    assert got in str(caught.value)


def test_other_objects_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not hold a data frame"):
        read(tmp_path, R("real", (1.0,)))
    whole = rds_bytes(data_frame({"y": R("real", (1.0,))}))
    bare = rds_bytes(R("real", (1.0,)), compressed=False)
    # `whole[:-4]` has all the data, but its checksum is cut off
    for broken in (b"no R file", whole[:-20], whole[:-4], whole[:4] + b"\xff" * 40, bare[:20]):
        with pytest.raises(DataError, match="cannot be read as RDS"):
            read(tmp_path, broken)


def from_r(name: str) -> pd.DataFrame:
    import rdata

    path = Path(str(rdata.TESTDATA_PATH)) / "generated" / name
    if not path.exists():
        pytest.skip(f"the reader package comes without its test file {name}")
    return read_rds(read_once(path))


@pytest.mark.parametrize("variant", ["xdr__version_3", "xdr__version_2", "ascii__version_2", "binary__version_3"])
def test_files_that_r_wrote(variant: str) -> None:
    frame = from_r(f"test_dataframe__{variant}.rds")
    assert frame["class"].astype(str).tolist() == ["a", "b", "b"]
    assert frame["value"].tolist() == [1, 2, 3]


def test_na_and_nan_of_r_are_missing() -> None:
    values = from_r("test_dataframe_float_with_na_nan__xdr__version_3.rds")["float"]
    np.testing.assert_array_equal(values, [1.1, 2.2, 3.3, np.nan, np.nan, np.inf, -np.inf])

"""The pooling map: one map from every format, its indicator by hand, and every refusal with file and row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pooled_markets import M_TWO, ONE, TWO
from r_files import R, data_frame, rds_bytes, text

from dsam_assets.config.schema_data import PoolingSection
from dsam_assets.data.pooling_map import PoolingMap, load_pooling_map, pooling_map
from dsam_assets.errors import ConfigError, DataError

HEADER = "variable,channel,owner\n"
CSV = HEADER + "m_search,search,us\nm_tv_a,tv,us\nm_tv_b,tv,them\nm_social,social,them\n"


def section(path: Path, *grouping_vars: str, **keys: Any) -> PoolingSection:
    raw = {"enabled": True, "map_path": str(path), "grouping_vars": grouping_vars or ("channel", "owner"), **keys}
    return PoolingSection.model_validate(raw)


def write(folder: Path, content: str, name: str = "map.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def test_the_same_map_in_three_formats(tmp_path: Path) -> None:
    csv = write(tmp_path, CSV)
    table = pd.read_csv(csv)
    parquet, rds = tmp_path / "map.parquet", tmp_path / "map.rds"
    table.astype({"channel": "category"}).to_parquet(parquet)
    owner = R("int", (1, 1, 2, 2), {"levels": text("us", "them"), "class": text("factor")})
    columns = {"variable": text(*table["variable"]), "channel": text(*table["channel"]), "owner": owner}
    rds.write_bytes(rds_bytes(data_frame(columns)))
    assert [load_pooling_map(section(path)) for path in (csv, parquet, rds)] == [TWO, TWO, TWO]
    assert load_pooling_map(section(csv, "channel")) == ONE


def test_the_format_key_wins_over_the_extension(tmp_path: Path) -> None:
    path = write(tmp_path, CSV, "map.rds")
    assert load_pooling_map(section(path, map_format="csv")) == TWO
    with pytest.raises(DataError, match="cannot be read as RDS"):
        load_pooling_map(section(path))


def test_cells_of_a_csv_are_text_and_are_stripped(tmp_path: Path) -> None:
    path = write(tmp_path, "variable,tier,note\n a ,01,\nb,1, x\nc, 1.0,NA\n")
    assert load_pooling_map(section(path, "tier")).labels == (("01",), ("1",), ("1.0",))
    assert load_pooling_map(section(path, "tier")).variables == ("a", "b", "c")


def test_numbers_and_truth_values_become_text() -> None:
    table = pd.DataFrame({"variable": ["a", "b"], "tier": [1, 2**62], "size": [3.0, 0.5], "own": [True, False]})
    labels = pooling_map(table, ("tier", "size", "own"), where="t").labels
    assert labels == (("1", "3", "TRUE"), ("4611686018427387904", "0.5", "FALSE"))


def test_labels_and_their_variables_by_hand() -> None:
    assert TWO.label_names == ("channel[search]", "channel[tv]", "channel[social]", "owner[us]", "owner[them]")
    np.testing.assert_array_equal(TWO.indicator, M_TWO)
    assert TWO.labels_of("m_tv_b") == ("channel[tv]", "owner[them]")
    assert TWO.variables_of("channel[tv]") == ("m_tv_a", "m_tv_b")
    assert TWO.variables_of("owner[us]") == ("m_search", "m_tv_a")


def test_the_same_label_in_two_dimensions_is_two_labels() -> None:
    both = PoolingMap(("a", "b"), ("x", "y"), (("same", "same"), ("other", "same")))
    assert both.label_names == ("x[same]", "x[other]", "y[same]")
    np.testing.assert_array_equal(both.indicator, [[1, 0, 1], [0, 1, 1]])


def test_a_map_without_some_variables() -> None:
    rest = TWO.without(["m_search", "m_tv_a"])
    assert rest == PoolingMap(("m_tv_b", "m_social"), ("channel", "owner"), (("tv", "them"), ("social", "them")))
    assert rest.label_names == ("channel[tv]", "channel[social]", "owner[them]")


def test_a_map_is_stored_as_a_table(tmp_path: Path) -> None:
    table = TWO.to_table()
    assert list(table.columns) == ["variable", "channel", "owner"]
    assert table.loc[2].tolist() == ["m_tv_b", "tv", "them"]
    table.to_parquet(tmp_path / "stored.parquet")
    assert PoolingMap.from_table(pd.read_parquet(tmp_path / "stored.parquet")) == TWO


@pytest.mark.parametrize(
    ("content", "message", "shown"),
    [
        ("variables,channel,owner\na,b,c\n", "no column variable", "Did you mean variables?"),
        ("variable,chanel,owner\na,b,c\n", "no column channel", "Did you mean chanel?"),
        (HEADER + "a,b,c\nd,e,f\na,x,y\n", "a variable twice", "map.csv, row 4"),
        (HEADER + "a,b,c\n a,e,f\n", "a variable twice", "map.csv, row 3"),
        (HEADER + "a,b,c\n,e,f\n", "empty cell", "map.csv, row 3, column variable"),
        (HEADER + "a,b,c\nd,e,NA\n", "empty cell", "map.csv, row 3, column owner"),
        (HEADER + "a, ,c\n", "empty cell", "map.csv, row 2, column channel"),
        (HEADER, "no rows", "map.csv"),
        ("variable,channel,owner,owner\na,b,c,d\n", "more than once", "owner"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, message: str, shown: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_pooling_map(section(write(tmp_path, content)))
    assert shown in str(caught.value)


def test_a_missing_value_of_a_typed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.parquet"
    pd.DataFrame({"variable": ["a", "b"], "channel": [1.0, np.nan]}).to_parquet(path)
    with pytest.raises(DataError, match="empty cell") as caught:
        load_pooling_map(section(path, "channel"))
    assert "map.parquet, row 2, column channel" in str(caught.value)


def test_dates_are_no_labels() -> None:
    table = pd.DataFrame({"variable": ["a"], "week": pd.to_datetime(["2024-01-01"])})
    with pytest.raises(DataError, match="not text") as caught:
        pooling_map(table, ("week",), where="the map")
    assert "the map, row 1, column week" in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message", "shown"),
    [
        ((), "needs a grouping variable", "pooling.grouping_vars"),
        (("channel", "channel"), "names a column twice", "channel"),
        (("variable",), "cannot be used", "variable"),
        (("waves",), "cannot be used", "waves"),
        (("a[b",), "cannot be used", "a[b"),
    ],
)
def test_unusable_grouping_variables(names: tuple[str, ...], message: str, shown: str) -> None:
    table = pd.DataFrame({"variable": ["a"], "channel": ["b"], "waves": ["c"], "a[b": ["d"]})
    with pytest.raises(ConfigError, match=message) as caught:
        pooling_map(table, names, where="the map")
    assert shown in str(caught.value)


def test_a_pooled_model_needs_a_map() -> None:
    with pytest.raises(ConfigError, match="needs a pooling map"):
        load_pooling_map(PoolingSection.model_validate({"enabled": True, "grouping_vars": ["channel"]}))

"""Published tables against their schemas."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsam_assets.errors import DataError
from dsam_assets.report.session import PACKAGES, session_info
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import Column, Table, validate

KINDS = {
    "text": ["a", "b"],
    "number": [0.25, 0.75],
    "integer": [1, 2],
    "flag": [True, False],
    "date": pd.to_datetime(["2024-01-01", "2024-01-08"]),
}


def column_values(column: Column) -> object:
    if column.one_of is not None:
        return [column.one_of[0], column.one_of[-1]]
    values = pd.Series(KINDS[column.kind])
    return values.astype(column.dtype) if column.kind in ("integer", "flag") else values


def good(table: Table) -> pd.DataFrame:
    return pd.DataFrame({column.name: column_values(column) for column in table.columns})


@pytest.mark.parametrize("name", TABLES)
def test_a_good_frame_passes(name: str) -> None:
    frame = good(TABLES[name])
    assert validate(TABLES[name], frame) is frame


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if not table.open])
def test_a_strange_column_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="surprise"):
        validate(TABLES[name], good(TABLES[name]).assign(surprise=1.0))


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.columns])
def test_a_missing_column_is_named(name: str) -> None:
    required = next(column.name for column in TABLES[name].columns if column.required)
    with pytest.raises(DataError, match=required):
        validate(TABLES[name], good(TABLES[name]).drop(columns=required))


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_described_with_their_unit(name: str) -> None:
    for column in TABLES[name].columns:
        assert column.description, column.name
        assert column.unit, column.name
    assert TABLES[name].row


SMALL = Table(
    "small",
    "one thing",
    (
        Column("term", "text", "name", "a name"),
        Column("share", "number", "share", "a share", at_least=0, at_most=1),
        Column("level", "text", "text", "a level", one_of=("ok", "high")),
        Column("rows", "integer", "count", "rows", at_least=0),
        Column("maybe", "number", "share", "may be missing", nullable=True),
        Column("date", "date", "date", "a date", required=False),
    ),
    unique=("term",),
)


def small(**changes: object) -> pd.DataFrame:
    columns = {"term": ["a", "b"], "share": [0.1, 0.2], "level": ["ok", "high"], "rows": [1, 2], "maybe": [1.0, np.nan]}
    return pd.DataFrame({**columns, **changes})


def test_every_rule_is_applied() -> None:
    validate(SMALL, small())
    broken = {
        "share": [-0.1, 0.2],
        "level": ["ok", "low"],
        "rows": [1.5, 2.0],
        "term": ["a", "a"],
        "date": ["2024-01-01", "soon"],
    }
    for column, values in broken.items():
        with pytest.raises(DataError, match=column):
            validate(SMALL, small(**{column: values}))
    with pytest.raises(DataError, match=r"share row 1: .*, found 1\.5"):
        validate(SMALL, small(share=[0.1, 1.5]))
    with pytest.raises(DataError, match="share row 0: not_nullable"):
        validate(SMALL, small(share=[np.nan, 0.5]))


def test_one_message_lists_several_violations() -> None:
    with pytest.raises(DataError) as caught:
        validate(SMALL, small(share=[-0.1, 1.5], level=["ok", "low"]))
    text = str(caught.value)
    assert "The table small breaks its schema in 3 places." in text
    for part in ("share row 0", "found -0.1", "share row 1", "found 1.5", "level row 1", "found low"):
        assert part in text
    assert caught.value.where == "small"


def test_long_lists_of_violations_are_cut_and_counted() -> None:
    frame = pd.concat([small(share=[2.0, 3.0], term=[f"a{i}", f"b{i}"]) for i in range(4)], ignore_index=True)
    with pytest.raises(DataError, match="in 8 places") as caught:
        validate(SMALL, frame)
    assert "and 3 more" in str(caught.value)


def session(**facts: Any) -> dict[str, str]:
    given = {"model": {}, "data": {}, "stan_home": {}, "fingerprints": {}, **facts}
    text = session_info(schema_version=1, **given)
    assert text.endswith("\n")
    return dict(line.split(": ", 1) for line in text.splitlines())


def test_session_info_names_model_data_stan_python_and_packages() -> None:
    lines = session(
        model={"market": "uk"}, data={"sha256": "abc", "rows": 9}, stan_home={"version": "2.39.0"},
        fingerprints={"source_sha256": "def"},
    )  # fmt: skip
    assert (lines["schema_version"], lines["market"], lines["stan_version"]) == ("1", "uk", "2.39.0")
    assert (lines["data_sha256"], lines["data_rows"], lines["source_sha256"]) == ("abc", "9", "def")
    assert lines["numpy"] == np.__version__
    assert lines["pandas"] == pd.__version__
    assert {"python", "platform", "arviz", "cmdstanpy", "dagster"} <= set(lines)


def test_session_info_names_every_package_that_the_project_needs() -> None:
    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[\[<>=;]", line)[0].strip() for line in project["dependencies"]}
    helpers = {"filelock", "fsspec", "h5py", "jinja2", "psutil", "tqdm", "universal-pathlib"}  # they change no number
    assert needed - helpers <= set(PACKAGES)


def test_a_package_that_is_not_there_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsam_assets.report.session.PACKAGES", ("no-such-package",))
    assert session()["no-such-package"] == "not installed"


def test_no_column_is_there_twice() -> None:
    names = {name: [column.name for column in table.columns] for name, table in TABLES.items()}
    assert {name: columns for name, columns in names.items() if len(set(columns)) != len(columns)} == {}

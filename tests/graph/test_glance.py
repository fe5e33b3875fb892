"""What the catalogue shows of an asset without opening it."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pandas as pd

from dsam_assets.assets.glance import column_types, glance, glance_metadata
from dsam_assets.assets.notices import JUDGING


def test_the_first_rows_of_the_main_table() -> None:
    table = "term,estimate,note\n" + "".join(f"m_{row},{row / 3!r},a\n" for row in range(8))
    found = glance("coefficients", {"other.csv": b"a\n1\n", "coefficients.csv": table.encode()}, {})
    assert found["rows"] == 8
    lines = found["table"].splitlines()
    assert lines[:4] == [
        "| term | estimate | note |",
        "| --- | --- | --- |",
        "| m\\_0 | 0 | a |",
        "| m\\_1 | 0.333333 | a |",
    ]
    assert lines[-1] == "coefficients.csv: 2 more rows"
    assert len(lines) == 2 + 6 + 2


def test_of_several_tables_the_first_one_without_a_number_of_rows() -> None:
    wide = ",".join(f"c{number}" for number in range(10)) + "\n" + ",".join("x" * 10) + "\n"
    found = glance("plan", {"plan.json": b"{}", "first.csv": wide.encode(), "second.csv": b"a\n1\n"}, {})
    assert set(found) == {"table"}
    assert found["table"].endswith("first.csv: 2 more columns")


def test_text_stays_text() -> None:
    rows = '"<script>alert(1)</script>","a|b [x](y)"\n'
    cells = glance("t", {"t.csv": f"p,q\n{rows}".encode()}, {})["table"].splitlines()[2]
    assert cells == "| \\<script\\>alert(1)\\</script\\> | a\\|b \\[x\\](y) |"
    long = glance("t", {"t.csv": f"p\n{'w' * 90}\n".encode()}, {})["table"].splitlines()[2]
    assert long == f"| {'w' * 39}… |"


def test_nothing_to_show() -> None:
    assert glance("report", {"report.html": b"<p>"}, {}) == {}
    assert glance("empty", {"empty.csv": b"a,b\n"}, {}) == {"rows": 0}
    assert glance_metadata({}) == {}


def test_columns_of_data_are_shown_with_their_types() -> None:
    frame = pd.DataFrame({"date": pd.to_datetime(["2024-01-01"]), "kpi": [1.5], "label": ["a"]})
    kept = glance("model_frame", {}, column_types(frame))
    schema = glance_metadata(kept)["dagster/column_schema"]
    assert {column.name: column.type for column in schema.columns} == {
        "date": "datetime64[ns]", "kpi": "float64", "label": "object",
    }  # fmt: skip


def test_a_run_shows_them_and_a_reused_asset_shows_them_again(first_run: Any, project: Any) -> None:
    def shown(run: Any, asset: str) -> Any:
        (made,) = run.result.asset_materializations_for_node(asset)
        return made.metadata

    for run in (first_run, project.run(selection=["model_frame", "design_matrix", "prior_table", "pre_run_checks"])):
        frame = shown(run, "model_frame")["dagster/column_schema"].schema
        assert [column.name for column in frame.columns] == list(pd.read_csv(project.data).columns)
        terms = shown(run, "design_matrix")["dagster/column_schema"].schema
        assert [column.name for column in terms.columns] == ["(Intercept)", "trend", "m_tv", "m_search"]
        assert shown(run, "prior_table")["dagster/row_count"].value == shown(run, "prior_table")["parameters"].value
        assert shown(run, "pre_run_checks")["first_rows"].value.startswith("| gate | check\\_id |")
    assert set(JUDGING) <= {key.to_user_string() for key in _materialised(first_run)}


def _materialised(run: Any) -> set[dg.AssetKey]:
    return {event.asset_key for event in run.result.get_asset_materialization_events()}

"""Which rows two data sets share, and which of their cells were revised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drift_fits import CONFIG, frame_of, panel, snapshot

from dsam_assets.drift.rows import Revisions, match_rows, revisions
from dsam_assets.drift.snapshot import FitSnapshot
from dsam_assets.errors import FormulaError

USED = ("date", "kpi", "m_tv", "m_search")


def revised(old: FitSnapshot, new: FitSnapshot, shown: int = 50) -> Revisions:
    return revisions(old, new, match_rows(old, new), USED, shown)


def test_rows_are_matched_by_date_wherever_they_stand() -> None:
    frame = frame_of(10)
    later = frame.iloc[[3, 2, 5, 9, 8]].reset_index(drop=True)
    match = match_rows(snapshot(frame.iloc[:8]), snapshot(later))
    assert match.by == ("date",)
    assert match.now.tolist() == [0, 1, 2]
    assert match.previous.tolist() == [3, 2, 5]
    assert match.added.tolist() == [3, 4]
    assert match.removed.tolist() == [0, 1, 4, 6, 7]


def test_panel_rows_are_matched_by_date_and_unit() -> None:
    old, new = panel(("de", "uk"), rows=4), panel(("at", "de", "uk"), rows=5)
    match = match_rows(old, new)
    assert match.by == ("date", "market")
    assert match.now.tolist() == [5, 6, 7, 8, 10, 11, 12, 13]
    assert match.previous.tolist() == list(range(8))
    assert match.added.tolist() == [0, 1, 2, 3, 4, 9, 14]


def test_rows_of_one_date_are_matched_in_their_order() -> None:
    twice = pd.concat([frame_of(3), frame_of(3)], ignore_index=True)
    match = match_rows(snapshot(frame_of(3)), snapshot(twice))
    assert match.now.tolist() == [0, 1, 2]
    assert match.added.tolist() == [3, 4, 5]


def test_without_dates_a_row_is_its_position() -> None:
    undated = {**CONFIG, "data": {"date_var": None}}
    match = match_rows(snapshot(frame_of(3), config=undated), snapshot(frame_of(4), config=undated))
    assert match.by == ("position",)
    assert (match.now.tolist(), match.added.tolist()) == ([0, 1, 2], [3])


def test_revised_cells_are_counted_by_column_and_listed_with_old_and_new_values() -> None:
    old, frame = snapshot(frame_of(20)), frame_of(22)
    frame.loc[4, "kpi"] += 3.0
    frame.loc[7, "kpi"] -= 0.5
    frame.loc[5, "note"] = "b"
    frame.loc[6, "m_tv"] = np.nan
    old.frame.loc[:, ["kpi", "m_tv", "m_search"]] = frame_of(22)[["kpi", "m_tv", "m_search"]].iloc[:20]
    found = revised(old, snapshot(frame, old.draws))
    counts = found.columns.set_index("column")["cells_revised"]
    assert counts.to_dict() == {"kpi": 2, "m_tv": 1, "note": 1, "date": 0, "m_search": 0}
    assert list(found.columns["column"][:3]) == ["kpi", "m_tv", "note"]
    assert found.columns.set_index("column")["used"].to_dict() == {
        "kpi": True, "m_tv": True, "note": False, "date": True, "m_search": True,
    }  # fmt: skip
    sd = float(old.frame["kpi"].std())
    largest = found.cells[found.cells["column"] == "kpi"]
    assert largest["row"].tolist() == [4, 7]
    np.testing.assert_allclose(largest["change"], [3.0, -0.5])
    np.testing.assert_allclose(largest["change_in_sd"], [3.0 / sd, -0.5 / sd])
    assert largest["date"].iloc[0] == frame["date"].iloc[4]
    gone = found.cells[found.cells["column"] == "m_tv"].iloc[0]
    assert (gone["row"], gone["now"]) == (6, "")
    assert gone["previous"] != ""
    assert found.cells["column"].tolist()[:2] == ["note", "m_tv"] or found.cells["column"].tolist()[:2] == [
        "m_tv",
        "note",
    ]
    assert (found.count, found.revised) == (4, ["kpi", "m_tv", "note"])


def test_only_the_largest_changes_are_listed_and_all_are_counted() -> None:
    frame = frame_of(20)
    frame["kpi"] += np.arange(20)
    found = revised(snapshot(frame_of(20)), snapshot(frame), shown=3)
    assert found.count == 19
    assert found.cells["row"].tolist() == [19, 18, 17]


def test_a_last_digit_is_no_revision() -> None:
    frame = frame_of(20)
    frame["kpi"] *= 1 + 1e-12
    assert revised(snapshot(frame_of(20)), snapshot(frame)).count == 0
    frame["kpi"] *= 1 + 1e-6
    assert revised(snapshot(frame_of(20)), snapshot(frame)).count == 20


def test_whole_numbers_stay_themselves_when_a_file_makes_them_floats() -> None:
    old, new = frame_of(5).assign(stores=[1, 2, 3, 4, 5]), frame_of(5).assign(stores=[1.0, 2.0, 3.0, 4.0, 5.0])
    assert revised(snapshot(old), snapshot(new)).count == 0


def test_columns_that_come_or_go_are_named_and_not_counted_as_cells() -> None:
    found = revised(snapshot(frame_of(5)), snapshot(frame_of(5).drop(columns="note").assign(extra=1)))
    assert found.columns.set_index("column")["state"].to_dict() == {
        "date": "both", "m_tv": "both", "m_search": "both", "kpi": "both", "extra": "added", "note": "removed",
    }  # fmt: skip
    assert found.count == 0
    assert list(found.cells.columns) == ["row", "date", "column", "previous", "now", "change", "change_in_sd"]


def test_cells_of_a_panel_name_their_unit() -> None:
    old = panel(rows=4)
    frame = old.frame.copy()
    frame.loc[5, "kpi"] += 1
    found = revised(old, replace(old, frame=frame))
    assert found.cells[["row", "group", "column"]].to_numpy().tolist() == [[5, "uk", "kpi"]]


def test_columns_that_python_in_a_formula_reads_count_as_read() -> None:
    text = "kpi ~ m_tv + {m_search.rolling(4).mean()}"
    formula = {"formula": text, "security": {"allow_unsafe_formula": True}}
    fit = snapshot(config={**CONFIG, "formula": formula})
    assert fit.columns_read >= {"date", "kpi", "m_tv", "m_search"}
    refused = snapshot(config={**CONFIG, "formula": {**formula, "security": {"allow_unsafe_formula": False}}})
    with pytest.raises(FormulaError):
        _ = refused.columns_read

"""Rules of the specification's pages on CRE and on time components that no other test of the data stage holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from panels import panel

from dsam_assets.config.schema_data import HolidaySection
from dsam_assets.data.calendar import load_calendar
from dsam_assets.data.cre import cre_means
from dsam_assets.data.holidays import HolidayFeatures, build_holiday_features
from dsam_assets.errors import DataError

# --- CRE / Mundlak --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("markets", "warned"), [(2, True), (3, False), (4, False)])
def test_only_more_variables_than_groups_is_too_many(markets: int, warned: bool) -> None:
    frame = panel(markets=markets).assign(v=lambda rows: rows["x"] * rows["w"])
    kinds = [finding.kind for finding in cre_means(frame, ["x", "w", "v"], ["market"]).findings]
    assert kinds == ["cre_more_variables_than_groups"] * warned


def test_every_variable_without_variation_gets_a_warning_of_its_own() -> None:
    frame = panel(markets=3)
    level = frame["market"].str[1:].astype(float)
    found = cre_means(frame.assign(a=level, b=-2 * level), ["a", "x", "b"], ["market"]).findings
    assert [(finding.kind, finding.subject) for finding in found] == [
        ("cre_no_within_variation", "a"),
        ("cre_no_within_variation", "b"),
    ]


def test_both_warnings_can_come_together() -> None:
    frame = panel(markets=2).assign(a=lambda rows: rows["market"].str[1:].astype(float))
    found = cre_means(frame, ["x", "w", "a"], ["market"]).findings
    assert [finding.subject for finding in found] == ["market", "a"]


def test_within_and_between_effects_are_told_apart() -> None:
    """A KPI made with slope 2 within groups and 5 between them: least squares finds 2, and 5 − 2 on the mean.

    Without noise the fit is exact, in a panel with groups of unequal size.
    """
    made = cre_means(panel(keep=0.6), ["x"], ["market"]).frame
    kpi = 7 + 2 * (made["x"] - made["cre_mean_x"]) + 5 * made["cre_mean_x"]
    design = np.column_stack([np.ones(len(made)), made["x"], made["cre_mean_x"]])
    np.testing.assert_allclose(np.linalg.lstsq(design, kpi.to_numpy(), rcond=None)[0], [7, 2, 3], atol=1e-9)


# --- time components ------------------------------------------------------------------------------------------------

WEEKS = pd.date_range("2024-12-02", periods=6, freq="7D")  # Mondays, the last one 6 January 2025


def features(folder: Path, calendar: str, **keys: object) -> HolidayFeatures:
    path = folder / "calendar.csv"
    path.write_text(calendar)
    section = HolidaySection.model_validate({"calendar_path": str(path), **keys})
    return build_holiday_features(load_calendar(section), pd.DataFrame({"week": WEEKS}), "week", section)


def test_a_label_that_is_empty_becomes_a_feature_called_unnamed(tmp_path: Path) -> None:
    made = features(tmp_path, "date,holiday\n2024-12-03,\n2024-12-25,Christmas\n")
    assert made.names == ("holiday_christmas", "holiday_unnamed")
    assert made.frame_columns["holiday_unnamed"].tolist() == [1, 0, 0, 0, 0, 0]


def test_a_label_called_unnamed_is_another_than_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="same feature name holiday_unnamed"):
        features(tmp_path, "date,holiday\n2024-12-03,\n2024-12-25,Unnamed\n")


def test_a_week_of_shopping_before_christmas(tmp_path: Path) -> None:
    """The page's example: `window_before: 7` adds the seven days from the 18th; the 23rd is a Monday."""
    calendar = "date,holiday\n2024-12-25,Christmas\n"
    assert features(tmp_path, calendar, window_before=7).frame_columns["holiday_christmas"].tolist() == [
        0, 0, 5, 3, 0, 0
    ]  # fmt: skip
    binary = features(tmp_path, calendar, window_before=7, aggregation_rule="any")
    assert binary.frame_columns["holiday_christmas"].tolist() == [0, 0, 1, 1, 0, 0]


def test_a_holiday_of_two_days_in_one_week_counts_two(tmp_path: Path) -> None:
    calendar = "date,holiday\n2024-12-25,Christmas\n2024-12-26,Christmas\n"
    assert features(tmp_path, calendar).frame_columns["holiday_christmas"].tolist() == [0, 0, 0, 2, 0, 0]


def test_a_prefix_names_every_feature(tmp_path: Path) -> None:
    calendar = "date,holiday\n2024-12-25,Christmas\n2025-01-01,New Year's Day\n"
    assert features(tmp_path, calendar, prefix="ev_").names == ("ev_christmas", "ev_new_year_s_day")


def test_a_calendar_in_the_american_order_needs_its_format(tmp_path: Path) -> None:
    calendar = "date,holiday\n12/25/2024,Christmas\n"
    with pytest.raises(DataError, match="are not dates"):
        features(tmp_path, calendar)
    assert features(tmp_path, calendar, date_format="%m/%d/%Y").names == ("holiday_christmas",)

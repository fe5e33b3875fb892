"""Generated terms in the formula and in the design."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dsam_assets.config.schema import Config
from dsam_assets.config.schema_data import HolidaySection
from dsam_assets.config.slices import FormulaSlice, formula_slice
from dsam_assets.data.calendar import Calendar
from dsam_assets.data.holidays import HolidayFeatures, build_holiday_features
from dsam_assets.design.additions import formula_with, generated_terms, model_inputs
from dsam_assets.design.build import build_matrix
from dsam_assets.design.formula import parse_formula
from dsam_assets.design.matrix import build_model_matrix
from dsam_assets.errors import DsamError, FormulaError


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("y ~ x", ["holiday_a", "holiday_b"], "y ~ x + holiday_a + holiday_b"),
        ("y ~ x", [], "y ~ x"),
        ("y ~ x + holiday_a", ["holiday_a", "holiday_b"], "y ~ x + holiday_a + holiday_b"),
        ("y ~ holiday_a:x", ["holiday_a"], "y ~ holiday_a:x + holiday_a"),
        ("y ~ x", ["my day", "1st", "if"], "y ~ x + `my day` + `1st` + `if`"),
        ("y ~ `my day`", ["my day"], "y ~ `my day`"),
        ("log(y) ~ x - 1", ["h", "h"], "log(y) ~ x - 1 + h"),
        ("y ~ x + (1 | g)", ["h"], "y ~ x + (1 | g) + h"),
    ],
)
def test_terms_are_appended_once_and_quoted(text: str, names: list[str], expected: str) -> None:
    assert formula_with(text, names) == expected
    added = set(parse_formula(expected).labels) - set(parse_formula(text).labels)
    assert {label.strip("`") for label in added} <= set(names)


def test_a_bad_formula_is_refused_before_anything_is_added() -> None:
    with pytest.raises(FormulaError):
        formula_with("y ~ x +", ["h"])


FRAME = pd.DataFrame({"week": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-15"]), "y": [1.0, 3.0, 2.0]})
EVENTS = pd.DataFrame({"date": pd.to_datetime(["2024-01-09", "2024-01-10"]), "label": ["A", "A"]})


def section(formula: str, **cre: object) -> FormulaSlice:
    raw = {"data": {"path": "d.csv"}, "model": {"formula": formula}, **({"cre": cre} if cre else {})}
    return formula_slice(Config.model_validate(raw))


def holidays(**keys: object) -> HolidayFeatures:
    section = HolidaySection.model_validate(keys)
    return build_holiday_features(Calendar(EVENTS, Path("c.csv"), ""), FRAME, "week", section)


def test_generated_columns_reach_the_design() -> None:
    inputs = model_inputs(section("y ~ 1"), FRAME, holidays(prefix="on-"))
    matrix = build_model_matrix(inputs.formula, inputs.frame)
    assert matrix.terms == ("(Intercept)", "`on-a`")
    assert matrix.values[:, 1].tolist() == [0.0, 2.0, 0.0]
    assert generated_terms(holidays(prefix="on-")) == ("`on-a`",)
    assert set(generated_terms(holidays(prefix="on-"))) <= set(matrix.terms)


def test_columns_without_terms_can_be_used_by_hand() -> None:
    made = holidays(add_to_formula=False)
    assert model_inputs(section("y ~ 1"), FRAME, made).formula.labels == ()
    inputs = model_inputs(section("y ~ I(holiday_a^2)"), FRAME, made)
    assert build_model_matrix(inputs.formula, inputs.frame).values[:, 1].tolist() == [0.0, 4.0, 0.0]
    assert generated_terms(made) == ("holiday_a",)


def test_without_holidays_nothing_changes() -> None:
    inputs = model_inputs(section("y ~ 1"), FRAME)
    assert inputs.frame is FRAME
    assert inputs.formula.text == "y ~ 1"
    assert generated_terms(None) == ()


# --- group means ----------------------------------------------------------------------------------------------------

PANEL = pd.DataFrame(
    {
        "week": [1, 2, 3, 1, 2, 3],
        "market": list("aaabbb"),
        "y": [1.0, 2.0, 4.0, 3.0, 5.0, 6.0],
        "x": [1.0, 3.0, 100.0, 10.0, 20.0, 30.0],
        "z": [1.0, 2.0, np.nan, 3.0, 5.0, 9.0],
        "cre_mean_x": 7.0,
    }
)


def test_group_means_are_of_the_modelled_rows_and_never_stale() -> None:
    """The row without z is not modelled, so its x does not count; a column of that name is replaced."""
    inputs = model_inputs(section("y ~ x + z + (1 | market)", enabled=True, vars=["x"]), PANEL)
    assert inputs.frame["cre_mean_x"].tolist() == [2.0, 2.0, 2.0, 20.0, 20.0, 20.0]
    assert inputs.group_means == ("cre_mean_x",)
    assert inputs.formula.labels == ("x", "z", "cre_mean_x")
    matrix = build_matrix(inputs).matrix
    assert (matrix.model_class, matrix.terms) == ("cre", ("(Intercept)", "x", "z", "cre_mean_x"))
    assert matrix.values[:, 3].tolist() == [2.0, 2.0, 20.0, 20.0, 20.0]


def test_a_formula_may_name_the_means_itself() -> None:
    text = "y ~ x + m_x + (1 | market)"
    inputs = model_inputs(section(text, enabled=True, vars=["x"], prefix="m_"), PANEL)
    assert inputs.formula.labels == ("x", "m_x")


def test_lags_of_a_panel_stay_within_its_groups() -> None:
    inputs = model_inputs(section("y ~ lag(x) + (1 | market)", enabled=True, vars=["x"]), PANEL, date_var="week")
    assert inputs.frame["cre_mean_x"].tolist() == [51.5] * 3 + [25.0] * 3  # the first week of each has no lag
    matrix = build_matrix(inputs, date_var="week").matrix
    assert matrix.rows.tolist() == [1, 2, 4, 5]
    assert matrix.values[:, 1].tolist() == [1.0, 3.0, 10.0, 20.0]


@pytest.mark.parametrize(
    ("formula", "cre", "message"),
    [
        ("y ~ x + (1 | market)", {"vars": ["x"], "group": "brand"}, "not a grouping"),
        ("y ~ x + (1 + cre_mean_x | market)", {"vars": ["x"]}, "cannot vary"),
        ("y ~ x + (1 + log(cre_mean_x) | market)", {"vars": ["x"]}, "cannot vary"),
        ("y ~ x + (1 | market)", {"vars": ["week"]}, "Constant CRE mean"),
        ("y ~ x + (1 | market)", {"vars": ["nothing"]}, "not in the data: nothing"),
    ],
)
def test_group_means_that_do_not_fit(formula: str, cre: dict[str, object], message: str) -> None:
    with pytest.raises(DsamError, match=message):
        model_inputs(section(formula, enabled=True, **cre), PANEL)


def test_findings_reach_the_matrix() -> None:
    frame = PANEL.assign(week2=PANEL["week"] * (1 + (PANEL["market"] == "b")), z=[1, 2, 3, 3, 5, 9])
    inputs = model_inputs(section("y ~ x + (1 + z | market)", enabled=True, vars=["x", "z", "week2"]), frame)
    kinds = [finding.kind for finding in build_matrix(inputs).matrix.findings]
    assert kinds == ["cre_more_variables_than_groups", "varying_term_without_population"]

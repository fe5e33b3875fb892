"""Generated terms in the formula and in the design."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dsam_assets.config.schema_data import HolidaySection
from dsam_assets.data.calendar import Calendar
from dsam_assets.data.holidays import HolidayFeatures, build_holiday_features
from dsam_assets.design.additions import formula_with, generated_terms, model_inputs
from dsam_assets.design.formula import parse_formula
from dsam_assets.design.matrix import build_model_matrix
from dsam_assets.errors import FormulaError


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


def holidays(**keys: object) -> HolidayFeatures:
    section = HolidaySection.model_validate(keys)
    return build_holiday_features(Calendar(EVENTS, Path("c.csv"), ""), FRAME, "week", section)


def test_generated_columns_reach_the_design() -> None:
    inputs = model_inputs("y ~ 1", FRAME, holidays(prefix="on-"))
    matrix = build_model_matrix(inputs.formula, inputs.frame)
    assert matrix.terms == ("(Intercept)", "`on-a`")
    assert matrix.values[:, 1].tolist() == [0.0, 2.0, 0.0]
    assert generated_terms(holidays(prefix="on-")) == ("`on-a`",)
    assert set(generated_terms(holidays(prefix="on-"))) <= set(matrix.terms)


def test_columns_without_terms_can_be_used_by_hand() -> None:
    made = holidays(add_to_formula=False)
    assert model_inputs("y ~ 1", FRAME, made).formula.labels == ()
    inputs = model_inputs("y ~ I(holiday_a^2)", FRAME, made)
    assert build_model_matrix(inputs.formula, inputs.frame).values[:, 1].tolist() == [0.0, 4.0, 0.0]
    assert generated_terms(made) == ("holiday_a",)


def test_without_holidays_nothing_changes() -> None:
    inputs = model_inputs("y ~ 1", FRAME)
    assert inputs.frame is FRAME
    assert inputs.formula.text == "y ~ 1"
    assert generated_terms(None) == ()

"""The text of transform_assumptions.txt."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from dsam_assets.config.schema_data import HolidaySection
from dsam_assets.config.schema_outputs import SecuritySection
from dsam_assets.data.calendar import Calendar
from dsam_assets.data.holidays import build_holiday_features
from dsam_assets.design.additions import model_formula
from dsam_assets.design.assumptions import AssumptionFacts, transform_assumptions
from dsam_assets.design.formula import parse_formula


def sections(facts: AssumptionFacts) -> dict[str, list[str]]:
    """The lines below each heading."""
    blocks = [block.splitlines() for block in transform_assumptions(facts).strip().split("\n\n")]
    return {title: [line.strip() for line in lines] for title, *lines in blocks}


def test_a_plain_model() -> None:
    text = sections(AssumptionFacts(parse_formula("kpi ~ trend + m_tv"), scale=True, declared={"m_tv": "adstock 0.6"}))
    assert text["Formula"][0] == "kpi ~ trend + m_tv"
    assert text["Response scale"] == ["kpi as it is: the likelihood is normal in its own units; effects add."]
    assert text["Transforms in the formula"] == ["None."]
    assert text["Columns that enter as they are"][:2] == [
        "trend: no transform declared", "m_tv: adstock 0.6 (data dictionary)",
    ]  # fmt: skip
    assert text["Lags and leads"] == ["None: every row is explained by columns of the same row."]
    assert text["Internal scaling"][0].startswith("On: ")
    assert text["Holiday features"] == ["None are generated."]
    assert "dropped" in text["Missing values"][0]
    assert text["Transform sensitivity"] == ["No scenarios are run."]


def test_transforms_lags_groups_and_offsets_are_listed() -> None:
    formula = parse_formula(
        "log(kpi) ~ log(tv + 1) + lag(radio, 2):tv + I(x^2) + offset(log(pop)) + (1 + sqrt(tv) | geo)"
    )
    facts = AssumptionFacts(formula, scale=False, date_var="week", na_action="error", sensitivity=["slow"])
    text = sections(facts)
    assert text["Transforms in the formula"] == [
        "log(tv + 1): log of tv (population terms)",
        "I(x^2): arithmetic of x (population terms)",
        "lag(radio, 2): lag of radio (population terms)",
        "sqrt(tv): sqrt of tv (group terms)",
        "log(pop): log of pop (offset)",
    ]
    assert text["Columns that enter as they are"][0] == "tv: no transform declared"
    assert text["Lags and leads"][:2] == [
        "lag(radio, 2)", "Rows are shifted in the order of week within each geo, and are equally spaced.",
    ]  # fmt: skip
    assert "log scale of kpi" in text["Response scale"][0]
    assert text["Internal scaling"][0].startswith("Off: ")
    assert "an error" in text["Missing values"][0]
    assert text["Transform sensitivity"] == ["Scenarios besides the formula above: slow."]


def test_holidays_are_described_and_not_taken_for_columns_of_the_file() -> None:
    frame = pd.DataFrame({"week": pd.to_datetime(["2024-01-01", "2024-01-08"]), "y": [1, 2]})
    events = pd.DataFrame({"date": pd.to_datetime(["2024-01-09", "2030-01-01"]), "label": ["A", "B"]})
    rules = HolidaySection(window_before=2, overlap_policy="dedupe_label_date")
    holidays = build_holiday_features(Calendar(events, Path("c.csv"), ""), frame, "week", rules)
    section = SimpleNamespace(formula="y ~ x", cre=SimpleNamespace(enabled=False), security=SecuritySection())
    facts = AssumptionFacts(model_formula(section, holidays), scale=True, holidays=holidays)
    text = sections(facts)
    assert text["Formula"][0] == "y ~ x + holiday_a"
    assert text["Columns that enter as they are"][0] == "x: no transform declared"
    assert not [line for line in text["Columns that enter as they are"] if "holiday" in line]
    assert text["Holiday features"] == [
        "1 generated, as event days per week; weeks begin on Monday.",
        "An event counts from 2 days before to 0 days after its date.",
        "A day counts once per label, however often it is listed.",
        "They are terms of the formula.",
        "holiday_a: in the model's data",
        "holiday_b: left out, no event day in the weeks of the data",
    ]
    assert transform_assumptions(facts) == transform_assumptions(facts)

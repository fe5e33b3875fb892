"""What other budgets would do: the split of each, the words above it, and budgets that are not possible."""

from __future__ import annotations

import pandas as pd
import pytest

from dsam_assets.report.figures.canvas import Stamp
from dsam_assets.report.figures.other_budgets import budget_scenarios

STAMP = Stamp("uk", "final")


def scenarios(unit: str = "kpi") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "scenario": ["20% more", "plan", "<b>huge</b>"],
            "status": ["ok", "ok", "infeasible"],
            "budget": [120.0, 100.0, 900.0],
            "delta_kpi_mean": [0.25, -0.05, float("nan")],
            "response_unit": unit,
        }
    )


SPEND = pd.DataFrame(
    {
        "scenario": ["20% more", "20% more", "plan", "plan"],
        "channel": ["TV", "Search", "TV", "Search"],
        "spend_currency": [80.0, 40.0, 70.0, 30.0],
        "share": [2 / 3, 1 / 3, 0.7, 0.3],
    }
)


def test_budgets_stand_in_order_with_their_split_and_their_change() -> None:
    figure = budget_scenarios(scenarios(), SPEND, STAMP)
    tv, search, above = figure.data
    assert dict(zip(tv.x, tv.y, strict=True)) == {"20% more": 80.0, "plan": 70.0}
    assert dict(zip(search.x, search.y, strict=True)) == {"20% more": 40.0, "plan": 30.0}
    assert list(above.x) == ["plan", "20% more", "&lt;b&gt;huge&lt;/b&gt;"]
    assert list(above.y) == [100.0, 120.0, 0.0]
    assert list(above.text) == ["-0.05", "+0.25", "not possible"]
    assert figure.layout.yaxis.range[1] > 120.0
    assert figure.layout.barmode == "stack"


@pytest.mark.parametrize(("unit", "words"), [("kpi", "KPI units"), ("relative", "relative change")])
def test_the_unit_is_said_and_shares_are_percentages(unit: str, words: str) -> None:
    figure = budget_scenarios(scenarios(unit), SPEND, STAMP)
    assert words in figure.layout.title.subtitle.text.replace("<br>", " ")
    assert (figure.data[-1].text[0] == "-5.0%") == (unit == "relative")

"""The first numbers of a report are those of its tables, and none stands there that a gate withholds."""

from __future__ import annotations

from typing import Any

import pytest
from report_case import evidence

from dsam_assets.report.documents import MARKDOWN, PAGE, report_documents
from dsam_assets.report.headlines import headlines
from dsam_assets.report.interpretation import interpretation


def facts(**case: Any) -> dict[str, Any]:
    return interpretation(evidence(**case))


def by_label(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {head.label: (head.value, head.note) for head in headlines(found)}


def test_the_numbers_come_with_interval_and_unit() -> None:
    found = by_label(facts())
    judged = len(evidence().report.results)
    assert found["Checks that apply"] == (f"{judged} of {judged} pass", "the results may be used")
    assert found["KPI from media"] == ("20.0%", "10.0% to 30.0%")
    assert found["Budget plan against reference"] == (
        "+12", "KPI units per period; -1 to +25; better in 87% of the draws",
    )  # fmt: skip


def test_what_is_skipped_is_no_check_that_applies() -> None:
    case = facts(worst="warn")
    case["verdict"]["counts"] = {"pass": 5, "warn": 1, "skipped": 3, "not_computed": 1}
    assert by_label(case)["Checks that apply"] == ("5 of 7 pass", "use with the reservations below")


def test_the_best_channel_is_one_that_the_data_speak_of() -> None:
    case = facts()
    assert not [label for label in by_label(case) if "ROI" in label]  # the other one leans on its prior
    tv, search, _ = case["channels"]["rows"]
    search.update(weak=None, **{"return": 9.0, "return_lower": 8.0, "return_upper": 10.0})
    assert by_label(case)["Highest ROI: Search"] == ("9", "8 to 10; KPI per EUR")
    case["channels"]["metric"] = "cpa"
    assert by_label(case)["Lowest CPA: TV"] == (f"{tv['return']:.3g}", "1 to 4; KPI per EUR")


def test_the_weeks_ahead_of_all_units_or_of_the_only_one() -> None:
    case = facts()
    row = {"path": "base", "periods": 26, "total": 1000.0, "lower": 900.0, "upper": 1100.0}
    case["forecast"] = {"rows": [{**row, "group": "uk"}]}
    assert by_label(case)["KPI of the next 26 periods"] == ("1,000", "900 to 1,100")
    case["forecast"] = {"rows": [{**row, "group": "uk"}, {**row, "group": "de"}]}
    assert "KPI of the next 26 periods" not in by_label(case)
    case["forecast"]["rows"].append({**row, "group": "all", "total": 2000.0})
    assert by_label(case)["KPI of the next 26 periods"][0] == "2,000"


def test_a_relative_plan_is_a_percentage() -> None:
    case = facts()
    case["plan"].update(response_unit="relative", delta_kpi_mean=0.021, delta_kpi_lower=-0.01, delta_kpi_upper=0.05)
    assert by_label(case)["Budget plan against reference"][:1] == ("+2.1%",)
    assert "-1.0% to +5.0%" in by_label(case)["Budget plan against reference"][1]


def test_a_point_estimate_has_no_interval() -> None:
    case = facts()
    for row in case["drivers"]["rows"]:
        row.update(share_lower=None, share_upper=None)
    assert by_label(case)["KPI from media"] == ("20.0%", "")


@pytest.mark.parametrize("name", [PAGE, MARKDOWN])
def test_what_a_gate_withholds_is_no_headline(name: str) -> None:
    blocked = report_documents(evidence("fail", "strict", decisions=False), {})[name]
    assert "nothing may be decided on this fit" in blocked
    assert "Budget plan against reference" not in blocked
    assert "Budget plan against reference" in report_documents(evidence(), {})[name]

"""The report says what the tables hold, withholds what a gate blocks, and cannot be broken by a name."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go
import pytest
from report_case import evidence, tables

from dsam_assets.report.documents import FACTS, MARKDOWN, PAGE, report_documents
from dsam_assets.report.figures.canvas import Stamp, Words, canvas
from dsam_assets.report.interpretation import CAVEATS, INTERVAL_CAVEAT, asked_sections, interpretation, number
from dsam_assets.report.sections import sections


def by_key(**case: Any) -> dict[str, Any]:
    return {section.key: section for section in sections(interpretation(evidence(**case)))}


def test_facts_are_the_tables_numbers_with_their_sources() -> None:
    facts = interpretation(evidence())
    assert facts["verdict"]["reliability"] == "final"
    assert facts["model"]["rows"] == 104
    assert (facts["model"]["first_date"], facts["model"]["last_date"]) == ("2023-01-02", "2024-12-23")
    assert facts["fit"]["metrics"]["coverage_95"] == {"value": 0.96, "lower": None, "upper": None}
    assert [row["kind"] for row in facts["drivers"]["rows"]] == ["baseline", "seasonality", "media"]
    tv, search, total = facts["channels"]["rows"]
    assert (tv["weak"], search["weak"], total["weak"]) == (None, "prior-dominated", None)
    assert facts["plan"]["warnings"] == ["Few draws favour the plan."]
    assert facts["forecast"] is None
    assert facts["withheld"] == []
    assert all(facts[name]["source"] for name in ("model", "verdict", "fit", "drivers", "channels", "plan"))


def test_the_words_hold_the_numbers() -> None:
    parts = by_key()
    assert "Every check that applies passes" in parts["verdict"].paragraphs[0]
    assert "R² is 0.900" in parts["fit"].paragraphs[0]
    assert "Media account for 20.0% (10.0% to 30.0%)" in parts["drivers"].paragraphs[0]
    seasonality = next(row for row in parts["drivers"].table.rows if row[0] == "seasonality")
    assert seasonality[1] == "0"  # crumbs of rounding are no result
    assert any("Search" in text and "priors" in text for text in parts["channels"].paragraphs)
    assert parts["plan"].table.rows[1] == ("Search", "10k", "20k", "+100%", "at a bound, beyond the data")
    assert "+12 KPI units per period (-1 to +25)" in parts["plan"].paragraphs[0]
    assert parts["caveats"].paragraphs == (*CAVEATS, INTERVAL_CAVEAT)


def test_a_failed_check_comes_with_its_advice() -> None:
    verdict = by_key(worst="fail")["verdict"]
    assert verdict.table.rows == (("fail", "sampler_rhat_max", "The chains <disagree>.", "Do something."),)
    assert "Some checks do not pass" in verdict.paragraphs[0]


def test_what_a_gate_blocks_is_withheld_with_the_reason() -> None:
    facts = interpretation(evidence("fail", "strict", decisions=False))
    assert {row["section"] for row in facts["withheld"]} == {"drivers", "channels", "plan"}
    parts = by_key(worst="fail", gating="strict", decisions=False)
    for key in ("drivers", "channels", "plan"):
        assert "sampler_rhat_max" in parts[key].withheld
        assert parts[key].table is None
    documents = report_documents(evidence("fail", "strict", decisions=False), {})
    assert documents[PAGE].count("Withheld.") == documents[MARKDOWN].count("Withheld.") == 3


def test_a_section_that_was_not_asked_for_is_absent() -> None:
    case = evidence()
    without = {name: frame for name, frame in case.tables.items() if not name.startswith("budget_")}
    facts = interpretation(type(case)(case.market, case.model_name, case.report, without))
    assert facts["plan"] is None
    assert facts["withheld"] == []
    assert "plan" not in {section.key for section in sections(facts)}


class Tags(HTMLParser):
    """Counts elements and remembers addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.addresses: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for name, value in attrs:
            if name in ("href", "src"):
                self.addresses.append(str(value))
            if name == "id":
                self.anchors.add(str(value))


def page(figures: dict[str, str] | None = None) -> tuple[str, Tags]:
    text = report_documents(evidence("warn"), figures or {})[PAGE]
    tags = Tags()
    tags.feed(text)
    return text, tags


def test_the_page_needs_nothing_from_elsewhere_and_its_links_lead_somewhere() -> None:
    _, tags = page()
    assert tags.tags["script"] == 3
    assert "link" not in tags.tags
    assert tags.addresses
    assert all(address.startswith("#") for address in tags.addresses)
    assert {address[1:] for address in tags.addresses} <= tags.anchors


def test_names_from_the_data_are_text() -> None:
    figure = canvas(Words("</script><b>", "a & b", "", ""), Stamp("uk", "final")).to_json()
    text, tags = page({"fit_timeseries": figure})
    assert tags.tags["script"] == 3
    assert "b" not in tags.tags
    assert "&lt;b&gt;x&lt;/b&gt;" in text  # the formula
    assert "The chains &lt;disagree&gt;." in text


def test_figures_are_drawn_where_their_section_names_them() -> None:
    figure = canvas(Words("A title", "its subtitle", "", ""), Stamp("uk", "final"))
    text, tags = page({"fit_timeseries": figure.to_json(), "not_in_the_report": go.Figure().to_json()})
    assert "plot-fit_timeseries" in tags.anchors
    assert "plot-not_in_the_report" not in tags.anchors
    data = re.search(r'id="figures">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    drawn = json.loads(data.group(1))
    assert set(drawn) == {"fit_timeseries"}
    layout = drawn["fit_timeseries"]["layout"]
    assert "title" not in layout
    assert "width" not in layout
    assert layout["height"] < figure.layout.height
    assert "<strong>A title</strong><span>its subtitle</span>" in text


def test_markdown_escapes_names() -> None:
    assert "\\<b\\>x\\</b\\>" in report_documents(evidence(), {})[MARKDOWN]


def test_the_documents_are_the_same_every_time() -> None:
    first, second = report_documents(evidence(), {}), report_documents(evidence(), {})
    assert first == second
    assert json.loads(first[FACTS])["market"] == "uk"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "text"])
def test_what_is_no_number_is_null(value: Any) -> None:
    assert number(value) is None


def test_a_point_estimate_has_no_intervals() -> None:
    case = tables()
    case["decomp_group_impact"][["q05", "q95", "share_q05", "share_q95"]] = float("nan")
    facts = interpretation(type(evidence())("uk", "demo", evidence().report, case))
    text = next(section for section in sections(facts) if section.key == "drivers")
    assert text.paragraphs[0].endswith("Media account for 20.0%.")
    assert text.table is not None
    assert text.table.columns == ("Driver", "Contribution", "Share")
    assert text.table.numeric == ("Contribution", "Share")
    assert {len(row) for row in text.table.rows} == {3}


def test_all_checks_are_listed_with_their_values() -> None:
    checks = by_key(worst="warn")["checks"]
    assert checks.folded
    assert len(checks.table.rows) == len(evidence("warn").report.results)
    assert ("warn", "sampler_rhat_max", "1", "rule", "The chains <disagree>.") in checks.table.rows
    assert "<details>" in page()[0]


@pytest.mark.parametrize(
    ("plan", "forecast", "more"),
    [(False, False, ()), (True, False, ("plan",)), (False, True, ("forecast",)), (True, True, ("plan", "forecast"))],
)
def test_what_a_gate_can_withhold_is_what_the_config_asks_for(
    plan: bool, forecast: bool, more: tuple[str, ...]
) -> None:
    assert asked_sections(plan=plan, forecast=forecast) == ("drift", "drivers", "channels", *more)

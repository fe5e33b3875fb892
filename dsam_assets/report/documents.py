"""The written results of a run: facts for machines, and the same facts for people."""

from __future__ import annotations

import json
from collections.abc import Mapping

from dsam_assets.report.headlines import headlines
from dsam_assets.report.interpretation import Evidence, interpretation
from dsam_assets.report.markdown import business_report
from dsam_assets.report.report_page import report_page
from dsam_assets.report.sections import lead, sections

PAGE, MARKDOWN, FACTS = "report.html", "business_report.md", "interpretation.json"


def report_documents(evidence: Evidence, figures: Mapping[str, str]) -> dict[str, str]:
    """File name → content of `report.html`, `business_report.md` and `interpretation.json`.

    Args:
        evidence: the verdict and the published tables.
        figures: name → figure as plotly's JSON.
    """
    facts = interpretation(evidence)
    parts, heads = sections(facts), headlines(facts)
    title = f"{evidence.market}: marketing mix report"
    reliability = evidence.report.reliability
    footer = (
        f"Model {evidence.model_name}. Every number is in the files of the run folder; run_manifest.json lists them."
    )
    return {
        PAGE: report_page(title, lead(facts), reliability, heads, parts, figures, footer),
        MARKDOWN: business_report(title, heads, parts),
        FACTS: json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
    }

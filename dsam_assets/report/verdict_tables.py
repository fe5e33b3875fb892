"""The schemas of checks: evidence as it was judged, the verdict with what waivers did to it, and the waivers."""

from __future__ import annotations

from dsam_assets.diagnostics.waivers import STATES
from dsam_assets.report.columns import STATUS, number, text
from dsam_assets.tables import Column, Table

CHECK_COLUMNS = (
    text("gate", "g1…g7, or p0/p1/p2"),
    text("check_id", "check, by the specification's name"),
    Column("phase", "text", "text", "P0 before the fit, P1 after, P2 beside the fit before", one_of=("P0", "P1", "P2")),
    Column("severity", "text", "text", "priority", one_of=("critical", "important")),
    text("metric", "name of the number"),
    number("value", "metric", "the number; missing when not computed", nullable=True),
    text("threshold", "the rule"),
    Column("status", "text", "text", "the judgement", one_of=STATUS),
    text("subject", "what the number is about"),
    text("message", "one sentence"),
    text("advice", "what to do about it"),
)
WAIVER_COLUMNS = (
    Column("original_status", "text", "text", "the judgement before waivers", one_of=STATUS),
    text("waived_by", "who answers for the failure; empty where nothing is waived"),
    text("waived_until", "last day (UTC) on which the waiver holds, ISO date"),
    text("waiver_reason", "why it was waived"),
)

VERDICT_TABLES = (
    Table("pre_run_checks", "one check before the fit", CHECK_COLUMNS),
    Table("prior_predictive_checks", "one check of the response under the prior", CHECK_COLUMNS),
    Table("fit_checks", "one check of the sampler, the optimiser or the predictions", CHECK_COLUMNS),
    Table("postfit_checks", "one check after the fit", CHECK_COLUMNS),
    Table("diagnostics_report", "one check", (*CHECK_COLUMNS, *WAIVER_COLUMNS), unique=("check_id",)),
    Table(
        "waivers",
        "one waiver of the config",
        (
            text("check", "check whose failure is waived"),
            text("subject", "only for this subject; empty for any"),
            text("who", "who answers for it"),
            text("why", "the reason"),
            text("expires", "last day (UTC) on which it holds, ISO date"),
            Column("state", "text", "text", "what became of it on the day of the verdict", one_of=STATES),
            text("note", "what it did, or why it did nothing"),
        ),
    ),
)

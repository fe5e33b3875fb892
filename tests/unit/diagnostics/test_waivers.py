"""Failures that somebody answers for: what a waiver changes, what it can not change, and when it ends."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import pytest

from dsam_assets.diagnostics.report import (
    DiagnosticsReport,
    build_report,
    convergence_json,
    enforce,
    pareto_k_json,
    report_from_frame,
    summary_text,
)
from dsam_assets.diagnostics.thresholds import CONVERGENCE_CHECKS
from dsam_assets.diagnostics.waivers import (
    apply_waivers,
    require_in_force,
    waiver_frame,
    waivers_from_frame,
)
from dsam_assets.errors import GateError
from dsam_assets.report.tables import TABLES
from dsam_assets.tables import validate
from dsam_assets.verdict import CHECKS, GateResult, Gating, PolicyMode, Status

LAST_DAY = dt.date(2026, 3, 31)
DAY = dt.timedelta(days=1)
RHAT, LJUNG, PARETO = "sampler_rhat_max", "resid_ljung_box_p", "loo_pareto_k"


@dataclass(frozen=True)
class Waiver:
    """A row of `diagnostics.waivers`."""

    check: str
    subject: str | None = None
    who: str = "A. Lead"
    why: str = "launch week."
    expires: dt.date = LAST_DAY


def checks(**status: Status) -> tuple[GateResult, ...]:
    """Rows of the convergence checks and of two others; they pass unless stated otherwise."""
    rows = []
    for check_id in (*CONVERGENCE_CHECKS, LJUNG, PARETO):
        judged, check = status.get(check_id, "pass"), CHECKS[check_id]
        value = None if judged == "not_computed" else 1.0
        rows.append(
            GateResult(
                check.gate, check_id, check.phase, check.severity, check.metric, value, "the rule", judged,
                f"subject of {check_id}", f"Message of {check_id}.", "Advice.",
            )
        )  # fmt: skip
    return tuple(rows)


def report(
    rows: tuple[GateResult, ...], *waivers: Waiver, mode: PolicyMode = "publish", gating: Gating = "warn",
    publish_gate: bool = False, today: dt.date = LAST_DAY,
) -> DiagnosticsReport:  # fmt: skip
    judged, records = apply_waivers(rows, waivers, mode, gating, today)
    return build_report(judged, mode, gating, publish_gate, records)


def halts(verdict: DiagnosticsReport) -> bool:
    try:
        enforce(verdict)
    except GateError:
        return True
    return False


def states(verdict: DiagnosticsReport) -> list[tuple[str, str]]:
    return [(record.check, record.state) for record in verdict.waivers]


# --- what it changes


def test_a_waived_failure_is_a_warning_that_keeps_its_number_and_its_judgement() -> None:
    row = report(checks(resid_ljung_box_p="fail"), Waiver(LJUNG)).find(LJUNG)
    assert row is not None
    assert (row.status, row.judged_status, row.value, row.threshold) == ("warn", "fail", 1.0, "the rule")
    assert row.message == f"Message of {LJUNG}. Waived by A. Lead until 2026-03-31: launch week."
    assert row.advice == "Advice."


@pytest.mark.parametrize("status", ["fail", "not_computed"])
@pytest.mark.parametrize(("gating", "publish_gate"), [("strict", False), ("off", True), ("strict", True)])
def test_it_lifts_the_halt_and_nothing_else(status: Status, gating: Gating, publish_gate: bool) -> None:
    rows = checks(sampler_rhat_max=status)
    without = report(rows, gating=gating, publish_gate=publish_gate)
    assert (without.overall, without.reliability, halts(without)) == ("fail", "blocked", True)
    waived = report(rows, Waiver(RHAT), gating=gating, publish_gate=publish_gate)
    assert (waived.overall, waived.reliability, halts(waived)) == ("warn", "provisional", False)
    assert waived.converged is False
    assert waived.reasons[0] == (
        f"{RHAT} ({status.replace('_', ' ')}, waived): Message of {RHAT}. "
        "Waived by A. Lead until 2026-03-31: launch week."
    )


def test_one_waiver_does_not_cover_another_failure() -> None:
    rows = checks(sampler_rhat_max="fail", sampler_divergences="fail")
    verdict = report(rows, Waiver(RHAT), gating="strict")
    assert (verdict.overall, halts(verdict)) == ("fail", True)
    with pytest.raises(GateError) as caught:
        enforce(verdict)
    assert "sampler_divergences (fail)" in str(caught.value.got)
    assert RHAT not in str(caught.value.got)
    assert not halts(report(rows, Waiver(RHAT), Waiver("sampler_divergences"), gating="strict"))


def test_an_absent_check_cannot_be_waived() -> None:
    verdict = report(checks()[1:], Waiver(RHAT), gating="strict")
    assert (verdict.converged, halts(verdict), states(verdict)) == (False, True, [(RHAT, "unused")])
    assert "no such check" in verdict.waivers[0].note


def test_an_optimiser_that_did_not_converge_can_be_waived() -> None:
    check_id = "optimiser_converged"
    skipped = tuple(replace(row, status="skipped", value=None) for row in checks())
    rows = (*skipped, replace(checks()[0], check_id=check_id, status="fail"))
    assert halts(report(rows, gating="strict"))
    verdict = report(rows, Waiver(check_id), gating="strict")
    assert (halts(verdict), verdict.reliability, verdict.converged) == (False, "provisional", None)


# --- what it does not touch


@pytest.mark.parametrize("status", ["pass", "warn", "skipped"])
def test_what_does_not_fail_is_left_alone(status: Status) -> None:
    rows = checks(resid_ljung_box_p=status)
    verdict = report(rows, Waiver(LJUNG))
    assert verdict.results == rows
    assert states(verdict) == [(LJUNG, "unused")]
    assert status in verdict.waivers[0].note


def test_a_pass_stays_final_with_a_waiver_that_nothing_needs() -> None:
    verdict = report(checks(), Waiver(LJUNG), gating="strict")
    assert (verdict.overall, verdict.reliability, verdict.reasons) == ("pass", "final", ())


def test_what_was_not_computed_is_waived_only_where_it_counts_as_a_failure() -> None:
    rows = checks(resid_ljung_box_p="not_computed", sampler_rhat_max="not_computed")
    waivers = (Waiver(LJUNG), Waiver(RHAT))
    assert states(report(rows, *waivers, mode="publish")) == [(LJUNG, "applied"), (RHAT, "applied")]
    assert states(report(rows, *waivers, mode="explore")) == [(LJUNG, "unused"), (RHAT, "unused")]
    strict = report(rows, *waivers, mode="explore", gating="strict")  # strict gating halts on it under explore as well
    assert (states(strict), halts(strict)) == ([(LJUNG, "unused"), (RHAT, "applied")], False)


def test_documents_never_read_as_converged_or_ok() -> None:
    verdict = report(checks(sampler_rhat_max="fail", loo_pareto_k="fail"), Waiver(RHAT), Waiver(PARETO))
    convergence, pareto = convergence_json(verdict), pareto_k_json(verdict)
    assert (convergence["converged"], pareto["ok"]) == (False, False)
    mark = {"original_status": "fail", "by": "A. Lead", "until": "2026-03-31", "why": "launch week."}
    waived = {check["check_id"]: check["waived"] for check in convergence["checks"]}
    assert waived == {**dict.fromkeys(waived), RHAT: mark}
    assert pareto["check"]["waived"] == mark
    missing = pareto_k_json(report(checks(loo_pareto_k="not_computed"), Waiver(PARETO)))
    assert (missing["ok"], missing["computed"]) == (None, False)


# --- subjects and several waivers


def test_a_subject_restricts_a_waiver() -> None:
    rows = checks(resid_ljung_box_p="fail")
    assert report(rows, Waiver(LJUNG, subject=f"subject of {LJUNG}")).overall == "warn"
    other = report(rows, Waiver(LJUNG, subject="m_tv"))
    assert (other.overall, states(other)) == ("fail", [(LJUNG, "unused")])
    assert other.waivers[0].note == f"The check fails for another subject: subject of {LJUNG}."


def test_the_first_waiver_that_holds_is_applied() -> None:
    rows, subject = checks(resid_ljung_box_p="fail"), f"subject of {LJUNG}"
    old = Waiver(LJUNG, subject=subject, who="Old", expires=LAST_DAY - DAY)
    verdict = report(rows, old, Waiver(LJUNG, who="New"), Waiver(LJUNG, subject=subject, who="Late"))
    assert [record.state for record in verdict.waivers] == ["expired", "applied", "unused"]
    assert verdict.waived == f"{LJUNG} waived by New until 2026-03-31"
    assert "Old" not in verdict.find(LJUNG).message  # type: ignore[union-attr]


# --- its end


@pytest.mark.parametrize(("days", "state"), [(-1, "applied"), (0, "applied"), (1, "expired"), (400, "expired")])
def test_it_holds_through_its_last_day(days: int, state: str) -> None:
    verdict = report(checks(sampler_rhat_max="fail"), Waiver(RHAT), gating="strict", today=LAST_DAY + days * DAY)
    assert states(verdict) == [(RHAT, state)]
    assert halts(verdict) == (state == "expired")


def test_an_expired_waiver_does_not_count_and_is_mentioned() -> None:
    verdict = report(checks(sampler_rhat_max="fail"), Waiver(RHAT), gating="strict", today=LAST_DAY + DAY)
    row = verdict.find(RHAT)
    assert row is not None
    assert (row.status, row.waived, verdict.reliability) == ("fail", None, "blocked")
    assert row.message == f"Message of {RHAT}. A waiver by A. Lead expired on 2026-03-31."
    with pytest.raises(GateError) as caught:
        enforce(verdict)
    assert "A waiver by A. Lead expired on 2026-03-31." in str(caught.value.got)
    assert "A waiver by A. Lead expired on 2026-03-31." in summary_text(verdict)


def test_the_verdict_of_an_earlier_day_ends_with_its_waiver() -> None:
    verdict = report(checks(sampler_rhat_max="fail"), Waiver(RHAT), Waiver(PARETO))
    require_in_force(verdict.waivers, LAST_DAY)
    with pytest.raises(GateError, match="rests on a waiver that has expired") as caught:
        require_in_force(verdict.waivers, LAST_DAY + DAY)
    assert caught.value.got == f"{RHAT}: A waiver by A. Lead expired on 2026-03-31."
    later = report(checks(sampler_rhat_max="fail"), Waiver(RHAT), today=LAST_DAY + DAY)
    require_in_force(later.waivers, LAST_DAY + 9 * DAY)  # judged without it, so nothing rests on it


# --- tables and text


def test_the_summary_lists_every_waiver() -> None:
    waivers = (Waiver(RHAT), Waiver(LJUNG, subject="m_tv"), Waiver(PARETO, expires=LAST_DAY - DAY))
    text = summary_text(report(checks(sampler_rhat_max="fail"), *waivers))
    assert "overall_status: warn\n" in text
    assert "converged: false\n" in text
    assert "\nfail: 0\n" in text
    assert "\nwaived: 1\n" in text
    assert f"[fail, waived] g2 {RHAT}: Message of {RHAT}. Waived by A. Lead until 2026-03-31: launch week.\n" in text
    assert f"  applied: {RHAT}, A. Lead, until 2026-03-31: launch week. It makes a warning of" in text
    assert f"  unused: {LJUNG} (m_tv), A. Lead, until 2026-03-31: launch week. The check does not fail: pass.\n" in text
    assert f"  expired: {PARETO}, A. Lead, until 2026-03-30: launch week. It does not count any more.\n" in text
    assert "waive" not in summary_text(report(checks())).lower()


def test_tables_keep_their_schemas_and_come_back() -> None:
    rows = checks(sampler_rhat_max="fail", loo_pareto_k="not_computed")
    verdict = report(rows, Waiver(RHAT), Waiver(PARETO), Waiver(LJUNG, subject="m_tv"))
    tables = verdict.tables()
    for name, table in tables.items():
        validate(TABLES[name], table)
    assert waivers_from_frame(tables["waivers"]) == verdict.waivers
    stored = report_from_frame(tables["diagnostics_report"], "publish", "warn", False, verdict.waivers)
    assert stored == verdict
    row = tables["diagnostics_report"].set_index("check_id").loc[RHAT]
    assert row[["status", "original_status", "waived_by", "waived_until", "waiver_reason"]].tolist() == [
        "warn", "fail", "A. Lead", "2026-03-31", "launch week.",
    ]  # fmt: skip
    validate(TABLES["waivers"], waiver_frame([]))
    assert set(report(rows).tables()) == {"diagnostics_report"}

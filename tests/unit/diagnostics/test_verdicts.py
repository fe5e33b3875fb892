"""Which checks judge which fit: draws, a point estimate, or nothing at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pandas as pd
import pytest

from dsam_assets.config.schema_diagnostics import DiagnosticsSection
from dsam_assets.design.checks import DesignChecks
from dsam_assets.diagnostics.gate_table import gate_frame
from dsam_assets.diagnostics.prefit import prefit_gates
from dsam_assets.diagnostics.report import DiagnosticsReport
from dsam_assets.diagnostics.rows import judged as judge_row
from dsam_assets.diagnostics.thresholds import DRAWS_CHECKS
from dsam_assets.diagnostics.verdicts import POINT, SAMPLED, fit_checks, verdict
from dsam_assets.fit.draws import Draws
from dsam_assets.selection.loo_tables import skipped_summary
from dsam_assets.verdict import CHECKS

Make = Callable[..., Draws]
OF_A_FIT = [name for name, check in CHECKS.items() if check.gate != "p2"]  # without those between two fits
PREFIT = [name for name, check in CHECKS.items() if check.phase == "P0"]


POSTFIT = (
    "resid_ljung_box_p", "resid_acf_max", "boundary_hit_fraction", "within_var_ratio",
    "pre_identifiability_baseline_media_corr", "loo_leverage_one",
)  # fmt: skip
DATA = (
    "pre_weeks_per_parameter", "pre_weeks_of_data", "pre_spend_without_exposure", "pre_literal_missing",
    "pre_week_anchor", "pre_week_gaps",
)  # fmt: skip
FINE = {"pre_weeks_per_parameter": 10.0, "pre_weeks_of_data": 150.0}
PRIOR = ("prior_predictive_plausibility", "prior_predictive_coverage", "prior_predictive_movement")
LOWER_IS_WORSE = {"resid_ljung_box_p", "within_var_ratio"}
CALIBRATED = {
    "status": "ok", "reason": "", "diagnosis": "well-calibrated", "meaning": "intervals hold what they say",
    "p_value": 0.6, "largest_ecdf_difference": 0.02, "largest_coverage_error": 0.02, "n_rows": 100, "n_scored": 100,
}  # fmt: skip


def judged(draws: Draws, *, enabled: bool = True) -> DiagnosticsReport:
    section = DiagnosticsSection.model_validate({"enabled": enabled})
    design = prefit_gates(DesignChecks("kpi", 100, 3, 0, (), (), (), 3, (), 12.0), "publish")
    data = [judge_row(name, FINE.get(name, 0.0), "publish", "all", "") for name in DATA]
    checks = gate_frame([*design, *data])
    prior = gate_frame([judge_row(name, 1.0, "publish", "all", "") for name in PRIOR])
    pointwise = pd.DataFrame({"pareto_k": [0.1, 0.2]})
    summary = skipped_summary("a point") if draws.is_point else pd.DataFrame({"n_rows": [2], "reason": [""]})
    calibrated = pd.DataFrame([CALIBRATED])
    loo = {"loo_summary": summary} if draws.is_point else {"loo_summary": summary, "loo_pointwise": pointwise}
    postfit = gate_frame(
        [judge_row(name, 1.0 if name in LOWER_IS_WORSE else 0.0, "publish", "all", "") for name in POSTFIT]
    )
    fit = gate_frame(fit_checks(draws, {**loo, "calibration_summary": calibrated}, section))
    return verdict((checks, prior, fit, postfit), section, dt.date(2026, 1, 1))


def statuses(report: DiagnosticsReport) -> dict[str, str]:
    return {row.check_id: row.status for row in report.results}


def test_draws_are_judged_and_have_no_optimiser(make_draws: Make) -> None:
    report = judged(make_draws())
    assert statuses(report) == {**dict.fromkeys(OF_A_FIT, "pass"), "optimiser_converged": "skipped"}
    assert report.find("optimiser_converged").message == f"Does not apply: {SAMPLED}."
    assert report.reliability == "final"


@pytest.mark.parametrize(("converged", "status"), [(1, "pass"), (0, "fail"), (None, "not_computed")])
def test_a_point_is_judged_by_its_optimiser_alone(make_point: Make, converged: int | None, status: str) -> None:
    report = judged(make_point(converged))
    expected = {
        **dict.fromkeys(PREFIT, "pass"),
        **dict.fromkeys(POSTFIT, "pass"),
        **dict.fromkeys(DRAWS_CHECKS, "skipped"),
        "optimiser_converged": status,
    }
    assert statuses(report) == expected
    assert report.find("sampler_rhat_max").message == f"Does not apply: {POINT}."
    assert report.reliability == "provisional"


def test_diagnostics_switched_off_pass_nothing(make_draws: Make, make_point: Make) -> None:
    sampled, point = judged(make_draws(), enabled=False), judged(make_point(), enabled=False)
    assert statuses(sampled) == {**dict.fromkeys(OF_A_FIT, "not_computed"), "optimiser_converged": "skipped"}
    assert statuses(point) == {**dict.fromkeys(OF_A_FIT, "not_computed"), **dict.fromkeys(DRAWS_CHECKS, "skipped")}
    assert (sampled.overall, point.overall) == ("fail", "fail")
    assert (sampled.converged, point.converged) == (False, None)

"""Posteriors with known defects through everything that judges them, in each policy: rows, verdict and documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from made_up_market import POSTERIORS, WEEKS, judged

from dsam_assets.config.schema_diagnostics import ModelSelectionSection
from dsam_assets.diagnostics.calibration import calibration_json
from dsam_assets.diagnostics.report import convergence_json, enforce, pareto_k_json, summary_text
from dsam_assets.diagnostics.verdicts import loo_gate
from dsam_assets.errors import GateError
from dsam_assets.verdict import PolicyMode

MODES: tuple[PolicyMode, ...] = ("explore", "publish", "strict")
CONVERGENCE = ("sampler_rhat_max", "sampler_ess_bulk_min", "sampler_ess_tail_min")
LOO = ("loo_pareto_k", "calibration_loo_pit")
RESIDUALS = ("resid_ljung_box_p", "resid_acf_max")
NOTHING = ("not_computed",) * 3


@dataclass(frozen=True)
class Expected:
    """What a posterior gets; three values are those of explore, publish and strict.

    Attributes:
        statuses: of the checks that do not pass; all others pass or are skipped.
        overall, converged: of the verdict.
        computed: of convergence_report.json.
        ok: of pareto_k_summary.json, in every mode.
        well_calibrated: of calibration_report.json, in every mode.
    """

    statuses: Mapping[str, tuple[str, str, str]]
    overall: tuple[str, str, str]
    converged: tuple[bool, bool, bool]
    computed: bool = True
    ok: bool | None = True
    well_calibrated: bool | None = True


FAILS = ("fail",) * 3
WARNS = ("warn",) * 3
UNLESS_EXPLORED = ("warn", "fail", "fail")
NEVER = (False,) * 3

EXPECTED: Mapping[str, Expected] = {
    "healthy": Expected({}, ("pass",) * 3, (True,) * 3),
    "divergent": Expected({"sampler_divergences": UNLESS_EXPLORED}, UNLESS_EXPLORED, (True, False, False)),
    "stuck in one chain": Expected({"sampler_rhat_max": FAILS, "sampler_ess_bulk_min": FAILS}, FAILS, NEVER),
    "two peaks": Expected(
        {
            "sampler_rhat_max": FAILS,
            "sampler_ess_bulk_min": FAILS,
            "sampler_ess_tail_min": ("warn", "warn", "fail"),
            "loo_pareto_k": WARNS,
            "calibration_loo_pit": UNLESS_EXPLORED,
        },
        FAILS, NEVER, ok=False, well_calibrated=False,
    ),
    "NaN": Expected(
        dict.fromkeys((*CONVERGENCE, *LOO, *RESIDUALS), NOTHING),
        UNLESS_EXPLORED, NEVER, computed=False, ok=None, well_calibrated=None,
    ),
    "constant": Expected(dict.fromkeys(CONVERGENCE, NOTHING), UNLESS_EXPLORED, NEVER, computed=False),
    "single chain": Expected({"sampler_rhat_max": NOTHING}, UNLESS_EXPLORED, NEVER, computed=False),
    "too short": Expected(
        {"sampler_ess_bulk_min": UNLESS_EXPLORED, "sampler_ess_tail_min": UNLESS_EXPLORED, "loo_pareto_k": WARNS},
        UNLESS_EXPLORED, (True, False, False), ok=False,
    ),
    "three draws": Expected(
        {
            **dict.fromkeys((*CONVERGENCE, "sampler_ebfmi_min", "calibration_loo_pit"), NOTHING),
            "loo_pareto_k": WARNS,
        },
        UNLESS_EXPLORED, NEVER, computed=False, ok=False, well_calibrated=None,
    ),
}  # fmt: skip
BY_MODE = [(name, mode) for name in POSTERIORS for mode in MODES]


def test_every_posterior_is_judged() -> None:
    assert EXPECTED.keys() == POSTERIORS.keys()


@pytest.mark.parametrize(("name", "mode"), BY_MODE)
def test_rows_and_verdict(name: str, mode: PolicyMode) -> None:
    expected, position, report = EXPECTED[name], MODES.index(mode), judged(name, mode).report
    bad = {row.check_id: row.status for row in report.results if row.status not in ("pass", "skipped")}
    assert bad == {check: statuses[position] for check, statuses in expected.statuses.items()}
    assert all(row.advice for row in report.results if row.check_id in bad)
    assert all((row.value is None) == (row.status in ("not_computed", "skipped")) for row in report.results)
    assert (report.overall, report.converged) == (expected.overall[position], expected.converged[position])
    assert report.reliability == ("final" if name == "healthy" else "provisional")
    assert all(any(check in reason for reason in report.reasons) for check in bad)
    assert all(check in summary_text(report) for check in bad)


@pytest.mark.parametrize(("name", "mode"), BY_MODE)
def test_a_strict_gate_halts_what_has_not_been_shown_to_converge(name: str, mode: PolicyMode) -> None:
    strict, published = judged(name, mode, "strict").report, judged(name, mode, "off", enforce_publish_gate=True).report
    for report, halts in ((strict, not strict.converged), (published, published.overall == "fail")):
        assert (report.reliability == "blocked") == halts
        if not halts:
            enforce(report)
            continue
        with pytest.raises(GateError) as caught:
            enforce(report)
        assert caught.value.fix


@pytest.mark.parametrize(("name", "mode"), BY_MODE)
def test_documents(name: str, mode: PolicyMode) -> None:
    expected, position, evidence = EXPECTED[name], MODES.index(mode), judged(name, mode)
    convergence, pareto = convergence_json(evidence.report), pareto_k_json(evidence.report, evidence.loo)
    calibration = calibration_json(evidence.report, evidence.loo)
    assert (convergence["converged"], convergence["computed"]) == (expected.converged[position], expected.computed)
    assert (pareto["ok"], pareto["computed"]) == (expected.ok, expected.ok is not None)
    well = expected.well_calibrated
    assert (calibration["well_calibrated"], calibration["computed"]) == (well, well is not None)
    for document, verdict in ((convergence, "converged"), (pareto, "ok"), (calibration, "well_calibrated")):
        json.dumps(document, allow_nan=False)
        assert document["computed"] == (document["reason"] is None)
        assert document["computed"] or document[verdict] is not True, "not computed never reads as ok"


@pytest.mark.parametrize("name", POSTERIORS)
def test_pareto_k_is_counted_by_band_and_its_row_is_named(name: str) -> None:
    evidence = judged(name, "publish")
    counts, k = pareto_k_json(evidence.report, evidence.loo)["counts"], evidence.loo["loo_pointwise"]["pareto_k"]
    assert counts == {
        "rows": WEEKS, "scored": WEEKS, "above_warn": (k > 0.7).sum(), "up_to_0_5": (k <= 0.5).sum(),
        "up_to_0_7": k.between(0.5, 0.7, inclusive="right").sum(), "above_0_7": (k > 0.7).sum(),
        "above_1": (k > 1).sum(), "not_computed": k.isna().sum(),
    }  # fmt: skip
    row = evidence.report.find("loo_pareto_k")
    assert row is not None
    if row.value is not None:
        assert row.subject == f"{evidence.loo['loo_pointwise']['date'][k.argmax()]:%Y-%m-%d}"
        assert f"({row.subject})" in row.message


def test_rows_of_a_panel_are_named_by_unit_and_date() -> None:
    tables = dict(judged("healthy", "publish").loo)
    tables["loo_pointwise"] = tables["loo_pointwise"].assign(group="uk", pareto_k=0.1)
    tables["loo_pointwise"].loc[3, "pareto_k"] = 0.9
    assert loo_gate(tables, ModelSelectionSection()).subject == "uk 2023-01-23"

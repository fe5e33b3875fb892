"""A fit that is bad on purpose is caught by the gate that should catch it; a good one by none."""

from __future__ import annotations

import re

import pytest
from bad_fits import BAD_FITS, collinear, healthy, mcmc

from dsam_assets.diagnostics.report import DiagnosticsReport
from dsam_assets.fitted_model import FittedModel
from resources.stan_runner import CmdStanRunner

pytestmark = [pytest.mark.stan, pytest.mark.slow]


def statuses(report: DiagnosticsReport) -> dict[str, str]:
    return {row.check_id: row.status for row in report.results}


@pytest.fixture(scope="module")
def good(stan: CmdStanRunner) -> FittedModel:
    return mcmc(healthy())(stan)


def test_a_good_fit_is_caught_by_nothing(good: FittedModel) -> None:
    report = good.diagnostics()
    assert (report.overall, report.reliability) == ("pass", "final"), report.reasons


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", BAD_FITS)
def test_a_bad_fit_is_caught(name: str, stan: CmdStanRunner, good: FittedModel) -> None:
    bad = BAD_FITS[name]
    report = bad.fit(stan).diagnostics(**bad.settings)
    found, of_the_good = statuses(report), statuses(good.diagnostics())
    assert {check: found[check] for check in bad.caught} == dict(bad.caught)
    assert {of_the_good[check] for check in bad.caught} <= {"pass", "skipped"}
    row = report.find(next(iter(bad.caught)))
    assert row is not None
    pattern = ".*".join(re.escape(part) for part in bad.says.split("…"))
    assert re.fullmatch(pattern, row.message, re.DOTALL), row.message
    assert row.advice
    assert report.reliability == "provisional"


def test_collinear_media_are_no_defect_of_the_fit_but_stand_in_the_register(stan: CmdStanRunner) -> None:
    """Their intervals are as wide as they have to be, so no gate speaks; the register ranks them first."""
    fit = mcmc(collinear())(stan)
    assert fit.diagnostics().overall == "pass"
    register = fit.postfit_checks().tables["predictor_risk_register"].set_index("term")
    assert set(register.index[:2]) == {"m_tv", "m_radio"}
    assert set(register.loc[["m_tv", "m_radio"], "risk"]) == {"high"}
    assert register.loc["m_tv", "vif"] > 10
    assert register.loc["m_search", "risk"] == "low"

"""Made-up posteriors with known defects, in each policy mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dsam_assets.data.findings import Finding
from dsam_assets.design.checks import DesignChecks
from dsam_assets.diagnostics.gates import optimiser_gate, pareto_k_gate, sampler_gates, skipped_gates
from dsam_assets.diagnostics.prefit import prefit_gates
from dsam_assets.diagnostics.thresholds import SAMPLER_CHECKS
from dsam_assets.fit.draws import Draws
from dsam_assets.verdict import GateResult, PolicyMode

Make = Callable[..., Draws]
MODES: tuple[PolicyMode, ...] = ("explore", "publish", "strict")
CLEAN = DesignChecks("kpi", 100, 3, 0, (), (), (), 3, (), 12.0)


def by_id(rows: tuple[GateResult, ...]) -> dict[str, GateResult]:
    return {row.check_id: row for row in rows}


def statuses(draws: Draws, mode: PolicyMode) -> list[str]:
    """Statuses in the order R-hat, bulk ESS, tail ESS, divergences, tree depth, E-BFMI."""
    return [row.status for row in sampler_gates(draws, mode)]


@pytest.mark.parametrize("mode", MODES)
def test_healthy(make_draws: Make, mode: PolicyMode) -> None:
    rows = sampler_gates(make_draws(), mode)
    assert {row.status for row in rows} == {"pass"}
    assert {row.advice for row in rows} == {""}
    assert [row.gate for row in rows] == ["g2", "g3", "g3", "g4", "g4", "g7"]
    assert {row.phase for row in rows} == {"P1"}


@pytest.mark.parametrize(("mode", "expected"), [("explore", "warn"), ("publish", "fail"), ("strict", "fail")])
def test_one_divergence(make_draws: Make, tamper: Make, mode: PolicyMode, expected: str) -> None:
    row = by_id(sampler_gates(tamper(make_draws(), "diverging", 1, slice(7, 8), True), mode))["sampler_divergences"]
    assert (row.status, row.value) == (expected, 1 / 4000)
    assert row.message == "1 of 4,000 draws diverged (0.03%)."
    assert "adapt_delta" in row.advice


@pytest.mark.parametrize(
    ("hits", "expected"), [(1, ["warn", "warn", "fail"]), (41, ["warn", "fail", "fail"]), (201, ["fail"] * 3)]
)
def test_saturated_tree_depth(make_draws: Make, tamper: Make, hits: int, expected: list[str]) -> None:
    draws = tamper(make_draws(), "tree_depth", 0, slice(0, hits), 10)
    assert [statuses(draws, mode)[4] for mode in MODES] == expected
    assert set(statuses(tamper(make_draws(), "tree_depth", 0, slice(0, hits), 9), "strict")) == {"pass"}


def test_one_chain_elsewhere_names_the_parameter(make_draws: Make) -> None:
    draws = make_draws()
    coef = draws.coef.copy()
    coef[0, :, 1] += 0.85
    rows = [by_id(sampler_gates(replace(draws, coef=coef), mode))["sampler_rhat_max"] for mode in MODES]
    assert [row.status for row in rows] == ["warn", "fail", "fail"]
    assert {row.subject for row in rows} == {"m_tv"}
    assert rows[0].threshold == "warn > 1.01, fail > 1.1"
    assert rows[0].value == pytest.approx(1.07, abs=0.02)


@pytest.mark.parametrize("mode", MODES)
def test_stuck_chain_fails_in_every_mode(make_draws: Make, overwrite: Make, mode: PolicyMode) -> None:
    row = by_id(sampler_gates(overwrite(make_draws(chains=8), 1, 6, 0.6), mode))["sampler_rhat_max"]
    assert (row.status, row.value, row.subject) == ("fail", np.inf, "m_tv")
    assert "never moved in chain 7" in row.message


@pytest.mark.parametrize("mode", MODES)
def test_constant_parameter_is_not_computed(make_draws: Make, overwrite: Make, mode: PolicyMode) -> None:
    rows = by_id(sampler_gates(overwrite(make_draws(), 1, slice(None), 2.0), mode))
    for check_id in ("sampler_rhat_max", "sampler_ess_bulk_min", "sampler_ess_tail_min"):
        assert (rows[check_id].status, rows[check_id].value) == ("not_computed", None)
        assert "m_tv (every draw is the same)" in rows[check_id].message
        assert rows[check_id].advice
    assert rows["sampler_divergences"].status == "pass"


@pytest.mark.parametrize("mode", MODES)
def test_nan_draws_are_not_computed(make_draws: Make, overwrite: Make, mode: PolicyMode) -> None:
    assert statuses(overwrite(make_draws(), 0, 2, np.nan), mode)[:3] == ["not_computed"] * 3


def test_failure_of_one_parameter_outweighs_a_missing_one(make_draws: Make, overwrite: Make) -> None:
    draws = overwrite(overwrite(make_draws(), 0, 2, np.nan), 1, 0, 5.0)
    row = by_id(sampler_gates(draws, "publish"))["sampler_rhat_max"]
    assert (row.status, row.subject) == ("fail", "m_tv")
    assert "Not computed for (Intercept) (draws are not finite)" in row.message


@pytest.mark.parametrize("mode", MODES)
def test_single_chain(make_draws: Make, mode: PolicyMode) -> None:
    rows = sampler_gates(make_draws(chains=1, size=2000), mode)
    assert [row.status for row in rows] == ["not_computed", *["pass"] * 5]
    assert rows[0].message == "Not computed: R-hat needs at least 2 chains, got 1."


@pytest.mark.parametrize("mode", MODES)
def test_three_draws_are_not_computed(make_draws: Make, mode: PolicyMode) -> None:
    expected = [*["not_computed"] * 3, "pass", "pass", "not_computed"]
    assert statuses(make_draws(size=3), mode) == expected


def test_short_chains_fail_on_effective_sample_size(make_draws: Make) -> None:
    assert [statuses(make_draws(size=20), mode)[1:3] for mode in MODES] == [
        ["warn", "warn"],
        ["fail", "fail"],
        ["fail", "fail"],
    ]


def test_low_energy_names_the_chain(make_draws: Make) -> None:
    draws = make_draws()
    energy = draws.sampler["energy"].copy()
    energy[2] = np.cumsum(energy[2])
    draws = replace(draws, sampler={**draws.sampler, "energy": energy})
    rows = [by_id(sampler_gates(draws, mode))["sampler_ebfmi_min"] for mode in MODES]
    assert [row.status for row in rows] == ["fail"] * 3
    assert {row.subject for row in rows} == {"chain 3"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("name", "check_id"),
    [
        ("diverging", "sampler_divergences"),
        ("tree_depth", "sampler_treedepth_frac"),
        ("energy", "sampler_ebfmi_min"),
    ],
)
def test_missing_or_nan_sampler_statistic(make_draws: Make, mode: PolicyMode, name: str, check_id: str) -> None:
    draws = make_draws()
    without = {key: values for key, values in draws.sampler.items() if key != name}
    nan = {**draws.sampler, name: np.full((4, 1000), np.nan)}
    empty = {**draws.sampler, name: np.empty((4, 0))}
    for sampler, reason in ((without, "missing"), (nan, "not finite"), (empty, "empty")):
        row = by_id(sampler_gates(replace(draws, sampler=sampler), mode))[check_id]
        assert (row.status, row.value) == ("not_computed", None)
        assert reason in row.message


def test_frozen_energy_is_not_computed(make_draws: Make, tamper: Make) -> None:
    draws = tamper(make_draws(), "energy", 1, slice(None), 3.0)
    row = by_id(sampler_gates(draws, "publish"))["sampler_ebfmi_min"]
    assert row.status == "not_computed"
    assert "chain 2" in row.message


def test_map_has_no_sampler_checks() -> None:
    rows = skipped_gates(SAMPLER_CHECKS, "fit.method is optimise")
    assert len(rows) == 6
    assert {(row.status, row.value) for row in rows} == {("skipped", None)}
    assert rows[0].message == "Does not apply: fit.method is optimise."


@pytest.mark.parametrize("mode", MODES)
def test_an_optimiser_that_did_not_converge_fails_in_every_mode(make_point: Make, mode: PolicyMode) -> None:
    good = optimiser_gate(make_point(1, starts=10, starts_converged=9, starts_failed=1), mode)
    assert (good.status, good.value, good.advice) == ("pass", 1.0, "")
    assert good.message == "The best start converged (9 of 10 starts converged, 1 failed)."
    bad = optimiser_gate(make_point(0, starts=10, starts_converged=0, starts_failed=0), mode)
    assert (bad.status, bad.value) == ("fail", 0.0)
    assert "did not converge" in bad.message
    assert "0 of 10 starts converged)" in bad.message
    assert "fit.optimise.iter" in bad.advice


@pytest.mark.parametrize("mode", MODES)
def test_an_optimiser_that_does_not_say_how_it_ended_is_not_computed(make_point: Make, mode: PolicyMode) -> None:
    row = optimiser_gate(make_point(None), mode)
    assert (row.status, row.value) == ("not_computed", None)


@pytest.mark.parametrize(
    ("largest", "fail", "expected"),
    [(0.7, np.inf, "pass"), (0.71, np.inf, "warn"), (5.0, np.inf, "warn"), (0.9, 0.9, "warn"), (0.91, 0.9, "fail")],
)
def test_pareto_k(largest: float, fail: float, expected: str) -> None:
    row = pareto_k_gate(np.array([0.1, largest, 0.2]), warn=0.7, fail=fail)
    assert (row.gate, row.status, row.value, row.metric) == ("g6", expected, largest, "max_pareto_k")
    assert row.subject.startswith("observation 2")
    assert f"{int(largest > 0.7)} of 3 rows are above 0.7" in row.message


def test_pareto_k_missing() -> None:
    nothing = pareto_k_gate(None, warn=0.7, fail=np.inf, reason="no draws")
    assert (nothing.status, nothing.value, nothing.message) == ("not_computed", None, "Not computed: no draws.")
    assert pareto_k_gate(np.array([np.nan, np.nan]), warn=0.7, fail=1.0).status == "not_computed"
    assert pareto_k_gate(np.array([np.nan, 0.2]), warn=0.7, fail=1.0).status == "not_computed"
    assert pareto_k_gate(np.array([np.nan, 1.2]), warn=0.7, fail=1.0).status == "fail"
    assert pareto_k_gate(np.array([np.inf, 0.2]), warn=0.7, fail=1.0).value == np.inf


def test_pareto_k_says_when_rows_were_sampled() -> None:
    assert "2 rows (a sample of 30,000)" in pareto_k_gate(np.array([0.1, 0.2]), warn=0.7, fail=1, n_rows=30_000).message


@pytest.mark.parametrize("mode", MODES)
def test_clean_design(mode: PolicyMode) -> None:
    rows = prefit_gates(CLEAN, mode)
    assert [row.status for row in rows] == ["pass"] * 5
    assert {(row.gate, row.phase) for row in rows} == {("p0", "P0")}
    assert [row.severity for row in rows] == ["critical"] * 4 + ["important"]


@pytest.mark.parametrize("mode", MODES)
def test_findings_warn_in_every_mode_and_are_told(mode: PolicyMode) -> None:
    found = (Finding("a", "m_tv", 0.0, 1.0, "m_tv hardly varies."), Finding("b", "uk", 3.0, 2.0, "Three for two."))
    row = by_id(prefit_gates(replace(CLEAN, findings=found), mode))["pre_identification"]
    assert (row.status, row.value, row.subject) == ("warn", 2.0, "m_tv, uk")
    assert row.message == "m_tv hardly varies. Three for two."


@pytest.mark.parametrize("mode", MODES)
def test_redundant_columns_and_bad_response_fail_in_every_mode(mode: PolicyMode) -> None:
    checks = replace(CLEAN, non_finite_response=2, constant=("flat",), duplicates=(("copy", "m_tv"),))
    rows = by_id(prefit_gates(checks, mode))
    assert (rows["pre_response_finite"].status, rows["pre_response_finite"].value) == ("fail", 2.0)
    redundant = rows["pre_design_constants_duplicates"]
    assert (redundant.status, redundant.value, redundant.subject) == ("fail", 2.0, "flat, copy")
    assert "copy (= m_tv)" in redundant.message


@pytest.mark.parametrize(("mode", "expected"), [("explore", "warn"), ("publish", "warn"), ("strict", "fail")])
def test_rank_deficit_and_singularity(mode: PolicyMode, expected: str) -> None:
    checks = replace(CLEAN, rank=2, dependent=("total",), condition_number=np.inf)
    rows = by_id(prefit_gates(checks, mode))
    assert (rows["pre_design_rank_deficit"].status, rows["pre_design_rank_deficit"].subject) == (expected, "total")
    assert rows["pre_design_condition_number"].status == expected


@pytest.mark.parametrize("mode", MODES)
def test_design_numbers_that_are_missing(mode: PolicyMode) -> None:
    checks = replace(CLEAN, rank=None, condition_number=None, non_finite_columns=("m_tv",))
    rows = by_id(prefit_gates(checks, mode))
    for check_id in ("pre_design_rank_deficit", "pre_design_condition_number"):
        assert rows[check_id].status == "not_computed"
        assert "m_tv" in rows[check_id].message

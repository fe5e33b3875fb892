"""All post-fit checks together, for every class of model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_stan import FakeRunner
from panels import BALANCED, panel, panel_design
from pooled_markets import NESTED, market

from dsam_assets.config.schema_diagnostics import IdentifiabilitySection
from dsam_assets.design.labels import row_labels
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.model_design import design_prior_table
from dsam_assets.design.pooled import build_pooled_design
from dsam_assets.diagnostics.postfit import PostfitChecks, postfit_checks
from dsam_assets.fit.draws import Draws, GroupDeviations
from dsam_assets.fit.model import sample_model
from dsam_assets.fit.runner import McmcSettings

Make = Callable[..., Any]
SETTINGS = McmcSettings(chains=2, warmup=100, sampling=100, seed=1)
TABLES = {
    "residual_diagnostics", "boundary_hits", "within_variation", "identifiability", "high_leverage",
    "predictor_risk_register",
}  # fmt: skip
CHECKS = [
    "resid_ljung_box_p", "resid_acf_max", "boundary_hit_fraction", "within_var_ratio",
    "pre_identifiability_baseline_media_corr", "loo_leverage_one",
]  # fmt: skip


def run(draws: Draws, design: Any, labels: pd.DataFrame, **section: Any) -> PostfitChecks:
    found = postfit_checks(
        draws, design.matrix, labels, design_prior_table(design), IdentifiabilitySection(**section), "publish"
    )
    assert [gate.check_id for gate in found.gates] == CHECKS
    assert set(found.tables) == TABLES
    return found


def test_linear(make_weeks: Make, fake_runner: FakeRunner) -> None:
    design = build_linear_design(replace(market(80), pooling=None), scale=True)
    draws = sample_model(design, SETTINGS, fake_runner)
    found = run(draws, design, make_weeks(80), media_terms=("m_tv_a", "m_tv_b"), baseline_terms=("trend",))
    gates = {gate.check_id: gate.status for gate in found.gates}
    assert gates["within_var_ratio"] == gates["boundary_hit_fraction"] == "skipped"
    assert gates["pre_identifiability_baseline_media_corr"] == gates["loo_leverage_one"] == "pass"
    assert "not_computed" not in gates.values()
    assert set(found.tables["predictor_risk_register"]["term"]) == set(design.matrix.terms) - {"(Intercept)"}


def test_pooled_leverage_is_that_of_the_labels(make_weeks: Make, fake_runner: FakeRunner) -> None:
    """Two variables of one label, one of them on air in a single week: its label is not."""
    matrix = market(80)
    values = matrix.values.copy()
    values[:, 1] = 0.0
    values[9, 1] = 500.0
    design = build_pooled_design(replace(matrix, values=values), NESTED, scale=True)
    draws = sample_model(design, SETTINGS, fake_runner)
    found = run(draws, design, make_weeks(80))
    assert found.gates[-1].status == "pass"
    hits = found.tables["boundary_hits"]
    assert list(hits["parameter"]) == ["noise_sd"]
    unpooled = build_linear_design(replace(design.matrix, pooling=None), scale=True)
    found = run(sample_model(unpooled, SETTINGS, fake_runner), unpooled, make_weeks(80))
    assert (found.gates[-1].status, found.gates[-1].subject) == ("warn", "m_tv_a")


def test_point_estimate_is_judged_by_what_needs_no_draws(
    make_weeks: Make, as_draws: Make, fake_runner: FakeRunner
) -> None:
    design = build_linear_design(replace(market(80), pooling=None), scale=True)
    coef = sample_model(design, SETTINGS, fake_runner).coef_flat.mean(axis=0, keepdims=True)
    found = run(as_draws(design.matrix.terms, coef, np.ones(1)), design, make_weeks(80))
    statuses = {gate.check_id: gate.status for gate in found.gates}
    assert statuses["loo_leverage_one"] == statuses["boundary_hit_fraction"] == "skipped"
    assert statuses["resid_ljung_box_p"] in ("pass", "warn", "fail")


def test_hierarchical_units_are_the_groups_and_effects_count() -> None:
    """Residuals are those of the group's own line: with its deviation taken out, nothing is left of a slow slope."""
    frame = panel(weeks=40, brands=1)
    frame["date"] = pd.Timestamp("2022-01-03") + pd.to_timedelta(7 * frame["week"], unit="D")
    design = panel_design(BALANCED, frame)
    group = design.matrix.groups[0]
    rng, shape = np.random.default_rng(4), (2, 50)
    values = np.zeros((*shape, 4, 2))
    values[..., 1] = np.arange(4)
    coef = np.broadcast_to([1.0, 2.0, 3.0], (*shape, 3)).copy()
    slope = (2.0 + group.codes) * design.matrix.values[:, 1]
    response = 1 + slope + 3 * design.matrix.values[:, 2] + 0.1 * rng.normal(size=len(slope))
    draws = Draws(
        design.matrix.terms, coef, np.full(shape, 0.1), {}, 10, {"method": "mcmc"},
        dict.fromkeys(group.sd_names, np.ones(shape)), {},
        (GroupDeviations(group.key, group.levels, group.terms, values),),
    )  # fmt: skip
    design = replace(design, matrix=replace(design.matrix, response=response))
    found = run(draws, design, row_labels(frame, "date", design.matrix))
    table = found.tables["residual_diagnostics"]
    assert set(table["group"]) == {"m0", "m1", "m2", "m3"}
    assert set(table["state"]) == {"ok"}
    truth = response - 1 - slope - 3 * design.matrix.values[:, 2]
    rows = np.flatnonzero(group.codes == 2)[np.argsort(frame["date"].to_numpy()[group.codes == 2])]
    e = truth[rows] - truth[rows].mean()
    first = table[(table["group"] == "m2") & (table["lag"] == 1)]["acf"].iloc[0]
    assert first == pytest.approx(e[1:] @ e[:-1] / (e @ e), rel=1e-6)
    assert {gate.check_id: gate.status for gate in found.gates}["within_var_ratio"] == "pass"

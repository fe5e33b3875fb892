"""Plans of the average group, of one group and of every group at once, on small panels with known deviations."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from panels import case, panel
from scipy.optimize import minimize

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.channel_response import responses_at
from dsam_assets.allocation.levels import decision_units, level_terms, unit_effects
from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.plan import budget_problem
from dsam_assets.allocation.waterfall import attributed_change
from dsam_assets.design.groups import panel_units
from dsam_assets.errors import AllocationError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects

FORMULA = "balanced"


def some_draws(design):
    rng = np.random.default_rng(7)
    shape, terms = (2, 15), design.matrix.terms
    made = Draws(
        terms, 2.0 + 0.3 * rng.normal(size=(*shape, len(terms))), rng.uniform(0.5, 1.5, size=shape), {}, 10, {},
        group_sd={name: rng.gamma(2.0, 0.1, size=shape) for name in design.sd_names},
    )  # fmt: skip
    return with_group_effects(made, design, seed=1)


def rows_of(name):
    keep = {"unbalanced": 0.6, "crossed": 0.7}.get(name, 1.0)
    frame = panel(keep=keep)
    share = frame["market"].str[1:].astype(int)
    return frame.assign(spend_x=10.0 + 5.0 * share + frame["week"], spend_w=20.0 + frame["week"])


@pytest.fixture(scope="module")
def fitted():
    design = case(FORMULA)
    return some_draws(design), design.matrix, rows_of(FORMULA)


def channel(term):
    return SimpleNamespace(
        term=term, name=term.upper(), spend_col=f"spend_{term}", currency_col=None,
        bounds=SimpleNamespace(min=0.0, max=400.0), response=SimpleNamespace(type="log1p", scale=10.0, k=None, n=None),
    )  # fmt: skip


def section(level, total=80.0, **goal):
    goal = {
        "target": "kpi_uplift",
        "value_per_kpi": None,
        "kpi_baseline": None,
        "allow_relative_log_uplift": False,
    } | goal
    allocation = SimpleNamespace(
        level=level, scenario="max_response", target_value=None, seed=3, n_candidates=20, reference_spend=None,
        currency_scale=None, budget=SimpleNamespace(total=total), posterior=SimpleNamespace(draws=None),
        channels=[channel("x"), channel("w")],
        objective=SimpleNamespace(**goal, risk=SimpleNamespace(type="mean", lambda_=0.0, quantile=0.1)),
    )  # fmt: skip
    return SimpleNamespace(allocation=allocation, kpi_type="revenue")


def test_the_population_is_the_average_row_with_the_population_effects(fitted):
    draws, matrix, frame = fitted
    problem = budget_problem(draws, matrix, frame, section("population"))
    np.testing.assert_array_equal(problem.coefficients[:, 0], draws.coef_flat[:, draws.terms.index("x")])
    assert problem.names == ("X", "W")
    assert problem.reference[0] == pytest.approx(frame["spend_x"].mean())


def test_one_group_has_its_own_effects_and_its_own_reference(fitted):
    draws, matrix, frame = fitted
    problem = budget_problem(draws, matrix, frame, section("market=m2"))
    group = matrix.groups[0]
    own = draws.deviations[0].values.reshape(30, len(group.levels), -1)[:, 2, group.terms.index("x")]
    population = draws.coef_flat[:, draws.terms.index("x")]
    np.testing.assert_allclose(problem.coefficients[:, 0], population + own, rtol=1e-12)
    assert problem.reference[0] == pytest.approx(frame.loc[frame["market"] == "m2", "spend_x"].mean())
    assert problem.observed_max[0] == frame.loc[frame["market"] == "m2", "spend_x"].max()
    assert {channel.unit for channel in problem.channels} == {"m2"}
    assert problem.names == ("X", "W")


def test_every_group_is_a_decision_of_its_own_under_one_budget(fitted):
    draws, matrix, frame = fitted
    problem = budget_problem(draws, matrix, frame, section("group", total=300.0))
    assert problem.names == ("X (m0)", "W (m0)", "X (m1)", "W (m1)", "X (m2)", "W (m2)", "X (m3)", "W (m3)")
    plan = allocate(problem)
    assert plan.best_spend.sum() == pytest.approx(300.0, rel=1e-12)
    # Σ over groups and channels of effect·log(1 + s/10): the levels of s + 10 are as the effects.
    effects = problem.coefficients.mean(axis=0)
    best = effects / effects.sum() * (300.0 + 80.0) - 10.0
    np.testing.assert_allclose(plan.best_spend, best, rtol=1e-6)
    single = budget_problem(draws, matrix, frame, section("market=m2"))
    np.testing.assert_array_equal(single.coefficients, problem.coefficients[:, 4:6])


def test_a_group_that_another_grouping_crosses_has_the_mean_over_its_rows():
    design = case("crossed")
    draws, matrix = some_draws(design), design.matrix
    units = decision_units("market=m1", matrix)
    terms, (effects,) = unit_effects("market=m1", units, draws, matrix)
    market = next(group for group in matrix.groups if group.key == "market")
    position = matrix.groups.index(market)
    own = draws.deviations[position].values.reshape(30, len(market.levels), -1)
    code = market.levels.index("m1")
    expected = draws.coef_flat[:, draws.terms.index("x")] + own[:, code, market.terms.index("x")]
    np.testing.assert_allclose(effects[:, terms.index("x")], expected, rtol=1e-12)
    week = next(group for group in matrix.groups if group.key == "week")
    weekly = draws.deviations[matrix.groups.index(week)].values.reshape(30, len(week.levels))
    rows = market.codes == code
    level = draws.coef_flat[:, 0] + own[:, code, 0] + weekly[:, week.codes[rows]].mean(axis=1)
    np.testing.assert_allclose(effects[:, terms.index("(Intercept)")], level, rtol=1e-12)


def test_terms_that_only_vary_have_a_coefficient_in_groups_only():
    matrix = case("varying_only").matrix
    assert "w" not in level_terms("population", matrix)
    assert "w" in level_terms("group", matrix)


def log_problem(fitted, level, **goal):
    draws, matrix, frame = fitted
    small = replace(draws, coef=draws.coef / 20, deviations=tuple(
        replace(each, values=each.values / 20) for each in draws.deviations
    ))  # fmt: skip
    relabelled = replace(matrix, response_scale="log", response=np.log(np.exp(matrix.response / 10)))
    return small, relabelled, budget_problem(small, relabelled, frame, section(level, 300.0, **goal))


def test_log_responses_of_several_groups_add_up_on_the_kpi_scale(fitted):
    _, matrix, problem = log_problem(fitted, "group", kpi_baseline=1000.0)
    units = panel_units(matrix.groups)
    kpi = np.array([np.exp(matrix.response[units.codes == code]).mean() for code in range(len(units.levels))])
    baseline = 1000.0 * kpi / kpi.sum()
    rng = np.random.default_rng(0)
    spend = rng.dirichlet(np.ones(8)) * 300.0
    change = np.log1p(spend / 10.0) - np.log1p(problem.reference / 10.0)
    expected = np.zeros(30)
    for unit in range(4):
        link = problem.coefficients[:, 2 * unit : 2 * unit + 2] @ change[2 * unit : 2 * unit + 2]
        expected += baseline[unit] * np.expm1(link)
    objective = Objective(problem)
    np.testing.assert_allclose(objective.outcome(spend).kpi, expected, rtol=1e-10)
    slopes = [(objective.score(spend + h) - objective.score(spend - h)) / 2e-4 for h in 1e-4 * np.eye(8)]
    np.testing.assert_allclose(objective.gradient(spend), slopes, rtol=1e-6)
    np.testing.assert_allclose(attributed_change(problem, spend).sum(axis=1), expected, rtol=1e-10)
    alone = responses_at(problem, problem.reference)[:, 0]
    link = problem.coefficients[:, 0] * np.log1p(problem.reference[0] / 10.0)
    np.testing.assert_allclose(alone, baseline[0] * (1.0 - np.exp(-link)), rtol=1e-10)


def test_log_plans_over_groups_reach_what_a_general_optimiser_finds(fitted):
    _, _, problem = log_problem(fitted, "group", allow_relative_log_uplift=True)
    objective = Objective(problem)
    found = minimize(
        lambda s: -objective.score(s), np.full(8, 37.5), bounds=[(0.0, 300.0)] * 8, method="SLSQP",
        constraints={"type": "eq", "fun": lambda s: s.sum() - 300.0}, options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    plan = allocate(problem)
    assert plan.score >= -found.fun * (1 - 1e-9)
    assert plan.certificate.kkt_gap_share < 1e-7


@pytest.mark.parametrize(
    ("level", "what", "fix"),
    [
        ("market=m_2", "no group `m_2`", "Did you mean market=m2?"),
        ("market=zurich", "no group `zurich`", "one of these names"),
        ("markt=m1", "not known", "Did you mean market=m1?"),
        ("market", "not known", "population or group"),
        ("Group", "not known", "population or group"),
    ],
)
def test_unknown_levels_are_refused_with_a_suggestion(fitted, level, what, fix):
    with pytest.raises(AllocationError, match=what) as caught:
        decision_units(level, fitted[1])
    assert fix in caught.value.fix
    assert caught.value.where == "allocation.level"


@pytest.mark.parametrize("level", ["group", "market=north"])
def test_a_model_without_groups_has_no_levels(fitted, level):
    with pytest.raises(AllocationError, match="no groups"):
        decision_units(level, replace(fitted[1], groups=()))


def test_rows_of_the_units_are_those_of_the_modelled_rows(fitted):
    _, matrix, frame = fitted
    modelled = frame.iloc[matrix.rows].reset_index(drop=True)
    for unit in decision_units("group", matrix):
        pd.testing.assert_series_equal(
            modelled.loc[unit.rows, "market"], pd.Series(unit.name, index=unit.rows, name="market"), check_dtype=False
        )

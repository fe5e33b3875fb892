"""What must hold for every allocation problem."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from allocation_cases import make_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.solve import solve
from dsam_assets.design.response import Response

COUNT = 4
# The same examples every time; raise max_examples and drop derandomize to hunt for more.
QUICK = settings(deadline=None, derandomize=True)
KINDS = st.sampled_from(["identity", "atan", "log1p", "hill"])
SCALE_POWERS = st.integers(-6, 8)


@st.composite
def problems(draw, shapes=(0.5, 1.0, 2.5), scales=("identity", "log"), signs=(1.0,)):
    """Problems with four channels, with a feasible reference half of the time."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    responses = [
        Response(draw(KINDS), scale=float(rng.uniform(5, 200)), n=draw(st.sampled_from(shapes))) for _ in range(COUNT)
    ]
    scale = draw(st.sampled_from(scales))
    effect = rng.gamma(2.0, 0.5, COUNT) * rng.choice(signs, COUNT) * np.exp(rng.normal(0, 0.3, (15, COUNT)))
    # Proportional channels take spends in the hundreds: keep the link moderate.
    effect *= [0.01 if r.kind == "identity" else 1.0 for r in responses]
    lower, width = rng.uniform(0, 20, COUNT) * rng.integers(0, 2, COUNT), rng.uniform(20, 200, COUNT)
    reference = lower + rng.uniform(0, 1, COUNT) * width
    total = float(reference.sum()) if draw(st.booleans()) else float((lower + rng.uniform(0.1, 0.9) * width).sum())
    return make_problem(
        responses,
        effect * (0.2 if scale == "log" else 1.0),
        total,
        lower=lower.tolist(),
        upper=(lower + width).tolist(),
        reference=reference.tolist(),
        rates=rng.uniform(0.1, 2, COUNT).tolist(),
        response_scale=scale,
        kpi_baseline=100.0,
        target=draw(st.sampled_from(["kpi_uplift", "profit"])),
        value_per_kpi=20.0,
        n_candidates=60,
    )


def rescaled(problem, factor):
    """The same problem with spend counted in other units."""
    channels = tuple(
        replace(
            c, lower=c.lower * factor, upper=c.upper * factor, reference=c.reference * factor,
            currency_rate=c.currency_rate / factor, response=replace(c.response, scale=c.response.scale * factor),
        )
        for c in problem.channels
    )  # fmt: skip
    shrink = np.array([1.0 / factor if c.response.kind == "identity" else 1.0 for c in channels])
    return replace(problem, channels=channels, total=problem.total * factor, coefficients=problem.coefficients * shrink)


@settings(QUICK, max_examples=10)
@given(problems(signs=(1.0, -1.0)))
def test_plans_are_feasible_and_never_worse_than_reference_or_candidates(problem):
    plan = allocate(problem)
    slack = 1e-9 * problem.total
    assert abs(plan.best_spend.sum() - problem.total) <= slack
    assert np.all(plan.best_spend >= problem.lower - slack)
    assert np.all(plan.best_spend <= problem.upper + slack)
    assert plan.score >= plan.candidate_scores.max() - 1e-9 * abs(plan.score)
    if problem.reference_feasible:
        assert plan.score >= 0.0


@settings(QUICK, max_examples=6)
@given(problems(signs=(1.0, -1.0)), st.permutations(range(COUNT)))
def test_permuting_channels_permutes_the_plan(problem, order):
    order = np.array(order)
    np.testing.assert_array_equal(solve(problem.reordered(order)).spend, solve(problem).spend[order])


@settings(QUICK, max_examples=6)
@given(problems(shapes=(0.5, 1.0)), SCALE_POWERS)
def test_units_of_spend_do_not_matter(problem, power):
    factor = 10.0**power
    plan, scaled = solve(problem), solve(rescaled(problem, factor))
    assert scaled.score == pytest.approx(plan.score, rel=1e-7, abs=1e-9)
    np.testing.assert_allclose(scaled.spend / factor, plan.spend, rtol=1e-4, atol=1e-4 * problem.total)


@settings(QUICK, max_examples=6)
@given(problems(shapes=(0.5, 1.0, 2.5)), st.floats(0.0, 1.0))
def test_more_budget_never_lowers_the_kpi(problem, share):
    problem = replace(problem, target="kpi_uplift")
    more = problem.total + share * (float(problem.upper.sum()) - problem.total)
    now, then = solve(problem).score, solve(replace(problem, total=more)).score
    assert then >= now - 1e-9 * max(abs(now), abs(then))


@settings(QUICK, max_examples=3)
@given(problems())
def test_the_same_seed_gives_the_same_plan(problem):
    np.testing.assert_array_equal(allocate(problem).best_spend, allocate(problem).best_spend)


@settings(QUICK, max_examples=10)
@given(problems(shapes=(0.5, 1.0), scales=("identity",)))
def test_concave_problems_come_with_a_proof(problem):
    certificate = allocate(problem).certificate
    assert certificate.concave
    # Unequal marginals would show here, and so would any distance from the dual bound.
    assert certificate.kkt_gap_share < 1e-6
    assert certificate.optimality_gap <= 1e-9 * (1.0 + abs(certificate.candidate_best))

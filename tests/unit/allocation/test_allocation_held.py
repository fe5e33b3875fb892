"""Channels with weak evidence stay at their reference spend, if the rest can make up the budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from allocation_cases import make_problem, random_problem

from dsam_assets.allocation.allocate import allocate
from dsam_assets.allocation.held import hold
from dsam_assets.allocation.summary import allocation_tables
from dsam_assets.design.response import Response
from dsam_assets.errors import AllocationError

WHY = "the prior weighs more than the data (contraction 0.10)"
LOGS = [Response("log1p", scale=30.0)] * 3


def evidence(problem, weak=()):
    terms = [channel.term for channel in problem.channels]
    return pd.DataFrame(
        {
            "contraction": [0.1 if term in weak else 0.9 for term in terms],
            "boundary_share": np.nan,
            "max_baseline_corr": 0.2,
            "weak": [term in weak for term in terms],
            "why": [WHY if term in weak else "" for term in terms],
        },
        index=pd.Index(terms, name="term"),
    )


@pytest.mark.parametrize("options", [{}, {"response_scale": "log", "effect": 0.1, "kpi_baseline": 50.0}])
def test_a_held_channel_keeps_its_reference_and_the_rest_is_best(options):
    problem = random_problem(3, 4, ["atan", "log1p"], n_candidates=50, **options)
    held = hold(problem, {"m_1": WHY})
    plan = allocate(held)
    assert plan.best_spend[1] == problem.reference[1]
    assert plan.best_spend.sum() == pytest.approx(problem.total, rel=1e-12)
    assert plan.certificate.kkt_gap_share < 1e-6
    assert plan.score <= allocate(problem).score
    table = allocation_tables(plan, evidence(problem, {"m_1"}))["budget_allocation"].set_index("term")
    assert list(table["held"]) == [False, True, False, False]
    assert list(table["evidence"]) == ["ok", "weak", "ok", "ok"]
    assert table.loc["m_1", "evidence_why"] == WHY


def test_evidence_is_shown_when_nothing_is_held():
    problem = random_problem(3, 3, ["atan"], n_candidates=50)
    table = allocation_tables(allocate(problem), evidence(problem, {"m_0"}))["budget_allocation"]
    assert list(table["evidence"]) == ["weak", "ok", "ok"]
    assert not table["held"].any()
    unknown = allocation_tables(allocate(problem))["budget_allocation"]
    assert set(unknown["evidence"]) == {"unknown"}
    assert unknown["contraction"].isna().all()


def test_no_weak_channel_leaves_the_problem_alone():
    problem = random_problem(3, 3, ["atan"])
    assert hold(problem, {"m_other": WHY}) is problem


def test_all_channels_may_be_held_when_the_reference_spends_the_budget():
    problem = make_problem(LOGS, [1.0, 2.0, 3.0], 60.0, reference=[10.0, 20.0, 30.0])
    plan = allocate(hold(problem, {f"m_{i}": WHY for i in range(3)}))
    np.testing.assert_array_equal(plan.best_spend, [10.0, 20.0, 30.0])


@pytest.mark.parametrize(
    ("total", "numbers"),
    [(200.0, ["channel_0", "10 in all", "between 10 and 110", "budget 200"]), (5.0, ["between 10 and 110"])],
)
def test_a_budget_that_the_others_cannot_make_up_is_refused(total, numbers):
    problem = make_problem(
        LOGS, [1.0, 2.0, 3.0], total, reference=[10.0, 20.0, 30.0], upper=[150.0, 50.0, 50.0], lower=[0.0, 0.0, 0.0]
    )
    with pytest.raises(AllocationError, match="others cannot make up the budget") as caught:
        hold(problem, {"m_0": WHY})
    assert all(number in caught.value.got for number in numbers)
    assert caught.value.where == "allocation.hold_weak"


def test_a_reference_outside_its_bounds_cannot_be_held():
    problem = make_problem(LOGS, [1.0, 2.0, 3.0], 60.0, reference=[10.0, 20.0, 30.0], lower=[15.0, 0.0, 0.0])
    with pytest.raises(AllocationError, match="bounds exclude it") as caught:
        hold(problem, {"m_0": WHY})
    assert "reference 10, bounds 15 to inf" in caught.value.got

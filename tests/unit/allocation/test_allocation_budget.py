"""Feasible plans: projections and random candidates."""

from __future__ import annotations

import numpy as np
import pytest
from allocation_cases import make_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from dsam_assets.allocation.budget import nearest_feasible, settle, split_like
from dsam_assets.allocation.candidates import random_candidates
from dsam_assets.design.response import Response


def test_split_keeps_the_proportions_that_the_bounds_allow():
    lower, upper = np.array([0.0, 0.0, 5.0]), np.array([100.0, 20.0, 100.0])
    # Free: 80 : 40 : 20 of 70 → 40 : 20 : 10; the second is capped at 20 already.
    np.testing.assert_allclose(split_like(np.array([80.0, 40.0, 20.0]), lower, upper, 70.0), [40.0, 20.0, 10.0])
    # More budget: the second stays at 20, the rest keeps 4 : 1.
    np.testing.assert_allclose(split_like(np.array([80.0, 40.0, 20.0]), lower, upper, 120.0), [80.0, 20.0, 20.0])
    # Less: the third stays at its minimum of 5, the others keep 2 : 1.
    np.testing.assert_allclose(split_like(np.array([80.0, 40.0, 1.0]), lower, upper, 35.0), [20.0, 10.0, 5.0])


def test_split_without_any_reference_is_equal_and_spills_only_when_needed():
    upper = np.array([50.0, 50.0, 50.0])
    np.testing.assert_allclose(split_like(np.zeros(3), np.zeros(3), upper, 60.0), [20.0, 20.0, 20.0])
    np.testing.assert_allclose(split_like(np.array([9.0, 0.0, 0.0]), np.zeros(3), upper, 90.0), [50.0, 20.0, 20.0])


def test_nearest_feasible_is_the_euclidean_projection():
    rng = np.random.default_rng(1)
    lower, upper, point = np.array([0.0, 2.0, 0.0]), np.array([6.0, 9.0, 3.0]), np.array([8.0, 1.0, 1.5])
    found = nearest_feasible(point, lower, upper, 12.0)
    rivals = rng.uniform(lower, upper, size=(200_000, 3))
    rivals[:, 1] = 12.0 - rivals[:, 0] - rivals[:, 2]
    rivals = rivals[(rivals[:, 1] >= 2.0) & (rivals[:, 1] <= 9.0)]
    nearest = np.min(np.linalg.norm(rivals - point, axis=1))
    distance = np.linalg.norm(found - point)
    assert distance <= nearest + 1e-12
    assert distance == pytest.approx(nearest, rel=5e-3)


@st.composite
def boxes(draw):
    count = draw(st.integers(1, 8))
    spends = st.floats(0.0, 1e6)
    ends = np.sort(np.array([[draw(spends), draw(spends)] for _ in range(count)]), axis=1)
    share = draw(st.floats(0.0, 1.0))
    lower, upper = ends[:, 0], ends[:, 1]
    total = float((lower + share * (upper - lower)).sum())
    return lower, upper, total, np.array([draw(spends) for _ in range(count)])


@settings(derandomize=True, deadline=None)
@given(boxes())
def test_projections_are_feasible(box):
    lower, upper, total, point = box
    for plan in (nearest_feasible(point, lower, upper, total), split_like(point, lower, upper, total)):
        assert abs(plan.sum() - total) <= 1e-9 * max(total, 1e-9)
        assert np.all(plan >= lower)
        assert np.all(plan <= upper)


def test_candidates_are_feasible_seeded_and_spread_out():
    problem = make_problem(
        [Response()] * 4, np.ones(4), 100.0, lower=[5.0, 0.0, 10.0, 0.0], upper=[30.0, 40.0, 90.0, np.inf]
    )
    plans = random_candidates(problem, 3000, np.random.default_rng(7))
    np.testing.assert_allclose(plans.sum(axis=1), 100.0, rtol=1e-13)
    assert np.all(plans >= problem.lower)
    assert np.all(plans <= problem.upper)
    assert np.any(plans[:, 0] == 30.0)
    assert plans[:, 3].std() > 10.0
    np.testing.assert_array_equal(plans, random_candidates(problem, 3000, np.random.default_rng(7)))


def test_candidates_fill_up_when_most_channels_are_small():
    upper = [1.0] * 6 + [60.0, 60.0]
    problem = make_problem([Response()] * 8, np.ones(8), 120.0, upper=upper)
    plans = random_candidates(problem, 500, np.random.default_rng(2))
    np.testing.assert_allclose(plans.sum(axis=1), 120.0, rtol=1e-13)


def test_projection_of_a_point_far_outside_a_tiny_box():
    plan = nearest_feasible(np.array([16385.0]), np.zeros(1), np.array([1e-12]), 0.0)
    np.testing.assert_array_equal(plan, [0.0])


def test_settling_gives_the_crumbs_to_the_channel_with_the_most_room():
    lower, upper = np.zeros(3), np.array([5.0, 9.0, 7.0])
    np.testing.assert_array_equal(settle(np.array([4.0, 4.0, 4.0]), lower, upper, 12.5), [4.0, 4.5, 4.0])
    np.testing.assert_array_equal(settle(np.array([4.0, 3.0, 4.0]), lower, upper, 10.5), [3.5, 3.0, 4.0])


def test_candidates_when_the_bounds_leave_one_plan():
    problem = make_problem([Response()] * 2, np.ones(2), 30.0, upper=[10.0, 20.0])
    np.testing.assert_allclose(random_candidates(problem, 10, np.random.default_rng(0)), np.tile([10.0, 20.0], (10, 1)))

"""Budget problems for the allocation tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dsam_assets.allocation.objective import Objective
from dsam_assets.allocation.problem import Channel, Problem
from dsam_assets.design.response import Response


def make_problem(
    responses: Sequence[Response],
    draws: Any,
    total: float,
    *,
    lower: Sequence[float] | None = None,
    upper: Sequence[float] | None = None,
    reference: Sequence[float] | None = None,
    rates: Sequence[float] | None = None,
    observed: Sequence[float] | None = None,
    names: Sequence[str] | None = None,
    **options: Any,
) -> Problem:
    """A problem with one channel per response; `draws` has shape (S, C) or (C,) for a single draw."""
    count = len(responses)
    channels = tuple(
        Channel(
            name=names[i] if names else f"channel_{i}",
            term=f"m_{names[i] if names else i}",
            response=responses[i],
            lower=lower[i] if lower else 0.0,
            upper=upper[i] if upper else np.inf,
            reference=reference[i] if reference else total / count,
            observed_max=observed[i] if observed else np.nan,
            currency_rate=rates[i] if rates else 1.0,
        )
        for i in range(count)
    )
    return Problem(channels, np.atleast_2d(np.asarray(draws, dtype=np.float64)), float(total), **options)


def random_problem(
    seed: int, count: int, kinds: Sequence[str], *, draws: int = 40, n: float = 1.0, **options: Any
) -> Problem:
    """A problem with shapes, scales, coefficients and references at random."""
    rng = np.random.default_rng(seed)
    responses = [Response(kinds[i % len(kinds)], scale=float(rng.uniform(20, 200)), n=n) for i in range(count)]
    effect = rng.gamma(4.0, 0.25, size=(1, count)) * np.exp(rng.normal(0.0, 0.3, size=(draws, count)))
    options.setdefault("reference", rng.uniform(10, 100, size=count).tolist())
    return make_problem(responses, effect * options.pop("effect", 1.0), 60.0 * count, **options)


def simplex_grid(total: float, steps: int, count: int) -> np.ndarray:
    """Every plan of 2 or 3 channels on a regular grid that sums to the total."""
    axis = np.arange(steps + 1)
    if count == 2:
        return np.column_stack([axis, steps - axis]) * total / steps
    first, second = np.meshgrid(axis, axis, indexing="ij")
    keep = first + second <= steps
    return np.column_stack([first[keep], second[keep], steps - first[keep] - second[keep]]) * total / steps


def refined_grid(problem: Problem, steps: int = 200, rounds: int = 7) -> float:
    """The best score of a problem with three channels: a grid over all plans, then ever finer ones around the best."""
    objective = Objective(problem)
    around = simplex_grid(problem.total, steps, 3)
    around = around[np.all((around >= problem.lower) & (around <= problem.upper), axis=1)]
    width, best, score = problem.total / steps, around[0], -np.inf
    for _ in range(rounds):
        scores = objective.scores(around)
        if scores.max() > score:
            best, score = around[int(scores.argmax())], float(scores.max())
        offsets = np.linspace(-2 * width, 2 * width, 33)
        first, second = (axis.ravel() for axis in np.meshgrid(offsets, offsets))
        around = best + np.column_stack([first, second, -first - second])
        around = around[np.all((around >= problem.lower) & (around <= problem.upper), axis=1)]
        width /= 6
    return score

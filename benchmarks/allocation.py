"""Budget plans against the documented search: how far 2,000 random candidates fall short, and what a plan costs.

    python benchmarks/allocation.py

Both see the same problem, draws and score. The shortfall is (plan − best candidate) / |plan|, scores measured from the
reference; `bound` is the largest possible distance of the plan itself from the optimum, where one is proven. The clock
covers the plan with its certificate; for a target it covers the search for the largest budget too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsam_assets.allocation.allocate import Allocation, allocate
from dsam_assets.allocation.problem import Channel, Problem
from dsam_assets.design.response import Kind, Response

CONCAVE: tuple[Kind, ...] = ("atan", "log1p", "hill")


@dataclass(frozen=True)
class Case:
    """A kind of problem: shapes of its channels in turn, and what is asked of it."""

    name: str
    channels: int
    kinds: tuple[Kind, ...] = CONCAVE
    hill_shape: float = 1.0
    effect: float = 1.0
    asked: Mapping[str, Any] = field(default_factory=dict)


LOG = {"response_scale": "log", "kpi_baseline": 100.0}
CAUTIOUS = {"risk": "mean_minus_sd", "risk_lambda": 1.0}
PESSIMIST = {"risk": "quantile", "risk_quantile": 0.1}
CASES = (
    Case("concave", 5),
    Case("S-shaped", 5, ("hill",), 2.5),
    Case("log response", 5, effect=0.1, asked=LOG),
    Case("mean - 1 sd", 5, asked=CAUTIOUS),
    Case("10 % quantile", 5, asked=PESSIMIST),
    Case("concave", 100),
    Case("S-shaped", 100, ("hill",), 2.5),
    Case("log response", 100, effect=0.02, asked=LOG),
    Case("mean - 1 sd", 100, asked=CAUTIOUS),
    Case("10 % quantile", 100, asked=PESSIMIST),
)


def problem_of(case: Case, seed: int, draws: int) -> Problem:
    """A problem with scales, effects and references at random, and a budget of 60 per channel."""
    rng, count = np.random.default_rng(seed), case.channels
    shapes = [
        Response(case.kinds[i % len(case.kinds)], float(rng.uniform(20, 200)), case.hill_shape) for i in range(count)
    ]
    effects = case.effect * rng.gamma(4.0, 0.25, size=count) * np.exp(rng.normal(0.0, 0.3, size=(draws, count)))
    references = rng.uniform(10, 100, size=count)
    references *= 60.0 * count / references.sum()
    channels = tuple(
        Channel(f"channel_{i}", f"m_{i}", shape, 0.0, np.inf, float(references[i])) for i, shape in enumerate(shapes)
    )
    return Problem(channels, effects, 60.0 * count, **case.asked)


def shortfall(plan: Allocation) -> float:
    """What the best of the random candidates misses of the plan's score, as a share."""
    return (plan.score - float(plan.candidate_scores.max())) / abs(plan.score)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{'problem':<16}{'channels':>9}{'shortfall of 2,000 candidates':>32}{'bound':>10}{'seconds':>9}")
    for case in CASES:
        plans, began = [], time.perf_counter()
        for seed in range(arguments.seeds):
            plans.append(allocate(problem_of(case, seed, arguments.draws)))
        seconds = (time.perf_counter() - began) / arguments.seeds
        missed = np.array([shortfall(plan) for plan in plans])
        gaps = [plan.certificate.optimality_gap_share for plan in plans]
        bound = "none" if None in gaps else f"{max(gap or 0.0 for gap in gaps):.0e}"
        spread = f"{np.median(missed):.1%} ({missed.min():.1%} to {missed.max():.1%})"
        print(f"{case.name:<16}{case.channels:>9}{spread:>32}{bound:>10}{seconds:>9.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

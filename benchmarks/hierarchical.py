"""Effective draws per second of the hierarchical programs against a row-wise program, on the same data in one run.

    python benchmarks/hierarchical.py [--case small|large|all] [--programs NAME …] [--repeat N] [--rows]

Figure: smallest bulk ESS over coefficients, group sds and residual sd, per wall second of sampling (warm-up included,
compiling not). `--rows` measures the time per gradient at 150 and 15,000 rows per group instead.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.hierarchical import HierarchicalDesign, build_hierarchical_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.fit.stan_input import hierarchical_input
from resources.stan_runner import CmdStanRunner

ROWWISE = "rowwise_groups"
ROWWISE_FOLDER = Path(__file__).parent.parent / "tests" / "stan" / "programs"
CASES = {"small": (5, 150, 15, 4), "large": (50, 156, 20, 8)}
PROGRAMS = ("hierarchical_adjoint", "hierarchical", ROWWISE)


@dataclass(frozen=True)
class Result:
    """One program on one case."""

    program: str
    ess: float
    seconds: float
    gradients: int
    divergences: int
    rhat: float

    @property
    def rate(self) -> float:
        return self.ess / self.seconds


def make_design(groups: int, weeks: int, terms: int, varying: int, seed: int = 11) -> HierarchicalDesign:
    """Intercept and `terms` − 1 predictors, the first `varying` columns varying by group, with known coefficients."""
    rng = np.random.default_rng(seed)
    rows = groups * weeks
    codes = np.repeat(np.arange(groups), weeks)
    common = rng.normal(size=(rows, 1))
    X = np.column_stack([np.ones(rows), 0.5 * common + rng.normal(size=(rows, terms - 1))])
    deviations = rng.normal(size=(groups, varying)) * np.r_[1.0, np.full(varying - 1, 0.2)]
    y = X @ (np.r_[3.0, rng.normal(size=terms - 1) * 0.4]) + rng.normal(size=rows)
    y += np.einsum("nj,nj->n", X[:, :varying], deviations[codes])
    names = ("(Intercept)", *(f"x{position}" for position in range(1, terms)))
    matrix = ModelMatrix(names, X, y, np.zeros(rows), "y", "identity", np.arange(rows), {})
    levels = tuple(f"g{group}" for group in range(groups))
    group = GroupTerm(1, ("market",), names[:varying], X[:, :varying], codes, levels)
    return build_hierarchical_design(matrix, [group], scale=True)


def rowwise_input(design: HierarchicalDesign) -> dict[str, Any]:
    """The data block of rowwise_groups.stan: the same rows, priors and scale."""
    data = hierarchical_input(design)
    (group,), (scaling,) = design.groups, design.group_scalings
    rows = design.matrix
    kept = ("N", "K", "prior_mean", "prior_sd", "lower_bound", "upper_bound", "sd_location", "sd_spread")
    return {name: data[name] for name in kept} | {
        "G": len(group.levels),
        "J": len(group.terms),
        "X": (rows.values - design.scaling.x_center) / design.scaling.x_spread,
        "Z": (group.values - scaling.center) / scaling.spread,
        "group": group.codes + 1,
        "y": (rows.response - rows.offset - design.scaling.y_center) / design.scaling.y_spread,
    }


def run(program: str, design: HierarchicalDesign, settings: McmcSettings) -> Result:
    """Sample and reduce to the figures."""
    rowwise = program == ROWWISE
    data: Mapping[str, Any] = rowwise_input(design) if rowwise else hierarchical_input(design)
    raw = CmdStanRunner(folder=ROWWISE_FOLDER if rowwise else None, notify=print).sample(program, data, settings)
    ess, rhat = worst(raw)
    return Result(
        program, ess, raw.seconds, int(raw.sampler["n_leapfrog__"].sum()), int(raw.sampler["divergent__"].sum()), rhat
    )


def worst(raw: StanDraws) -> tuple[float, float]:
    """Smallest bulk ESS and largest R-hat over the parameters that both programs have."""
    import arviz

    values = [raw.parameters["coef"], raw.parameters["group_sd"], raw.parameters["noise_sd"][..., None]]
    draws = np.concatenate(values, axis=2)
    each = [draws[..., position] for position in range(draws.shape[2])]
    ess = min(float(arviz.ess(one, method="bulk")) for one in each)
    return ess, max(float(arviz.rhat(one)) for one in each)


def compare(name: str, programs: list[str], repeat: int) -> None:
    groups, weeks, terms, varying = CASES[name]
    design = make_design(groups, weeks, terms, varying)
    print(f"\n{groups} groups x {weeks} weeks x {terms} terms, {varying} varying; 4 chains x (1000 + 1000)")
    print(f"{'program':<24}{'ESS':>8}{'seconds':>9}{'ESS/s':>9}{'div':>6}{'R-hat':>8}{'us/gradient':>13}{'ratio':>8}")
    rates: dict[str, list[float]] = {program: [] for program in programs}
    for seed in range(1, repeat + 1):
        settings = McmcSettings(chains=4, warmup=1000, sampling=1000, seed=seed, parallel_chains=2)
        for program in reversed(programs):  # the row-wise program first, so that every line has its ratio
            result = run(program, design, settings)
            rates[program].append(result.rate)
            ratio = result.rate / rates[ROWWISE][-1] if ROWWISE in programs else float("nan")
            # Two chains at a time; gradients of the warm-up are not recorded, and it takes about as many again.
            per_gradient = 1e6 * result.seconds / result.gradients
            print(
                f"{program:<24}{result.ess:>8.0f}{result.seconds:>9.2f}{result.rate:>9.1f}{result.divergences:>6}"
                f"{result.rhat:>8.4f}{per_gradient:>13.1f}{ratio:>8.1f}",
                flush=True,
            )


def compare_rows(programs: list[str]) -> None:
    """Wall seconds per leapfrog step: a long run minus a short one, so that starting up and the JSON do not count."""
    logging.disable(logging.WARNING)  # that the trajectories are cut is the point
    for program in programs:
        data = {weeks: hierarchical_input(make_design(5, weeks, 15, 4)) for weeks in (150, 15_000)}
        times = dict.fromkeys(data, float("inf"))
        for _ in range(7):  # in turns, and the fastest counts, so that what else the machine does hits both alike
            for weeks, block in data.items():
                times[weeks] = min(times[weeks], _seconds_per_gradient(program, block))
        ratio = times[15_000] / times[150]
        each = ", ".join(f"{1e6 * seconds:.2f} us per gradient at {weeks:,} rows" for weeks, seconds in times.items())
        print(f"{program}: {each} per group: {ratio:.2f}")


def _seconds_per_gradient(program: str, data: Mapping[str, Any]) -> float:
    runner, seconds, steps = CmdStanRunner(), [], []
    for draws in (200, 4_200):
        # Without warm-up and with a tiny step every trajectory has 2^7 - 1 steps.
        settings = McmcSettings(
            chains=1, warmup=0, sampling=draws, seed=1, max_treedepth=7, step_size=1e-4, init_radius=0.1
        )
        raw = runner.sample(program, data, settings)
        seconds.append(raw.seconds)
        steps.append(float(raw.sampler["n_leapfrog__"].sum()))
    return (seconds[1] - seconds[0]) / (steps[1] - steps[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=[*CASES, "all"], default="all")
    parser.add_argument("--programs", nargs="+", default=list(PROGRAMS))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--rows", action="store_true", help="time per gradient by rows, instead")
    arguments = parser.parse_args()
    if arguments.rows:
        compare_rows([program for program in arguments.programs if program != ROWWISE])
        return
    for name in CASES if arguments.case == "all" else [arguments.case]:
        compare(name, arguments.programs, arguments.repeat)


if __name__ == "__main__":
    main()

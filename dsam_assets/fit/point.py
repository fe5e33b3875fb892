"""Maximum a posteriori estimation: the highest mode that climbs from several starts lead to.

The mode is that of the posterior density of the parameters as the user sees them: no Jacobian of Stan's constraints, no
noncentred priors, group deviations integrated out. Converting a mode to data units is linear, so it stays the mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.fit.point_model import Facts, PointModel, point_model
from dsam_assets.fit.point_starts import End, Start, best_start, climb
from dsam_assets.fit.point_tables import best_table, runs_table
from dsam_assets.fit.programs import first_that_compiles
from dsam_assets.fit.runner import OptimiseAlgorithm, OptimiseSettings, StanRunner
from dsam_assets.fit.sample import DEFAULT_SEED

SEEDS = 2**32
# Zero on the unconstrained scale is near the bulk of the posterior, a unit is about its sd, and far below a bound the
# density is flat: from Stan's own radius of 2 many climbs end there.
START_RADIUS = 0.1


class PointSection(Protocol):
    """The `fit` section of a config."""

    @property
    def seed(self) -> float | None: ...
    @property
    def optimise(self) -> Any: ...


@dataclass(frozen=True)
class PointSettings:
    """How to search for the mode.

    Attributes:
        starts: number of climbs.
        seed: of the first start; the k-th has `seed + k − 1`.
        iterations: steps at most, per start.
        algorithm: how to climb.
        init_radius: starts are uniform within ± this on the unconstrained scale; None leaves it to Stan.
        hessian: also give approximate standard deviations.
        as_vector: the table of starts has a column per parameter, else a row per start and parameter.
    """

    starts: int
    seed: int
    iterations: int = 2000
    algorithm: OptimiseAlgorithm = "lbfgs"
    init_radius: float | None = None
    hessian: bool = False
    as_vector: bool = True

    def start(self, run: int) -> OptimiseSettings:
        """Settings of one start, counted from 1."""
        seed = (self.seed + run - 1) % SEEDS
        return OptimiseSettings(seed, self.iterations, self.algorithm, self.init_radius)


@dataclass(frozen=True)
class PointFit:
    """The best mode.

    Attributes:
        draws: one chain of one draw in data units, group deviations at their conditional means.
        optimisation_runs: every start; columns as in `point_tables.runs_table`.
        optimisation_best: every parameter at the best start; columns as in `point_tables.best_table`.
    """

    draws: Draws
    optimisation_runs: pd.DataFrame
    optimisation_best: pd.DataFrame


def point_settings(fit: PointSection) -> PointSettings:
    """Settings of a config; `fit.optimise.seed` wins over `fit.seed`, and a missing seed is a fixed one."""
    optimise = fit.optimise
    seed = optimise.seed if optimise.seed is not None else fit.seed
    return PointSettings(
        starts=optimise.n_runs,
        seed=DEFAULT_SEED if seed is None else int(seed),
        iterations=optimise.iter,
        algorithm=optimise.algorithm,
        init_radius=_radius(optimise.init),
        hessian=optimise.hessian,
        as_vector=optimise.as_vector,
    )


def _radius(init: float | str | None) -> float | None:
    if init is None or isinstance(init, str):
        return START_RADIUS if init == "random" else None
    return float(init)


def fit_point(design: ModelDesign, settings: PointSettings, runner: StanRunner) -> PointFit:
    """Climb from every start and keep the highest end.

    A start that fails is a row of `optimisation_runs` with its message. Ends whose log posteriors agree to 1e-8 are one
    mode: of those, a converged start is the best one, and then the first.

    Raises:
        FitError: every start failed.
        ToolchainError: Stan cannot be found or compiled.
    """
    model = point_model(design)
    starts = first_that_compiles(model.programs, lambda program: _climbs(model, program, settings, runner))
    best, end = best_start(starts)
    draws = model.draws(end.point[None], _facts(model, settings, starts, best, end))
    if isinstance(design, HierarchicalDesign):
        draws = with_group_effects(draws, design, seed=settings.seed)
    return PointFit(
        draws,
        runs_table(starts, best, as_vector=settings.as_vector),
        best_table(model, end, hessian=settings.hessian),
    )


def _climbs(model: PointModel, program: str, settings: PointSettings, runner: StanRunner) -> list[Start]:
    """One climb after the other: each takes milliseconds."""
    return [climb(model, program, run, settings.start(run), runner) for run in range(1, settings.starts + 1)]


def _facts(model: PointModel, settings: PointSettings, starts: Sequence[Start], best: Start, end: End) -> Facts:
    """Facts about the fit that go with its draws; the same inputs give the same facts."""
    matrix = model.design.matrix
    groups = "; ".join(f"{group.key}: {len(group.levels)}" for group in matrix.groups)
    return {
        "model_class": matrix.model_class,
        "method": "optimise",
        "response": matrix.response_name,
        "response_scale": matrix.response_scale,
        "coefficient_units": f"{matrix.response_name} on the {matrix.response_scale} scale per unit",
        "rows": len(matrix.response),
        "seed": settings.seed,
        "algorithm": settings.algorithm,
        "starts": len(starts),
        "starts_converged": sum(start.end is not None and start.end.converged for start in starts),
        "starts_failed": sum(start.end is None for start in starts),
        "best_start": best.run,
        "converged": int(end.converged),
        "stan_version": end.stan_version,
        **({"groups": groups} if groups else {}),
    }

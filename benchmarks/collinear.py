"""Leapfrog steps of collinear designs against an orthogonal design of the same size, with and without coordinates.

    python benchmarks/collinear.py [--rows N] [--terms K] [--repeat N]

"after" is the program of the package. "before" is the same model sampled in the coefficients themselves: for a linear
model tests/stan/programs/plain_linear.stan, for a hierarchical one the same program with coordinates that change
nothing (so without bounds only). Ratios are to the orthogonal design in the same program and with the same bounds.

- pair: two terms that nearly repeat each other, the others orthogonal
- spectrum: singular values in geometric progression, so that directions of every weight are mixed in all terms
- common: every term follows one common course
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.hierarchical import build_hierarchical_design
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.runner import McmcSettings
from dsam_assets.fit.stan_input import hierarchical_input, linear_input
from dsam_assets.scales import FloatArray
from resources.stan_runner import CmdStanRunner

PLAIN = "plain_linear"
PLAIN_FOLDER = Path(__file__).parent.parent / "tests" / "stan" / "programs"
DESIGNS = (("orthogonal", 1.0), ("pair", 1e5), ("spectrum", 1e3), ("spectrum", 1e5), ("common", 1e3))
GROUPS = 6


@dataclass(frozen=True)
class Bounded:
    """A row of `boundaries.overrides`."""

    parameter: str
    lower: float = 0.0
    upper: float = float("inf")


@dataclass(frozen=True)
class Steps:
    """What a fit cost: leapfrog steps per iteration and per effective draw (smallest bulk ESS), and how it went."""

    per_iteration: float
    per_draw: float
    rhat: float
    divergences: int
    seconds: float


def standardised_design(kind: str, condition: float, rows: int, terms: int, seed: int = 1) -> FloatArray:
    """Standardised predictors with the given condition number, shape (rows, terms)."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(rows, terms))
    Q, _ = np.linalg.qr(normal - normal.mean(axis=0))
    if kind == "orthogonal":
        return _standardised(Q)
    turn, _ = np.linalg.qr(rng.normal(size=(terms, terms)))
    course = rng.normal(size=(rows, 1))

    def made(strength: float) -> FloatArray:
        if kind == "pair":
            return _standardised(np.column_stack([Q[:, :-1], Q[:, 0] + Q[:, -1] / strength]))
        if kind == "spectrum":
            return _standardised(Q @ np.diag(np.geomspace(1, 1 / strength, terms)) @ turn.T)
        return _standardised(course + normal / strength)

    low, high = 0.0, 8.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.linalg.cond(made(10**middle)) < condition else (low, middle)
    return made(10**low)


def _standardised(X: FloatArray) -> FloatArray:
    centred = X - X.mean(axis=0)
    return np.asarray(centred / centred.std(axis=0, ddof=1))


def model_matrix(X: FloatArray, seed: int = 2) -> ModelMatrix:
    """An intercept, the predictors with positive coefficients, some of them near zero, and an R² of about 0.8."""
    rng = np.random.default_rng(seed)
    rows, terms = X.shape
    mean = X @ (0.02 + 0.3 * np.abs(rng.normal(size=terms)))
    y = 3.0 + mean + 0.5 * mean.std() * rng.normal(size=rows)
    names = ("(Intercept)", *(f"x{position}" for position in range(1, terms + 1)))
    values = np.column_stack([np.ones(rows), X])
    return ModelMatrix(names, values, y, np.zeros(rows), "y", "identity", np.arange(rows), {})


def linear_data(X: FloatArray, bounded: int) -> dict[str, Any]:
    """The linear program's data block; the first and the last `bounded` / 2 predictors are at least zero."""
    matrix = model_matrix(X)
    chosen = [*matrix.terms[1 : 1 + bounded // 2], *matrix.terms[len(matrix.terms) - (bounded - bounded // 2) :]]
    return linear_input(build_linear_design(matrix, scale=True, boundaries=[Bounded(name) for name in chosen]))


def hierarchical_data(X: FloatArray) -> dict[str, Any]:
    """The same rows in six groups, whose levels and whose effects of the first predictor differ."""
    matrix = model_matrix(X)
    codes = np.arange(len(X)) % GROUPS
    group = GroupTerm(1, ("g",), matrix.terms[:2], matrix.values[:, :2], codes, tuple(f"g{i}" for i in range(GROUPS)))
    return hierarchical_input(build_hierarchical_design(matrix, [group], scale=True))


def without_coordinates(data: Mapping[str, Any]) -> dict[str, Any]:
    """Coordinates that are the coefficients themselves; for data without bounds."""
    size = data["K"]
    return {**data, "unbounded_center": np.zeros(size), "unbounded_spread": np.eye(size)}


def measure(program: str, data: Mapping[str, Any], settings: McmcSettings) -> Steps:
    """Sample and count."""
    import arviz

    folder = PLAIN_FOLDER if program == PLAIN else None
    raw = CmdStanRunner(folder=folder, notify=print).sample(program, data, settings)
    found = [raw.parameters[name] for name in ("coef", "group_sd") if name in raw.parameters]
    values = np.concatenate([*found, raw.parameters["noise_sd"][..., None]], axis=2)
    each = [values[..., position] for position in range(values.shape[2])]
    steps = raw.sampler["n_leapfrog__"]
    return Steps(
        per_iteration=float(steps.mean()),
        per_draw=float(steps.sum()) / min(float(arviz.ess(one, method="bulk")) for one in each),
        rhat=max(float(arviz.rhat(one)) for one in each),
        divergences=int(raw.sampler["divergent__"].sum()),
        seconds=raw.seconds,
    )


def comparisons(X: FloatArray) -> Iterator[tuple[str, str, Mapping[str, Any], str, Mapping[str, Any]]]:
    """Model, program and data before, program and data after."""
    terms = X.shape[1]
    for label, bounded in (("linear", 0), ("linear, half bounded", terms // 2), ("linear, all bounded", terms)):
        data = linear_data(X, bounded)
        yield label, PLAIN, data, "linear", data
    data = hierarchical_data(X)
    yield "hierarchical", "hierarchical_adjoint", without_coordinates(data), "hierarchical_adjoint", data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=156)
    parser.add_argument("--terms", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=1, help="seeds; figures are means over them")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # trajectories cut at the largest tree are what "before" shows
    base: dict[tuple[str, str], Steps] = {}
    print(f"{arguments.rows} rows x {arguments.terms} terms; 4 chains x (1000 + 1000); ratios to the orthogonal design")
    print(f"{'model':<22}{'design':<18}{'':<8}{'steps/it':>9}{'ratio':>8}{'steps/ESS':>11}{'ratio':>8}"
          f"{'R-hat':>8}{'div':>6}{'seconds':>9}")  # fmt: skip
    for kind, condition in DESIGNS:
        X = standardised_design(kind, condition, arguments.rows, arguments.terms)
        for model, *pairs in comparisons(X):
            for when, program, data in (("before", *pairs[:2]), ("after", *pairs[2:])):
                steps = _mean([measure(program, data, _settings(seed)) for seed in range(1, arguments.repeat + 1)])
                first = base.setdefault((model, when), steps)
                ratios = steps.per_iteration / first.per_iteration, steps.per_draw / first.per_draw
                print(f"{model:<22}{f'{kind} {condition:.0e}':<18}{when:<8}{steps.per_iteration:>9.1f}{ratios[0]:>8.2f}"
                      f"{steps.per_draw:>11.1f}{ratios[1]:>8.2f}{steps.rhat:>8.3f}{steps.divergences:>6}"
                      f"{steps.seconds:>9.2f}", flush=True)  # fmt: skip


def _settings(seed: int) -> McmcSettings:
    return McmcSettings(chains=4, warmup=1000, sampling=1000, seed=seed, parallel_chains=2)


def _mean(found: list[Steps]) -> Steps:
    return Steps(
        per_iteration=float(np.mean([one.per_iteration for one in found])),
        per_draw=float(np.mean([one.per_draw for one in found])),
        rhat=max(one.rhat for one in found),
        divergences=sum(one.divergences for one in found),
        seconds=float(np.mean([one.seconds for one in found])),
    )


if __name__ == "__main__":
    main()

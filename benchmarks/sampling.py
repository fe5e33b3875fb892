"""Effective draws per second: the program on sufficient statistics against two programs on rows.

`row_wise` is the program that one writes first; `row_glm` uses Stan's own fused density for linear models.

    python benchmarks/sampling.py

All programs have the same model, priors and data, run in turn through the same Stan with the same settings, and give
the same posterior. The clock covers the sampling call (writing the data, all chains, reading the draws), after the
executables are compiled; sufficient statistics are computed within it. Effective draws are the smallest bulk ESS.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dsam_assets.design.scaling import Scaling, identity_scaling
from dsam_assets.design.sufficient import sufficient_statistics
from dsam_assets.fit.runner import McmcSettings, StanDraws
from dsam_assets.fit.stan_input import linear_coordinates
from dsam_assets.scales import FloatArray
from resources.stan_runner import CmdStanRunner

SHAPES = ((156, 20), (20_000, 20))
ROW_WISE = """
data {
  int<lower=1> N;
  int<lower=1> K;
  matrix[N, K] X;
  vector[N] y;
}
parameters {
  vector[K] coef;
  real<lower=0> noise_sd;
}
model {
  coef ~ normal(0, 5);
  noise_sd ~ normal(0, 5);
  y ~ normal(X * coef, noise_sd);
}
"""
ROW_GLM = ROW_WISE.replace("normal(X * coef, noise_sd)", "normal_id_glm(X, 0, coef, noise_sd)")


@dataclass(frozen=True)
class Program:
    """A Stan program's runner, and what its data block makes of the rows."""

    runner: CmdStanRunner
    data: Callable[[FloatArray, FloatArray], dict[str, Any]]


@dataclass(frozen=True)
class Timing:
    """Wall seconds, smallest bulk ESS and posterior means of one fit."""

    seconds: float
    ess: float
    means: FloatArray

    @property
    def rate(self) -> float:
        return self.ess / self.seconds


def standardised_rows(rows: int, terms: int) -> tuple[FloatArray, FloatArray]:
    """Correlated standardised predictors and a response with R² of about 0.8."""
    rng = np.random.default_rng(rows)
    X = rng.normal(size=(rows, terms)) + 0.7 * rng.normal(size=(rows, 1))
    X = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    y = X @ rng.normal(size=terms)
    y = y + 0.5 * y.std() * rng.normal(size=rows)
    return X, (y - y.mean()) / y.std(ddof=1)


def sufficient_data(X: FloatArray, y: FloatArray) -> dict[str, Any]:
    terms = X.shape[1]
    scaling: Scaling = identity_scaling(tuple(f"x{position}" for position in range(terms)))
    statistics = sufficient_statistics(X, y, scaling)
    data = {
        "N": len(y), "K": terms, "R": statistics.R, "z": statistics.z, "rss": statistics.rss,
        "prior_mean": np.zeros(terms), "prior_sd": np.full(terms, 5.0),
        "lower_bound": np.full(terms, -np.inf), "upper_bound": np.full(terms, np.inf),
        "noise_family": 0, "noise_location": 0.0, "noise_spread": 5.0, "noise_lower": 0.0, "noise_upper": np.inf,
        "noise_noncentered": 0, "prior_only": 0,
    }  # fmt: skip
    return data | linear_coordinates(data)


def row_data(X: FloatArray, y: FloatArray) -> dict[str, Any]:
    return {"N": len(y), "K": X.shape[1], "X": X, "y": y}


def timed(name: str, program: Program, X: FloatArray, y: FloatArray, settings: McmcSettings) -> Timing:
    started = time.perf_counter()
    draws = program.runner.sample(name, program.data(X, y), settings)
    seconds = time.perf_counter() - started
    return Timing(seconds, smallest_ess(draws), draws.parameters["coef"].mean(axis=(0, 1)))


def smallest_ess(draws: StanDraws) -> float:
    """Smallest bulk effective sample size over coefficients and noise sd."""
    import arviz as az
    import xarray as xr

    values: dict[str, Any] = {"coef": (("chain", "draw", "term"), draws.parameters["coef"])}
    values["noise_sd"] = (("chain", "draw"), draws.parameters["noise_sd"])
    sizes = az.ess(xr.Dataset(values), method="bulk")
    return min(float(sizes[name].min()) for name in values)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=1, help="fits per program; the fastest counts")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # the programs on rows meet a noise sd of 0 or infinity on their first steps
    with tempfile.TemporaryDirectory() as name:
        for program, text in (("row_wise", ROW_WISE), ("row_glm", ROW_GLM)):
            (Path(name) / f"{program}.stan").write_text(text)
        rows = CmdStanRunner(folder=Path(name))
        programs = {
            "row_wise": Program(rows, row_data),
            "row_glm": Program(rows, row_data),
            "linear": Program(CmdStanRunner(), sufficient_data),
        }
        warm_up(programs)
        print("rows     terms  program    seconds  min bulk ESS   ESS/s   ratio")
        for shape in SHAPES:
            compare(programs, shape, arguments.chains, arguments.repeats)
    return 0


def warm_up(programs: Mapping[str, Program]) -> None:
    """Compile the programs and read them into memory, outside the clock."""
    X, y = standardised_rows(30, 2)
    settings = McmcSettings(chains=1, warmup=50, sampling=50, seed=1)
    for name, program in programs.items():
        program.runner.sample(name, program.data(X, y), settings)


def compare(programs: Mapping[str, Program], shape: tuple[int, int], chains: int, repeats: int) -> None:
    X, y = standardised_rows(*shape)
    settings = McmcSettings(chains=chains, warmup=1000, sampling=1000, seed=1, parallel_chains=2)
    first: Timing | None = None
    for name, program in programs.items():
        fits = [timed(name, program, X, y, settings) for _ in range(repeats)]
        fit = max(fits, key=lambda one: one.rate)
        first = first or fit
        if not np.allclose(fit.means, first.means, atol=0.05):
            raise SystemExit(f"{name} and the first program disagree about the posterior means")
        numbers = f"{fit.seconds:8.2f} {fit.ess:13,.0f} {fit.rate:7,.0f} {fit.rate / first.rate:7.1f}"
        print(f"{shape[0]:<8,} {shape[1]:<6} {name:<9} {numbers}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

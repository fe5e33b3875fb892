"""Simulation-based calibration of every class of model: parameters from the prior, rows from them, ranks after a fit.

Talts, Betancourt, Simpson, Vehtari & Gelman (2018): where data are simulated from parameters that were drawn from the
prior, the parameters' ranks among posterior draws are uniform, whatever the model, the priors and the number of rows.
Every parameter has its prior in data units, so that priors do not depend on the simulated response.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Protocol

import numpy as np
from overrides import Bound, Prior
from panels import BALANCED, panel, panel_design
from pooled_markets import TWO, market, sums_by_hand

from dsam_assets.data.cre import cre_means
from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.hierarchical import HierarchicalDesign, build_hierarchical_design
from dsam_assets.design.linear import build_linear_design
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.design.pooled import build_pooled_design
from dsam_assets.design.priors import Parameter
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.model import sample_model
from dsam_assets.fit.runner import McmcSettings
from dsam_assets.scales import FloatArray
from resources.stan_runner import CmdStanRunner

RANKED = 63
DATA_SETS = 512
CORES = 2
WRONG_NOISE = 1.2

type Values = dict[str, float]
type Build = Callable[[ModelMatrix], ModelDesign]


class Mean(Protocol):
    """The response's mean, shape (N,), from parameters in data units, and the group deviations that went into it."""

    def __call__(self, truth: Values, rng: np.random.Generator) -> tuple[FloatArray, Values]: ...


@dataclass(frozen=True)
class Model:
    """A class of model as it is calibrated.

    Attributes:
        matrix: the rows, with a stand-in for the response.
        build: the design of a matrix; every prior and boundary is overridden.
        mean: how rows come about.
        derived: other quantities that are functions of the parameters, ranked as well.
        thin: iterations per ranked draw, so that draws are nearly independent.
    """

    matrix: ModelMatrix
    build: Build
    mean: Mean
    derived: Callable[[Values], Values]
    thin: int


@dataclass(frozen=True)
class Ranks:
    """Ranks of the truth, 0 … RANKED, per quantity, shape (data sets,), and those under a posterior that is wrong."""

    right: Mapping[str, FloatArray]
    wrong: Mapping[str, FloatArray]


def calibrate(name: str, data_sets: int = DATA_SETS, cores: int = CORES) -> Ranks:
    """Ranks of one of `MODELS`; the same name gives the same ranks.

    Processes are started afresh: each has its own environment, which cmdstanpy writes to.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        found = list(pool.map(partial(rank, name), range(data_sets), chunksize=8))
    right, wrong = ({key: np.array([one[side][key] for one in found]) for key in found[0][side]} for side in (0, 1))
    return Ranks(right, wrong)


def rank(name: str, number: int) -> tuple[dict[str, int], dict[str, int]]:
    """One data set: ranks under the posterior, and under one whose noise sd is 20 % too large."""
    model = _model(name)
    rng = np.random.default_rng([list(MODELS).index(name), number])
    truth = draw_parameters(model.build(model.matrix).parameters, rng)
    mean, deviations = model.mean(truth, rng)
    response = mean + model.matrix.offset + truth["noise_sd"] * rng.normal(size=len(mean))
    design = model.build(replace(model.matrix, response=response))
    settings = McmcSettings(
        chains=1, warmup=400, sampling=RANKED * model.thin, thin=model.thin, seed=number + 1, adapt_delta=0.9
    )
    found = quantities(sample_model(design, settings, CmdStanRunner()))
    true = truth | deviations | model.derived(truth)
    right = {key: int((found[key] < value).sum()) for key, value in true.items()}
    return right, {"noise_sd": int((WRONG_NOISE * found["noise_sd"] < truth["noise_sd"]).sum())}


def draw_parameters(parameters: Sequence[Parameter], rng: np.random.Generator) -> Values:
    """One draw of the prior, in data units: of the family, thrown away until it lies within the boundaries."""
    return {row.name: _draw(row, rng) for row in parameters}


def _draw(row: Parameter, rng: np.random.Generator) -> float:
    variance = np.log(1 + row.sd**2 / row.mean**2) if row.family == "lognormal_ms" else 0.0
    while True:
        value = (
            np.exp(rng.normal(np.log(row.mean) - variance / 2, np.sqrt(variance)))
            if row.family == "lognormal_ms"
            else rng.normal(row.mean, row.sd)
        )
        if row.lower < value < row.upper:
            return float(value)


def quantities(draws: Draws) -> dict[str, FloatArray]:
    """Draws of everything by name, shape (S,), group deviations as `market[m0]:x`."""
    found = {name: values.reshape(-1) for name, values in draws.parameters.items()}
    for part in draws.deviations:
        for g, level in enumerate(part.levels):
            for j, term in enumerate(part.terms):
                found[f"{part.key}[{level}]:{term}"] = part.values[:, :, g, j].reshape(-1)
    return found


def nothing_else(_: Values) -> Values:
    return {}


# --- linear ---------------------------------------------------------------------------------------------------------


def plain_matrix(columns: Mapping[str, FloatArray]) -> ModelMatrix:
    size = len(next(iter(columns.values())))
    values, stand_in = np.column_stack(list(columns.values())), np.arange(size, dtype=float)
    return ModelMatrix(tuple(columns), values, stand_in, np.zeros(size), "y", "identity", np.arange(size), {})


def linear_mean(matrix: ModelMatrix) -> Mean:
    return lambda truth, rng: (matrix.values @ [truth[term] for term in matrix.terms], {})


def linear_columns(rows: int) -> dict[str, FloatArray]:
    """An intercept, two predictors that nearly repeat each other, and two in other units."""
    rng = np.random.default_rng(5)
    a = 2 + rng.normal(size=rows)
    return {
        "(Intercept)": np.ones(rows),
        "a": a,
        "b": a + 0.15 * rng.normal(size=rows),
        "c": 100 * rng.gamma(2.0, size=rows),
        "d": rng.normal(size=rows),
    }


def blm() -> Model:
    """Bounds below, above, on both sides and none, on terms that nearly repeat each other; lognormal_ms noise."""
    matrix = plain_matrix(linear_columns(rows=12))
    priors = (
        Prior("(Intercept)", 1.0, 2.0),
        Prior("a", 0.3, 1.0),
        Prior("b", 0.2, 0.8),
        Prior("c", 0.004, 0.006),
        Prior("d", -0.2, 1.0),
        Prior("noise_sd", 1.0, 0.5, "lognormal_ms"),
    )
    bounds = (Bound("a", lower=0.0), Bound("b", -0.5, 1.0), Bound("d", upper=0.4))
    build = partial(build_linear_design, scale=True, priors=priors, boundaries=bounds)
    return Model(matrix, build, linear_mean(matrix), nothing_else, thin=6)


def updated() -> Model:
    """Informative priors as estimates and standard errors of an earlier fit; nothing is standardised."""
    matrix = plain_matrix(linear_columns(rows=10))
    priors = (
        Prior("(Intercept)", 4.1, 0.6),
        Prior("a", 1.2, 0.4),
        Prior("b", -0.9, 0.35),
        Prior("c", 0.011, 0.002),
        Prior("d", 0.5, 0.1),
        Prior("noise_sd", 0.8, 0.6),
    )
    build = partial(build_linear_design, scale=False, priors=priors)
    return Model(matrix, build, linear_mean(matrix), nothing_else, thin=6)


# --- hierarchical ---------------------------------------------------------------------------------------------------


def panel_mean(matrix: ModelMatrix) -> Mean:
    """Population, plus deviations drawn with the true sds."""

    def mean(truth: Values, rng: np.random.Generator) -> tuple[FloatArray, Values]:
        total, named = matrix.values @ [truth[term] for term in matrix.terms], {}
        for group in matrix.groups:
            u = _deviations(group, truth, rng)
            total = total + (group.values * u[group.codes]).sum(axis=1)
            for (g, j), value in np.ndenumerate(u):
                named[f"{group.key}[{group.levels[g]}]:{group.terms[j]}"] = float(value)
        return total, named

    return mean


def _deviations(group: GroupTerm, truth: Values, rng: np.random.Generator) -> FloatArray:
    sd = np.array([truth[name] for name in group.sd_names])
    return sd * rng.normal(size=(len(group.levels), len(group.terms)))


def panel_model(design: HierarchicalDesign, priors: Sequence[Prior], bounds: Sequence[Bound], thin: int) -> Model:
    def build(matrix: ModelMatrix) -> HierarchicalDesign:
        return build_hierarchical_design(matrix, matrix.groups, scale=True, priors=priors, boundaries=bounds)

    return Model(design.matrix, build, panel_mean(design.matrix), nothing_else, thin)


def hierarchical() -> Model:
    """Intercept and slope by market, crossed with brands' intercepts; unbalanced."""
    design = panel_design(f"{BALANCED} + (1 | brand)", panel(seed=2, markets=4, weeks=3, brands=3, keep=0.7))
    priors = (
        Prior("(Intercept)", 20.0, 3.0),
        Prior("x", 0.5, 0.6),
        Prior("w", -0.5, 0.5),
        Prior("noise_sd", 1.0, 0.5, "lognormal_ms"),
        Prior("sd_1[(Intercept)]", 0.0, 1.5),
        Prior("sd_1[x]", 0.4, 0.2, "lognormal_ms"),
        Prior("sd_2[(Intercept)]", 0.5, 0.5),
    )
    return panel_model(design, priors, (Bound("x", lower=0.0),), thin=12)


def cre() -> Model:
    """A predictor next to its own group means, which hardly differ from the groups' levels."""
    frame = cre_means(panel(seed=4, markets=6, weeks=4, brands=1), ["x"], ["market"]).frame
    design = panel_design("kpi ~ x + w + cre_mean_x + (1 | market)", frame)
    priors = (
        Prior("(Intercept)", 15.0, 4.0),
        Prior("x", 0.8, 0.7),
        Prior("w", -0.5, 0.5),
        Prior("cre_mean_x", 1.0, 1.5),
        Prior("noise_sd", 0.8, 0.5),
        Prior("sd_1[(Intercept)]", 1.0, 0.8, "lognormal_ms"),
    )
    return panel_model(design, priors, (), thin=12)


# --- pooled ---------------------------------------------------------------------------------------------------------


def pooled() -> Model:
    """Two grouping variables, so that only priors tell their labels' parts apart; one label is bounded."""
    matrix = market(rows=14)
    priors = (
        Prior("(Intercept)", 8500.0, 500.0),
        Prior("trend", 250.0, 150.0),
        Prior("price", -50.0, 20.0),
        Prior("channel[search]", 0.8, 0.5),
        Prior("channel[tv]", 0.2, 0.9),
        Prior("channel[social]", 0.0, 0.7),
        Prior("owner[us]", 0.3, 0.6),
        Prior("owner[them]", 0.1, 0.4),
        Prior("noise_sd", 250.0, 120.0, "lognormal_ms"),
    )
    bounds = (Bound("channel[tv]", lower=0.0),)
    build = partial(build_pooled_design, pooling_map=TWO, scale=True, priors=priors, boundaries=bounds)

    def sums(truth: Values) -> Values:
        found = sums_by_hand(matrix, TWO, {name: np.array(value) for name, value in truth.items()})
        return dict(zip(matrix.terms, found.tolist(), strict=True))

    return Model(matrix, build, lambda truth, rng: (matrix.values @ list(sums(truth).values()), {}), sums, thin=8)


MODELS: Mapping[str, Callable[[], Model]] = {
    "blm": blm, "bayes_lm_updater": updated, "hierarchical": hierarchical, "cre": cre, "pooled": pooled
}  # fmt: skip


@cache
def _model(name: str) -> Model:
    return MODELS[name]()

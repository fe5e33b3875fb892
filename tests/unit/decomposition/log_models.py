"""Models of every class with a log response, their draws, and parts of the fitted KPI by numerical integration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from panels import FORMULAS, case
from pooled_markets import TWO, market

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.group_effects import with_group_effects
from dsam_assets.scales import FloatArray

MEDIA = {"blm": ("m_tv_a", "m_tv_b", "m_search", "m_social"), "pooled": TWO.variables}
CLASSES = ("blm", "pooled", *FORMULAS)


def media_of(name: str) -> tuple[str, ...]:
    return MEDIA.get(name, ("x", "w"))


def model(name: str, *, log: bool = True, seed: int = 5, point: bool = False) -> tuple[Draws, ModelMatrix]:
    """A model matrix and draws that reach log predictors between about −2 and 8."""
    rng = np.random.default_rng(seed)
    if name in ("blm", "pooled"):
        matrix = replace(market(30), pooling=TWO if name == "pooled" else None)
        scale = np.abs(matrix.values).max(axis=0)
        matrix = replace(matrix, offset=matrix.offset / 200, response=matrix.response / 2000)
    else:
        design = case(name)
        matrix, scale = design.matrix, np.abs(design.matrix.values).max(axis=0)
    shape = (1, 1) if point else (2, 25)
    coef = rng.normal(size=(*shape, len(matrix.terms))) / scale
    coef[..., 0] += 4
    attributes = {"method": "optimise"} if point else {}
    draws = Draws(matrix.terms, coef, rng.uniform(0.2, 0.9, size=shape), {}, 10, attributes)
    if name not in ("blm", "pooled"):
        draws = _with_deviations(draws, design, rng)
    return draws, replace(matrix, response_scale="log" if log else "identity")


def _with_deviations(draws: Draws, design: HierarchicalDesign, rng: np.random.Generator) -> Draws:
    sds = {name: rng.gamma(2.0, 0.02, size=draws.noise_sd.shape) for name in design.sd_names}
    return with_group_effects(replace(draws, group_sd=sds), design, seed=1)


def row_terms(draws: Draws, matrix: ModelMatrix, row: int) -> dict[str, FloatArray]:
    """coefficient × column of every term of one row, written out from the definition, shape (S,) each."""
    found = {
        term: draws.coef[..., j].ravel() * matrix.values[row, j]  #
        for j, term in enumerate(matrix.terms)
    }
    for group, each in zip(matrix.groups, draws.deviations, strict=True):
        for j, term in enumerate(group.terms):
            own = each.values[:, :, group.codes[row], j].ravel() * group.values[row, j]
            found[term] = found.get(term, 0.0) + own
    return found


def integrated_parts(
    draws: Draws, matrix: ModelMatrix, row: int, media: tuple[str, ...], *, half_variance: bool = True
) -> dict[str, FloatArray]:
    """Parts of one row's fitted KPI: c_j ∫ exp(path) by Gauss–Legendre quadrature, first baseline, then media."""
    terms = row_terms(draws, matrix, row)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    level = terms.pop("(Intercept)") + matrix.offset[row]
    factor = np.exp(0.5 * draws.noise_flat**2) if half_variance else np.ones(draws.noise_flat.size)
    parts, bottom = {"(Intercept)": np.exp(level) * factor}, level
    for names in ([t for t in terms if t not in media], [t for t in terms if t in media]):
        step = sum((terms[name] for name in names), np.zeros_like(level))
        along = bottom[:, None] + step[:, None] * (nodes + 1) / 2
        integral = (np.exp(along) * weights).sum(axis=1) / 2
        parts |= {name: terms[name] * integral * factor for name in names}
        bottom = bottom + step
    return parts

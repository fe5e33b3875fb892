"""How a row's fitted KPI is divided among its terms.

On the model scale, and on the KPI scale of an identity response, the fitted value is a sum and nothing needs dividing:
a term's part is coefficient × column.

Under a log response the fitted KPI of a row and draw is a product, exp(η + σ²/2) with η = Σ_j c_j, c_j = coefficient ×
column. It is divided along the path on which it is built up: first the *level* η₀ (intercept and offset), then all
other baseline terms, then all media, each set growing from nothing to its full size in proportion:

    level:     exp(η₀) · F                          F = exp(σ²/2) for the conditional mean, 1 for median and point
    baseline:  c_j · L(η_b, η₀) · F                 η_b = η₀ + Σ of all terms that are neither level nor media
    media:     c_j · L(η, η_b) · F                  L(a, b) = (eᵃ − eᵇ) / (a − b), the logarithmic mean of eᵃ and eᵇ

This is the Aumann–Shapley price of each term along that path (Aumann and Shapley, 1974; Billera and Heath, 1982):
∂exp(η)/∂c_j integrated from one end to the other, in closed form because the derivative of exp is exp. In energy
accounting it is known as the logarithmic mean Divisia index (Ang and Liu, 2001: "perfect in decomposition and
consistent in aggregation"). What it keeps, draw by draw:

- *additive*: the parts of a row add up to its fitted KPI, and so do those of weeks, units and groups of terms;
- *order*: the terms of a set take part at once, so none is favoured by its position;
- *aggregation*: the part of two terms together is the sum of their parts, so a finer formula moves nobody else;
- *sign and zero*: a part has the sign of c_j, and a term that is zero in a row has no part in it;
- *units*: columns in other units change nothing, and a KPI in other units scales all parts alike;
- *media are incremental*: together they are the fitted KPI minus the fitted KPI without media, whatever the coding of
  the baseline (centred trends, reference levels of factors). A channel's part lies between what it adds to the baseline
  alone and what would be lost if it alone stopped, where all media effects are positive.

Media come last because zero spend means something and the zero of a baseline column mostly does not. How the baseline
divides into intercept, trend, season and controls depends on where those columns have their zeros, here as in an
identity model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsam_assets.decomposition.term_groups import OFFSET
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.scales import ConversionMethod, FloatArray

NEAR = 1e-3  # below this gap the difference of two exponentials is less exact than four terms of the series


def log_mean(lower: FloatArray, upper: FloatArray, gap: FloatArray) -> FloatArray:
    """(eᵃ − eᵇ) / (a − b) from `lower` = eᵇ, `upper` = eᵃ and `gap` = a − b of any sign; eᵇ where that is 0."""
    near = np.abs(gap) < NEAR
    mean = (upper - lower) / np.where(near, 1.0, gap)
    g = gap[near]
    mean[near] = lower[near] * (1 + g * (1 / 2 + g * (1 / 6 + g / 24)))
    return mean


@dataclass(frozen=True, eq=False)
class Piece:
    """Some rows of one panel unit.

    Attributes:
        columns: the terms' columns, shape (n, T).
        coef: the unit's coefficients under each draw, shape (T, S).
        offset: shape (n,).
        noise_sd: shape (S,).
        starts: first row of each run of rows that are added up, ascending from 0, shape (C,).
        slopes: columns that stand in for terms' columns when their effect is differentiated, shape (n, M).
        positions: the term of each slope, length M.
    """

    columns: FloatArray
    coef: FloatArray
    offset: FloatArray
    noise_sd: FloatArray
    starts: NDArray[np.intp]
    slopes: FloatArray
    positions: Sequence[int]


@dataclass(frozen=True, eq=False)
class Attribution:
    """Which terms are level, baseline and media, and on which scale their parts are.

    Attributes:
        terms: T terms.
        media: which of them are media, shape (T,).
        multiplicative: whether the fitted value is exp of the predictor.
        method: how draws reach the KPI scale; `conditional_mean` takes exp(σ²/2) along.
        has_offset: whether any row has an offset.
    """

    terms: tuple[str, ...]
    media: NDArray[np.bool_]
    multiplicative: bool
    method: ConversionMethod
    has_offset: bool

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, length P: the terms; the offset where it is added, or where there is no intercept to
        take the level."""
        needs_own = not self.has_level if self.multiplicative else self.has_offset
        return (*self.terms, OFFSET) if needs_own else self.terms

    @property
    def has_level(self) -> bool:
        """Whether an intercept takes the level."""
        return INTERCEPT in self.terms

    def sums(self, piece: Piece) -> tuple[FloatArray, FloatArray]:
        """Parts added up by run, shape (C, P, S), and Σ slope × coefficient × w over all rows, shape (M, S).

        w is what a unit of predictor is worth: the fitted KPI under a log response, else 1. With slopes ∂column/∂λ the
        second is ∂(fitted total)/∂λ.
        """
        return self._shares(piece) if self.multiplicative else self._terms(piece)

    def _terms(self, piece: Piece) -> tuple[FloatArray, FloatArray]:
        parts = np.add.reduceat(piece.columns, piece.starts, axis=0)[:, :, np.newaxis] * piece.coef
        marginals = piece.slopes.sum(axis=0)[:, np.newaxis] * piece.coef[list(piece.positions)]
        if self.has_offset:
            fixed = np.add.reduceat(piece.offset, piece.starts)[:, np.newaxis, np.newaxis]
            shape = (len(piece.starts), 1, piece.coef.shape[1])
            parts = np.concatenate([parts, np.broadcast_to(fixed, shape)], axis=1)
        return parts, marginals

    def _shares(self, piece: Piece) -> tuple[FloatArray, FloatArray]:
        columns, coef, starts = piece.columns, piece.coef, piece.starts
        level = self.terms.index(INTERCEPT) if self.has_level else len(self.terms)
        base = [t for t in range(len(self.terms)) if t != level and not self.media[t]]
        media = np.flatnonzero(self.media)
        at = self._level(piece)
        below = np.exp(at)
        parts = np.empty((len(starts), len(self.parts), coef.shape[1]))
        parts[:, level] = np.add.reduceat(below, starts, axis=0)
        for chosen in (base, media):
            gap = columns[:, chosen] @ coef[chosen]
            at += gap
            above = np.exp(at)
            sums = weighted_sums(columns[:, chosen], log_mean(below, above, gap), starts)
            sums *= coef[chosen]
            parts[:, chosen], below = sums, above
        return parts, np.asarray((piece.slopes.T @ below) * coef[list(piece.positions)])

    def _level(self, piece: Piece) -> FloatArray:
        half_variance = 0.5 * piece.noise_sd**2 if self.method == "conditional_mean" else np.zeros_like(piece.noise_sd)
        level = piece.offset[:, np.newaxis] + half_variance
        if self.has_level:
            position = self.terms.index(INTERCEPT)
            level += piece.columns[:, position, np.newaxis] * piece.coef[position]
        return np.asarray(level)

    def model_scale(self, columns: FloatArray, coef: FloatArray, offset: FloatArray) -> FloatArray:
        """Σ coefficient × column over rows of one unit: posterior mean of every part on the model scale, shape (P,).

        An offset that has no part of its own is in the intercept's. `coef` has shape (T, S).
        """
        found = columns.sum(axis=0) * coef.mean(axis=1)
        if len(self.parts) > len(self.terms):
            return np.append(found, offset.sum())
        if self.has_offset:
            found[self.terms.index(INTERCEPT)] += offset.sum()
        return np.asarray(found)


def weighted_sums(columns: FloatArray, weights: FloatArray, starts: NDArray[np.intp]) -> FloatArray:
    """Σ column × weight over runs of rows, (n, T), (n, S) → (C, T, S)."""
    out = np.empty((len(starts), columns.shape[1], weights.shape[1]))
    for run, (start, stop) in enumerate(zip(starts, [*starts[1:], len(columns)], strict=True)):
        np.matmul(columns[start:stop].T, weights[start:stop], out=out[run])
    return out


def attribution(
    terms: Sequence[str],
    media: Sequence[str],
    *,
    multiplicative: bool,
    method: ConversionMethod = "conditional_mean",
    has_offset: bool = False,
) -> Attribution:
    """How fitted values are divided among `terms`, of which `media` are media.

    Args:
        multiplicative: for the KPI scale of a log response.
        method: how draws reach the KPI scale, as in `scales.draws_to_kpi`.
        has_offset: whether any row has an offset.
    """
    chosen = np.array([term in set(media) and term != INTERCEPT for term in terms], dtype=bool)
    return Attribution(tuple(terms), chosen, multiplicative, method, has_offset)

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


def log_mean(a: FloatArray, b: FloatArray) -> FloatArray:
    """(eᵃ − eᵇ) / (a − b), elementwise; eᵃ where a = b. Exact to rounding however close or far apart they are."""
    gap = np.abs(a - b)
    share = np.divide(-np.expm1(-gap), gap, out=np.ones_like(gap), where=gap > 0)
    return np.asarray(np.exp(np.maximum(a, b)) * share)


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

    def sums(
        self, columns: FloatArray, coef: FloatArray, offset: FloatArray, noise_sd: FloatArray, starts: NDArray[np.intp]
    ) -> FloatArray:
        """Parts summed over runs of rows of one panel unit.

        Args:
            columns: the terms' columns, shape (n, T).
            coef: the unit's coefficients under each draw, shape (T, S).
            offset: shape (n,).
            noise_sd: shape (S,).
            starts: first row of each run, ascending from 0, shape (C,).

        Returns:
            Shape (C, P, S).
        """
        if self.multiplicative:
            return self._shares(columns, coef, offset, noise_sd, starts)
        totals = np.add.reduceat(columns, starts, axis=0)[:, :, np.newaxis] * coef
        if not self.has_offset:
            return np.asarray(totals)
        fixed = np.add.reduceat(offset, starts)[:, np.newaxis, np.newaxis]
        return np.concatenate([totals, np.broadcast_to(fixed, (len(starts), 1, coef.shape[1]))], axis=1)

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

    def _shares(
        self, columns: FloatArray, coef: FloatArray, offset: FloatArray, noise_sd: FloatArray, starts: NDArray[np.intp]
    ) -> FloatArray:
        level = self.terms.index(INTERCEPT) if self.has_level else len(self.terms)
        base = [t for t in range(len(self.terms)) if t != level and not self.media[t]]
        media = np.flatnonzero(self.media)
        bottom = self._level(columns, coef, offset, noise_sd)
        middle = bottom + columns[:, base] @ coef[base]
        top = middle + columns[:, media] @ coef[media]
        out = np.empty((len(starts), len(self.parts), coef.shape[1]))
        out[:, level] = np.add.reduceat(np.exp(bottom), starts, axis=0)
        for chosen, weights in ((base, log_mean(middle, bottom)), (media, log_mean(top, middle))):
            sums = weighted_sums(columns[:, chosen], weights, starts)
            sums *= coef[chosen]
            out[:, chosen] = sums
        return out

    def marginals(
        self,
        columns: FloatArray,
        coef: FloatArray,
        offset: FloatArray,
        noise_sd: FloatArray,
        slopes: FloatArray,
        positions: Sequence[int],
    ) -> FloatArray:
        """Σ slope × coefficient × (fitted KPI under a log response, else 1) over rows of one unit, shape (M, S).

        With slopes ∂column/∂λ this is ∂(fitted total)/∂λ.

        Args:
            columns, coef, offset, noise_sd: as for `sums`.
            slopes: shape (n, M).
            positions: term of each slope, length M.
        """
        if not self.multiplicative:
            return np.asarray(slopes.sum(axis=0)[:, np.newaxis] * coef[list(positions)])
        others = [t for t, term in enumerate(self.terms) if term != INTERCEPT]
        fitted = np.exp(self._level(columns, coef, offset, noise_sd) + columns[:, others] @ coef[others])
        return np.asarray((slopes.T @ fitted) * coef[list(positions)])

    def _level(self, columns: FloatArray, coef: FloatArray, offset: FloatArray, noise_sd: FloatArray) -> FloatArray:
        half_variance = 0.5 * noise_sd**2 if self.method == "conditional_mean" else np.zeros_like(noise_sd)
        level = offset[:, np.newaxis] + half_variance
        if self.has_level:
            position = self.terms.index(INTERCEPT)
            level = level + columns[:, position, np.newaxis] * coef[position]
        return np.asarray(level)


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

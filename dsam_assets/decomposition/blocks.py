"""Parts of the fitted values, summed by panel unit and period, draw by draw, in blocks.

Never more than a block is held, about a million numbers, whatever the number of rows, terms and draws. A block belongs
to one panel unit, so that all its rows have the same coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsam_assets.decomposition.attribution import Attribution, Piece
from dsam_assets.design.groups import Grouping, panel_units
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.fit.predictor import BLOCK_CELLS, JointDraws
from dsam_assets.scales import FloatArray

MOST_PARTS = 1_000_000  # periods × parts × draws of a block: 8 MB stay near the processor's cache

type IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Slopes:
    """Columns that stand in for terms' columns when their effect is differentiated.

    Attributes:
        columns: shape (N, M).
        positions: the term of each, length M.
    """

    columns: FloatArray
    positions: Sequence[int]


@dataclass(frozen=True, eq=False)
class PartBlock:
    """Parts of some periods of one panel unit.

    Attributes:
        unit: code of the panel unit.
        periods: codes of the periods, ascending, shape (C,).
        parts: sums over the period's rows, shape (C, P, S).
        model_scale: coefficient × column on the model scale, summed over all rows: posterior mean, shape (P,).
        marginals: the second sum of `Attribution.sums` over all rows, shape (M, S).
        rows: rows in the block.
    """

    unit: int
    periods: IntArray
    parts: FloatArray
    model_scale: FloatArray
    marginals: FloatArray
    rows: int


def part_blocks(
    joint: JointDraws,
    matrix: ModelMatrix,
    split: Attribution,
    units: Grouping,
    periods: IntArray,
    slopes: Slopes | None = None,
) -> Iterator[PartBlock]:
    """All parts, unit after unit and within it period after period.

    Args:
        joint: draws.
        matrix: the model's rows.
        split: how a row's fitted value is divided.
        units: panel unit of each row.
        periods: period of each row, any codes ≥ 0, shape (N,).
        slopes: what is differentiated as well.
    """
    order = np.lexsort((periods, units.codes))
    given = slopes or Slopes(np.empty((len(order), 0)), ())
    most = max(1, MOST_PARTS // (len(split.parts) * joint.noise_sd.size))
    edges = np.flatnonzero(np.diff(units.codes[order])) + 1
    for rows in np.split(order, edges):
        coef = coefficients_at(joint, matrix, split.terms, int(rows[0]))
        starts = run_starts(periods[rows])
        for first in range(0, len(starts), most):
            stop = starts[first + most] if first + most < len(starts) else len(rows)
            chosen = rows[starts[first] : stop]
            yield _block(joint, matrix, split, coef, chosen, periods, given, int(units.codes[rows[0]]))


def _block(
    joint: JointDraws,
    matrix: ModelMatrix,
    split: Attribution,
    coef: FloatArray,
    rows: IntArray,
    periods: IntArray,
    slopes: Slopes,
    unit: int,
) -> PartBlock:
    draws = joint.noise_sd.size
    named = periods[rows[run_starts(periods[rows])]]
    parts = np.zeros((len(named), len(split.parts), draws))
    linear, marginals = np.zeros(len(split.parts)), np.zeros((len(slopes.positions), draws))
    step = max(1, BLOCK_CELLS // (draws if split.multiplicative else len(split.terms)))
    for start in range(0, len(rows), step):
        piece = rows[start : start + step]
        columns, offset = columns_at(matrix, split.terms, piece), matrix.offset[piece]
        starts, slope = run_starts(periods[piece]), slopes.columns[piece]
        sums, changes = split.sums(Piece(columns, coef, offset, joint.noise_sd, starts, slope, slopes.positions))
        parts[np.searchsorted(named, periods[piece[starts]])] += sums
        linear += split.model_scale(columns, coef, offset)
        marginals += changes
    return PartBlock(unit, named, parts, linear, marginals, len(rows))


def run_starts(codes: IntArray) -> IntArray:
    """Where runs of equal codes begin, from 0."""
    return np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1]).astype(np.intp)


def units_of(matrix: ModelMatrix) -> Grouping:
    """The panel units; one, without a name, where there is no panel."""
    return (
        panel_units(matrix.groups) if matrix.groups else Grouping(np.zeros(len(matrix.response), dtype=np.intp), ("",))
    )


def coefficients_at(joint: JointDraws, matrix: ModelMatrix, terms: Sequence[str], row: int) -> FloatArray:
    """Coefficients of one row under each draw: the population's plus all deviations that reach it, shape (T, S)."""
    values = np.zeros((len(terms), joint.noise_sd.size))
    values[[terms.index(term) for term in matrix.terms]] = joint.coef.T
    for group, deviations in zip(matrix.groups, joint.deviations, strict=True):
        values[[terms.index(term) for term in group.terms]] += deviations[group.codes[row]]
    return values


def columns_at(matrix: ModelMatrix, terms: Sequence[str], rows: IntArray) -> FloatArray:
    """The terms' columns at some rows, shape (n, T): those of the population, or of a group term that varies alone."""
    if tuple(terms) == matrix.terms:
        return matrix.values[rows]
    known = {term: matrix.values[rows, position] for position, term in enumerate(matrix.terms)}
    for group in matrix.groups:
        known |= {term: group.values[rows, j] for j, term in enumerate(group.terms) if term not in known}
    return np.column_stack([known[term] for term in terms])

"""Sufficient statistics of a model with group deviations.

Groups fall into blocks that share no row: one block per group for a single grouping factor, one per connected component
of the grouping graph for nested or crossed factors. Within a block, the thin QR of [Z X y] turns the rows so that the
first ones hold all that the deviations u can reach,

    y₁ = X₁ b + F u + ε,   u ~ normal(0, τ),

and the others, y₂ = X₂ b + ε, know nothing of u. The first are kept per block, the others are reduced to one triangle
over all blocks. Orthogonal turns leave ε as it is, so nothing is lost and no squares are subtracted from each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.groups import GroupTerm, IntArray
from dsam_assets.scales import FloatArray

BLOCK_CELLS = 4_000_000


@dataclass(frozen=True)
class Deviations:
    """Which group deviations a block has, one entry per column of its `F`.

    Attributes:
        term: position of the group term, counted from 0.
        level: group, as a position in the term's levels.
        effect: varying column, as a position in the term's terms.
    """

    term: IntArray
    level: IntArray
    effect: IntArray


@dataclass(frozen=True)
class Block:
    """The turned rows of one block: `F` (r, q), `X` (r, K), `y` (r,), r ≤ q, and what the q columns of `F` are."""

    F: FloatArray
    X: FloatArray
    y: FloatArray
    deviations: Deviations


@dataclass(frozen=True)
class BlockStatistics:
    """What the likelihood needs of N rows; its size depends on groups and terms only.

    Attributes:
        rows: N.
        blocks: the rows that feel the deviations.
        R, z, rss: the rows that do not: triangular factor (K, K), Q'y (K,) and the remaining sum of squares.
    """

    rows: int
    blocks: tuple[Block, ...]
    R: FloatArray
    z: FloatArray
    rss: float


def block_statistics(X: FloatArray, y: FloatArray, groups: Sequence[GroupTerm]) -> BlockStatistics:
    """Reduce rows to their statistics by block.

    Args:
        X: population design on Stan's scale, shape (N, K).
        y: response minus offset on Stan's scale, shape (N,).
        groups: group terms whose `values` are on Stan's scale.
    """
    width = X.shape[1] + 1
    blocks, rest, waiting = [], np.zeros((0, width)), 0
    pieces: list[FloatArray] = []
    for rows in _block_rows(connected_blocks(groups)):
        block, left = _reduce(rows, X, y, groups)
        blocks.append(block)
        pieces.append(left)
        waiting += len(left)
        if waiting > 50 * width:
            rest, pieces, waiting = _triangle(np.vstack([rest, *pieces])), [], 0
    corner = np.zeros((width, width))
    rest = _triangle(np.vstack([rest, *pieces]))
    corner[: len(rest)] = rest
    return BlockStatistics(len(y), tuple(blocks), corner[:-1, :-1], corner[:-1, -1], float(corner[-1, -1] ** 2))


def connected_blocks(groups: Sequence[GroupTerm]) -> IntArray:
    """Block of each row, shape (N,): rows are in the same block when a chain of shared groups links them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    starts = np.cumsum([0, *(len(group.levels) for group in groups)])
    nodes = np.stack([start + group.codes for start, group in zip(starts, groups, strict=False)])
    first, second = (np.tile(nodes[0], len(groups)), nodes.reshape(-1))
    size = int(starts[-1])
    links = coo_array((np.ones(first.size, dtype=np.int8), (first, second)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    labels: NDArray[np.intp] = component[nodes[0]].astype(np.intp)
    return labels


def _block_rows(block_of_row: IntArray) -> Iterator[IntArray]:
    """Rows of each block, blocks in order of their number."""
    order = np.argsort(block_of_row, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(block_of_row[order])) + 1)


def _reduce(rows: IntArray, X: FloatArray, y: FloatArray, groups: Sequence[GroupTerm]) -> tuple[Block, FloatArray]:
    """The block of these rows, and the triangle of [X y] that the deviations do not reach."""
    deviations, starts = _deviations(rows, groups)
    q, width = deviations.term.size, X.shape[1] + 1
    triangle = np.zeros((0, q + width))
    step = max(q + width, BLOCK_CELLS // (q + width))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        Z = _group_design(part, q, starts, groups)
        triangle = _triangle(np.vstack([triangle, np.column_stack([Z, X[part], y[part]])]))
    reached = min(len(rows), q)
    top = triangle[:reached]
    return Block(top[:, :q], top[:, q:-1], top[:, -1], deviations), triangle[reached:, q:]


def _deviations(rows: IntArray, groups: Sequence[GroupTerm]) -> tuple[Deviations, list[IntArray]]:
    """The block's deviations, and per group term the first column of each level (−1 for levels of other blocks)."""
    term, level, effect, starts, size = [], [], [], [], 0
    for position, group in enumerate(groups):
        present, count = np.unique(group.codes[rows]), len(group.terms)
        first = np.full(len(group.levels), -1, dtype=np.intp)
        first[present] = size + count * np.arange(present.size)
        starts.append(first)
        term.append(np.full(present.size * count, position, dtype=np.intp))
        level.append(np.repeat(present, count))
        effect.append(np.tile(np.arange(count), present.size))
        size += present.size * count
    return Deviations(np.concatenate(term), np.concatenate(level), np.concatenate(effect)), starts


def _group_design(rows: IntArray, q: int, starts: Sequence[IntArray], groups: Sequence[GroupTerm]) -> FloatArray:
    Z = np.zeros((len(rows), q))
    for first, group in zip(starts, groups, strict=True):
        columns = first[group.codes[rows]][:, None] + np.arange(len(group.terms))
        Z[np.arange(len(rows))[:, None], columns] = group.values[rows]
    return Z


def _triangle(values: FloatArray) -> FloatArray:
    factor: FloatArray = np.linalg.qr(values, mode="r")
    return factor

"""The linear predictor under each draw: population coefficients, offset, and group deviations where there are any.

Everything that needs fitted values goes through here, so hierarchical, pooled and linear models differ nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.errors import FitError
from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray

BLOCK_CELLS = 1_000_000  # 8 MB: a block and its temporaries stay near the processor's cache
MOST_CELLS = 200_000_000

type Rows = slice | NDArray[np.intp]


@dataclass(frozen=True)
class JointDraws:
    """Draws with chains joined, laid out for the predictor.

    Attributes:
        coef: population coefficients, shape (S, K).
        noise_sd: residual standard deviations, shape (S,).
        deviations: per group term, shape (G, J, S): the draws of one group lie side by side.
    """

    coef: FloatArray
    noise_sd: FloatArray
    deviations: tuple[FloatArray, ...] = ()


def joint_draws(draws: Draws, most: int | None = None) -> JointDraws:
    """The draws with chains joined; at most `most` of them, evenly spaced over all of them."""
    total = draws.noise_flat.size
    count = total if most is None else min(most, total)
    chosen = slice(None) if count == total else np.linspace(0, total - 1, count).round().astype(int)
    return JointDraws(
        draws.coef_flat[chosen],
        draws.noise_flat[chosen],
        tuple(
            np.ascontiguousarray(np.moveaxis(each.values.reshape(total, *each.values.shape[2:])[chosen], 0, -1))
            for each in draws.deviations
        ),
    )


def posterior_means(draws: Draws) -> JointDraws:
    """The means over draws as one draw. The predictor is linear in all but `noise_sd`, so its mean is theirs."""
    return JointDraws(
        draws.coef_flat.mean(axis=0, keepdims=True),
        draws.noise_flat.mean(keepdims=True),
        tuple(each.values.mean(axis=(0, 1))[..., np.newaxis] for each in draws.deviations),
    )


def draws_for(draws: Draws, rows: int) -> JointDraws:
    """The draws used to summarise so many rows: all of them, or evenly spaced ones for very long data."""
    return joint_draws(draws, max(100, MOST_CELLS // max(rows, 1)))


def predictor(joint: JointDraws, matrix: ModelMatrix, rows: Rows) -> FloatArray:
    """Linear predictor with offset of the given rows under each draw, shape (rows, S), model scale.

    Raises:
        FitError: the model has group terms and the draws have no deviations for them.
    """
    if len(joint.deviations) != len(matrix.groups):
        raise FitError(
            "The draws do not belong to this model.",
            got=f"deviations of {len(joint.deviations)} group terms",
            wanted=f"{len(matrix.groups)}, as in the model matrix",
            fix="Draw the group deviations with fit.group_effects.with_group_effects first.",
        )
    mean: FloatArray = matrix.values[rows] @ joint.coef.T + matrix.offset[rows, np.newaxis]
    for group, deviations in zip(matrix.groups, joint.deviations, strict=True):
        codes = group.codes[rows]
        for effect in range(len(group.terms)):
            mean += group.values[rows, effect, np.newaxis] * deviations[codes, effect]
    return mean


def predictor_blocks(joint: JointDraws, matrix: ModelMatrix) -> Iterator[tuple[slice, FloatArray]]:
    """The linear predictor by blocks of rows: (rows, array of shape (S, rows in block)), model scale."""
    rows = len(matrix.response)
    step = max(1, BLOCK_CELLS // max(joint.noise_sd.size, 1))
    for start in range(0, rows, step):
        block = slice(start, min(start + step, rows))
        # One row's draws lie side by side in memory, because they are what is sorted and summed.
        yield block, predictor(joint, matrix, block).T

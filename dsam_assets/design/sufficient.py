"""Sufficient statistics of the Gaussian linear model.

With the thin QR decomposition X = QR, z = Q'y and rss = |y|² − |z|²: |y − Xb|² = |z − Rb|² + rss. They are read off the
triangular factor of the augmented matrix [X y], built up by blocks of rows, so no copy of the data is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dsam_assets.design.scaling import Scaling
from dsam_assets.scales import FloatArray

BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class SufficientStatistics:
    """What the likelihood needs of N rows: `R` (K, K) upper triangular, `z` (K,), `rss` and `rows` = N."""

    rows: int
    R: FloatArray
    z: FloatArray
    rss: float


def sufficient_statistics(values: FloatArray, response: FloatArray, scaling: Scaling) -> SufficientStatistics:
    """Reduce the scaled rows to their sufficient statistics.

    Args:
        values: design matrix in data units, shape (N, K).
        response: model-scale response minus offset, shape (N,).
        scaling: how Stan sees them.
    """
    rows, columns = values.shape
    factor = np.zeros((0, columns + 1))
    for start in range(0, rows, BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        x = (values[block] - scaling.x_center) / scaling.x_spread
        y = (response[block] - scaling.y_center) / scaling.y_spread
        factor = np.linalg.qr(np.vstack([factor, np.column_stack([x, y])]), mode="r")
    padded = np.zeros((columns + 1, columns + 1))
    padded[: factor.shape[0]] = factor
    corner = float(padded[columns, columns])
    return SufficientStatistics(rows, padded[:columns, :columns], padded[:columns, columns], corner**2)

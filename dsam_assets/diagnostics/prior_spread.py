"""Running totals of the response under the prior, added up by blocks of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dsam_assets.fit.prior_predictive import PredictiveBlock
from dsam_assets.scales import FloatArray

MARGIN_SDS = 2.0


class PriorTotals:
    """Counts and sums of squares of the draws, in observed standard deviations from the observed mean.

    Attributes:
        observed: response on the model scale, shape (N,).
        sd: its standard deviation.
        inside: the observed range with two standard deviations on both sides.
        draws: draws per row.
    """

    def __init__(self, observed: FloatArray, labels: pd.DataFrame) -> None:
        """Start empty; `labels` as in `design.labels.row_labels` say which unit of a panel each row belongs to."""
        self.observed, self.sd = observed, float(observed.std(ddof=1))
        self.inside = (float(observed.min()) - MARGIN_SDS * self.sd, float(observed.max()) + MARGIN_SDS * self.sd)
        self.draws = 0
        self._units: NDArray[np.intp] = (
            pd.factorize(labels["group"])[0] if "group" in labels else np.zeros(len(observed), dtype=np.intp)
        )
        self._center, self._unit = float(observed.mean()), self.sd if self.sd > 0 else 1.0
        self._inside = self._negative = 0
        self._sum = self._square = 0.0
        self._unit_sums = self._mean_square = np.zeros(0)

    def add(self, block: PredictiveBlock) -> None:
        """Count one block of rows."""
        response, low, high = block.response, *self.inside
        self._inside += int(np.count_nonzero((response >= low) & (response <= high)))
        self._negative += int(np.count_nonzero(response < 0))
        scaled = self._scaled(response)
        self._sum += float(scaled.sum())
        self._square += float(np.einsum("sn,sn->", scaled, scaled))
        self._add_movement(self._scaled(block.mean), self._units[block.rows])

    def _scaled(self, values: FloatArray) -> FloatArray:
        return (values - self._center) / self._unit

    def _add_movement(self, mean: FloatArray, units: NDArray[np.intp]) -> None:
        if not self.draws:
            self.draws = len(mean)
            self._unit_sums = np.zeros((int(self._units.max()) + 1, self.draws))
            self._mean_square = np.zeros(self.draws)
        order = np.argsort(units, kind="stable")
        present, first = np.unique(units[order], return_index=True)
        self._unit_sums[present] += np.add.reduceat(mean.T[order], first, axis=0)
        self._mean_square += np.einsum("sn,sn->s", mean, mean)

    @property
    def count(self) -> int:
        """All draws of all rows."""
        return self.draws * len(self.observed)

    @property
    def share_inside(self) -> float:
        """Share of the draws inside `inside`."""
        return self._inside / self.count

    @property
    def share_negative(self) -> float:
        """Share of the draws below zero."""
        return self._negative / self.count

    @property
    def mean(self) -> float:
        """Mean of all draws."""
        return self._center + self._unit * self._sum / self.count

    @property
    def spread(self) -> float:
        """Standard deviation of all draws."""
        square = self._square - self._sum**2 / self.count
        return self._unit * float(np.sqrt(max(square, 0.0) / (self.count - 1)))

    @property
    def movement_ratio(self) -> float:
        """Median over draws of the linear predictor's sd over the rows, by the observed response's, both about the
        means of their panel units; missing where the response does not vary within any unit.
        """
        sizes = np.bincount(self._units)
        drawn = self._mean_square - (self._unit_sums**2 / sizes[:, np.newaxis]).sum(axis=0)
        observed = self._scaled(self.observed)
        within = float(observed @ observed - (np.bincount(self._units, weights=observed) ** 2 / sizes).sum())
        if within <= np.finfo(np.float64).eps * len(observed):
            return float("nan")
        return float(np.median(np.sqrt(np.maximum(drawn, 0.0) / within)))

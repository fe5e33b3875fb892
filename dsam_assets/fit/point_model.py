"""What is climbed: a design as Stan's data block, as a log posterior, and as the way back to data units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.model_design import ModelDesign
from dsam_assets.design.pooled import PooledDesign
from dsam_assets.errors import FitError
from dsam_assets.fit.draws import Draws
from dsam_assets.fit.hierarchical import hierarchical_draws
from dsam_assets.fit.log_posterior import LogPosterior, log_posterior
from dsam_assets.fit.pooled import pooled_draws
from dsam_assets.fit.programs import HIERARCHICAL, LINEAR
from dsam_assets.fit.sample import linear_draws
from dsam_assets.fit.stan_input import (
    COEF,
    GROUP_SD,
    NOISE,
    hierarchical_input,
    linear_input,
)
from dsam_assets.scales import FloatArray

type Facts = Mapping[str, str | int | float]
type ToDraws = Callable[[Mapping[str, FloatArray], Mapping[str, NDArray[Any]], int, Facts], Draws]


@dataclass(frozen=True)
class PointModel:
    """A model whose posterior mode is sought.

    A point (P,) is coefficients, `noise_sd` and group standard deviations on the scale that Stan sees, in the order of
    `posterior.parameters`.

    Attributes:
        design: rows, scaling and parameters.
        programs: Stan programs of the same density; a later one serves where an earlier one does not compile.
        data: their data block. Every prior is centred: the mode of a density is not that of its reparameterisation.
        posterior: the same density in NumPy.
        to_draws: Stan's parameters, shape (chain, draw, …) each, sampler statistics, tree depth and facts as draws in
            data units, without group deviations.
    """

    design: ModelDesign
    programs: tuple[str, ...]
    data: Mapping[str, Any]
    posterior: LogPosterior
    to_draws: ToDraws

    def point(self, parameters: Mapping[str, FloatArray]) -> FloatArray:
        """The point that Stan returned.

        Raises:
            FitError: it is not finite, or a standard deviation is not positive where it must be.
        """
        names = (COEF, NOISE, GROUP_SD) if GROUP_SD in parameters else (COEF, NOISE)
        point = np.concatenate([np.ravel(parameters[name]) for name in names]).astype(float)
        if not np.isfinite(point).all() or not point[self.posterior.coefficients] > 0:
            raise FitError("Stan returned estimates that are not finite.", got=np.array2string(point, precision=4))
        return point

    def draws(self, points: FloatArray, facts: Facts) -> Draws:
        """Points (S, P) as one chain of S draws in data units."""
        K = self.posterior.coefficients
        parts = {COEF: points[np.newaxis, :, :K], NOISE: points[np.newaxis, :, K]}
        return self.to_draws({**parts, GROUP_SD: points[np.newaxis, :, K + 1 :]}, {}, 0, facts)

    def estimates(self, point: FloatArray) -> dict[str, float]:
        """Every parameter in data units by name, sums of pooled coefficients included."""
        return {name: float(values[0, 0]) for name, values in self.draws(point[np.newaxis], {}).parameters.items()}

    def slopes(self) -> dict[str, FloatArray]:
        """Derivative (P,) of each parameter in data units by the point: they depend on it linearly."""
        size = len(self.posterior.parameters)
        values = self.draws(np.vstack([np.zeros(size), np.eye(size)]), {}).parameters
        return {name: each[0, 1:] - each[0, 0] for name, each in values.items()}

    def rmse(self, point: FloatArray) -> float:
        """Root mean squared residual on the model scale in data units, group deviations at their conditional means."""
        scaled = np.sqrt(self.posterior.residual_square(point) / self.posterior.rows)
        return float(self.design.scaling.noise_to_data_units(scaled))


def point_model(design: ModelDesign) -> PointModel:
    """What is climbed for any class of model."""
    if isinstance(design, HierarchicalDesign):
        effects = [len(group.terms) for group in design.groups]
        posterior = log_posterior(design.parameters, design.statistics, effects)
        programs, data = HIERARCHICAL, hierarchical_input(design)
        return PointModel(design, programs, data, posterior, partial(hierarchical_draws, design))
    posterior = log_posterior(design.parameters, design.statistics)
    if isinstance(design, PooledDesign):
        return PointModel(design, LINEAR, linear_input(design.compressed), posterior, partial(pooled_draws, design))
    return PointModel(design, LINEAR, linear_input(design), posterior, partial(linear_draws, design))

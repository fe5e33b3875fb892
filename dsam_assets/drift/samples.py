"""Every parameter of a fit with its draws, population first, then the coefficients that vary by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from dsam_assets.diagnostics.convergence import mcse_means
from dsam_assets.fit.group_effects import group_coefficients
from dsam_assets.fit.spread import deviation, probability
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

type Kind = Literal["coefficient", "spread", "label"]
type Key = tuple[str, str, str]
POPULATION = ("", "all")


@dataclass(frozen=True, eq=False)
class Samples:
    """Parameters with their draws.

    Attributes:
        keys: (grouping key, group, parameter) of each; grouping key `""` and group `all` for the population.
        kinds: `coefficient`, `spread` (standard deviations) or `label` of a pooled model.
        values: draws, shape (P, chain, draw).
    """

    keys: tuple[Key, ...]
    kinds: tuple[Kind, ...]
    values: FloatArray

    @property
    def flat(self) -> FloatArray:
        """Draws with chains joined, shape (P, S)."""
        return self.values.reshape(len(self.keys), -1)


def samples_of(draws: Draws, matrix: ModelMatrix) -> Samples:
    """The parameters of a fit; of a group, the coefficients that may differ from the population's."""
    keys: list[Key] = []
    kinds: list[Kind] = []
    for name in draws.parameters:
        keys.append((*POPULATION, name))
        coefficient: Kind = "coefficient" if name in draws.terms else "label"
        kinds.append("spread" if name == "noise_sd" or name in draws.group_sd else coefficient)
    values = [np.stack(list(draws.parameters.values()))]
    for key in dict.fromkeys(group.key for group in matrix.groups):
        levels, terms, found = group_coefficients(draws, matrix, key)
        varying = [name for group in matrix.groups if group.key == key for name in group.terms]
        chosen = [terms.index(name) for name in varying]
        keys += [(key, level, name) for level in levels for name in varying]
        kinds += ["coefficient"] * (len(levels) * len(varying))
        moved = np.moveaxis(found[..., chosen], (0, 1), (-2, -1))
        values.append(moved.reshape(-1, *found.shape[:2]))
    return Samples(tuple(keys), tuple(kinds), np.concatenate(values))


@dataclass(frozen=True)
class Moments:
    """What a fit says of its parameters, arrays of shape (P,), NaN where a point estimate says nothing.

    Attributes:
        mean, sd: of the draws.
        mcse: Monte Carlo standard error of the mean.
        positive: share of draws above zero.
    """

    mean: FloatArray
    sd: FloatArray
    mcse: FloatArray
    positive: FloatArray


def moments(samples: Samples) -> Moments:
    """Mean, spread, Monte Carlo error and sign of every parameter."""
    flat = samples.flat
    positive = np.array([probability(row > 0) for row in flat], dtype=np.float64)
    # The sd of draws that are all the same is zero, not the rounding error of their mean.
    sd = np.where((flat.shape[1] > 1) & (np.ptp(flat, axis=1) == 0), 0.0, deviation(flat, axis=1))
    return Moments(flat.mean(axis=1), sd, mcse_means(samples.values), positive)


def places(keys: Sequence[Key]) -> dict[Key, int]:
    """Key → position."""
    return {key: position for position, key in enumerate(keys)}

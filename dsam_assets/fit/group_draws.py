"""Posterior draws of a hierarchical model, on the original scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray


@dataclass(frozen=True)
class HierarchicalDraws:
    """MCMC draws of the population coefficients and standard deviations, in data units on the model scale.

    Group deviations are integrated out of these; `group_effects.draw_group_effects` draws them.

    Attributes:
        terms: population coefficient names, length K.
        coef: population coefficients, shape (chain, draw, K).
        noise_sd: residual standard deviation, shape (chain, draw).
        group_sd_terms: `sd_<idx>[<term>]`, length T.
        group_sd: standard deviations of the group deviations, shape (chain, draw, T). That of an intercept is at the
            predictors' means where the design is centred.
        sampler: statistic → array of shape (chain, draw); names as in `draws.SAMPLER_STATISTICS`.
        max_treedepth: the limit that the sampler ran with.
        attributes: facts about the fit, JSON scalars only.
    """

    terms: tuple[str, ...]
    coef: FloatArray
    noise_sd: FloatArray
    group_sd_terms: tuple[str, ...]
    group_sd: FloatArray
    sampler: Mapping[str, NDArray[Any]]
    max_treedepth: int
    attributes: Mapping[str, str | int | float]

    @property
    def population(self) -> Draws:
        """The population part as draws of a linear model, for all that works on population effects."""
        return Draws(self.terms, self.coef, self.noise_sd, self.sampler, self.max_treedepth, self.attributes)

    def thinned(self, most: int) -> HierarchicalDraws:
        """At most `most` draws over all chains (but one per chain), evenly spaced within each chain."""
        chains, size = self.noise_sd.shape
        chosen = np.linspace(0, size - 1, max(1, min(most // chains, size))).round().astype(int)
        return replace(
            self,
            coef=self.coef[:, chosen],
            noise_sd=self.noise_sd[:, chosen],
            group_sd=self.group_sd[:, chosen],
            sampler={name: values[:, chosen] for name, values in self.sampler.items()},
        )

"""Posterior draws on the original scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsam_assets.scales import FloatArray

SAMPLER_STATISTICS = ("lp", "energy", "diverging", "tree_depth", "acceptance_rate", "n_steps", "step_size")


@dataclass(frozen=True)
class GroupDeviations:
    """Draws of one group term's deviations, in data units on the model scale.

    Attributes:
        key: grouping key as the formula writes it, `market:brand`.
        levels: groups, length G.
        terms: varying terms, length J.
        values: deviations from the population's coefficients, shape (chain, draw, G, J). An intercept's is the one at
            zero predictors, whatever the scaling, so that a group's coefficients are population plus deviations.
    """

    key: str
    levels: tuple[str, ...]
    terms: tuple[str, ...]
    values: FloatArray


@dataclass(frozen=True)
class Draws:
    """Posterior draws in data units on the model scale; a point estimate is one chain of one draw.

    Attributes:
        terms: coefficient names, length K.
        coef: (population) coefficients, shape (chain, draw, K).
        noise_sd: residual standard deviation, shape (chain, draw).
        sampler: statistic → array of shape (chain, draw); names as in `SAMPLER_STATISTICS`. Empty for a point estimate.
        max_treedepth: the limit that the sampler ran with.
        attributes: facts about the fit (seed, Stan version, iterations, …), JSON scalars only.
        group_sd: hierarchical models: `sd_<idx>[<term>]` → shape (chain, draw). That of an intercept is at the
            predictors' means where the design is centred.
        label_coef: pooled models: `<grouping variable>[<label>]` → shape (chain, draw); `coef` holds their sums.
        deviations: hierarchical models: one entry per group term, once `group_effects` has drawn them.
    """

    terms: tuple[str, ...]
    coef: FloatArray
    noise_sd: FloatArray
    sampler: Mapping[str, NDArray[Any]]
    max_treedepth: int
    attributes: Mapping[str, str | int | float]
    group_sd: Mapping[str, FloatArray] = field(default_factory=dict)
    label_coef: Mapping[str, FloatArray] = field(default_factory=dict)
    deviations: tuple[GroupDeviations, ...] = ()

    @property
    def coef_flat(self) -> FloatArray:
        """Coefficients with chains joined, shape (S, K)."""
        return self.coef.reshape(-1, len(self.terms))

    @property
    def noise_flat(self) -> FloatArray:
        """Residual standard deviations with chains joined, shape (S,)."""
        return self.noise_sd.reshape(-1)

    @property
    def is_point(self) -> bool:
        """Whether this is a point estimate (`fit.method: optimise`): nothing about its spread is known."""
        return self.attributes.get("method") == "optimise"

    @property
    def parameters(self) -> dict[str, FloatArray]:
        """Every parameter by name, shape (chain, draw) each: coefficients, `noise_sd`, then group sds and labels."""
        coefficients = {term: self.coef[..., position] for position, term in enumerate(self.terms)}
        return {**coefficients, "noise_sd": self.noise_sd, **self.group_sd, **self.label_coef}

    @property
    def all_terms(self) -> tuple[str, ...]:
        """The population's terms, then terms that only vary by group."""
        return tuple(dict.fromkeys([*self.terms, *(term for each in self.deviations for term in each.terms)]))

    def thinned(self, most: int) -> Draws:
        """At most `most` draws over all chains (but one per chain), evenly spaced within each chain."""
        chains, size = self.noise_sd.shape
        if chains * size <= most:
            return self
        chosen = np.linspace(0, size - 1, max(1, min(most // chains, size))).round().astype(int)
        return replace(
            self,
            coef=self.coef[:, chosen],
            noise_sd=self.noise_sd[:, chosen],
            sampler={name: values[:, chosen] for name, values in self.sampler.items()},
            group_sd={name: values[:, chosen] for name, values in self.group_sd.items()},
            label_coef={name: values[:, chosen] for name, values in self.label_coef.items()},
            deviations=tuple(replace(each, values=each.values[:, chosen]) for each in self.deviations),
        )

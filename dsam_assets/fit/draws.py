"""Posterior draws on the original scale, and their ArviZ container.

The only module that knows how ArviZ lays draws out (an xarray DataTree with groups `posterior` and `sample_stats`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    import xarray as xr

    from dsam_assets.design.matrix import ModelMatrix

SAMPLER_STATISTICS = ("lp", "energy", "diverging", "tree_depth", "acceptance_rate", "n_steps", "step_size")


@dataclass(frozen=True)
class Draws:
    """MCMC draws of a linear model, in data units on the model scale.

    Attributes:
        terms: coefficient names, length K.
        coef: coefficients, shape (chain, draw, K).
        noise_sd: residual standard deviation, shape (chain, draw).
        sampler: statistic → array of shape (chain, draw); names as in `SAMPLER_STATISTICS`.
        max_treedepth: the limit that the sampler ran with.
        attributes: facts about the fit (seed, Stan version, iterations, …), JSON scalars only.
    """

    terms: tuple[str, ...]
    coef: FloatArray
    noise_sd: FloatArray
    sampler: Mapping[str, NDArray[Any]]
    max_treedepth: int
    attributes: Mapping[str, str | int | float]

    @property
    def coef_flat(self) -> FloatArray:
        """Coefficients with chains joined, shape (S, K)."""
        return self.coef.reshape(-1, len(self.terms))

    @property
    def noise_flat(self) -> FloatArray:
        """Residual standard deviations with chains joined, shape (S,)."""
        return self.noise_sd.reshape(-1)

    def thinned(self, most: int) -> tuple[FloatArray, FloatArray]:
        """At most `most` evenly spaced draws: coefficients (S', K) and residual standard deviations (S',)."""
        total = self.noise_flat.size
        chosen = np.linspace(0, total - 1, min(most, total)).round().astype(int)
        return self.coef_flat[chosen], self.noise_flat[chosen]


def to_container(draws: Draws) -> xr.DataTree:
    """The draws as an ArviZ container."""
    import xarray as xr

    chains, size = draws.noise_sd.shape
    coords = {"chain": np.arange(chains), "draw": np.arange(size), "term": list(draws.terms)}
    posterior = xr.Dataset(
        {"coef": (("chain", "draw", "term"), draws.coef), "noise_sd": (("chain", "draw"), draws.noise_sd)},
        coords=coords,
        attrs=dict(draws.attributes),
    )
    statistics = xr.Dataset(
        {name: (("chain", "draw"), values) for name, values in draws.sampler.items()},
        coords={"chain": coords["chain"], "draw": coords["draw"]},
        attrs={"max_treedepth": draws.max_treedepth},
    )
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": statistics})


def model_container(draws: Draws, matrix: ModelMatrix, config_text: str) -> xr.DataTree:
    """Everything needed to reload a fitted model: draws, model matrix and resolved config in one container.

    The group `model` holds `design (row, term)`, `response (row)` and `offset (row)` in data units on the model scale.
    """
    import xarray as xr

    model = xr.Dataset(
        {
            "design": (("row", "term"), matrix.values),
            "response": (("row",), matrix.response),
            "offset": (("row",), matrix.offset),
        },
        coords={"row": matrix.rows, "term": list(matrix.terms)},
        attrs={
            "response_name": matrix.response_name,
            "response_scale": matrix.response_scale,
            "config": config_text,
        },
    )
    groups = {name: node.to_dataset() for name, node in to_container(draws).children.items()}
    return xr.DataTree.from_dict({**groups, "model": model})


def from_container(tree: xr.DataTree) -> Draws:
    """The draws in an ArviZ container that `to_container` made."""
    posterior, statistics = tree["posterior"].to_dataset(), tree["sample_stats"].to_dataset()
    return Draws(
        terms=tuple(str(term) for term in posterior["term"].values),
        coef=posterior["coef"].values,
        noise_sd=posterior["noise_sd"].values,
        sampler={str(name): values.values for name, values in statistics.data_vars.items()},
        max_treedepth=int(statistics.attrs["max_treedepth"]),
        attributes={str(key): _plain(value) for key, value in posterior.attrs.items()},
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value

"""Data blocks of the Stan programs: the only place that knows Stan's variable names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.blocks import Block
from dsam_assets.design.group_whitening import marginal_rows
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.linear import LinearDesign
from dsam_assets.design.priors import Parameter, lognormal_location_spread
from dsam_assets.design.scaling import NOISE_SD
from dsam_assets.design.whitening import Rows, Whitening, plausible_noise, prior_rows, stacked, whiten
from dsam_assets.scales import FloatArray

LINEAR_PROGRAM = "linear"
HIERARCHICAL_PROGRAM = "hierarchical"
COEF = "coef"
NOISE = "noise_sd"
GROUP_SD = "group_sd"

PositivePriors = Literal["centered", "noncentered"]


def linear_input(
    design: LinearDesign, *, positive_priors: PositivePriors = "centered", prior_only: bool = False
) -> dict[str, Any]:
    """The data block of stan/linear.stan."""
    coefficients = [row for row in design.parameters if row.name != NOISE_SD]
    noise = next(row for row in design.parameters if row.name == NOISE_SD)
    statistics = design.statistics
    data = {
        "N": statistics.rows,
        "K": len(coefficients),
        "R": statistics.R,
        "z": statistics.z,
        "rss": statistics.rss,
        "prior_mean": _column(coefficients, "scaled_mean"),
        "prior_sd": _column(coefficients, "scaled_sd"),
        "lower_bound": _column(coefficients, "scaled_lower"),
        "upper_bound": _column(coefficients, "scaled_upper"),
        **_noise_input(noise, positive_priors),
        "prior_only": int(prior_only),
    }
    return data | linear_coordinates(data)


def linear_coordinates(data: Mapping[str, Any]) -> dict[str, Any]:
    """What stan/linear.stan needs besides: where the sampler moves, from the rest of its data block.

    Draws of the prior alone move where the prior is.
    """
    rows = prior_rows(data["prior_mean"], data["prior_sd"])
    if not data["prior_only"]:
        likelihood = Rows(data["R"], data["z"])
        noise = plausible_noise(likelihood, rows, data["N"], data["rss"])
        noise = min(max(noise, data["noise_lower"]), data["noise_upper"])
        rows = stacked([likelihood.divided(noise), rows])
    whitening = whiten(rows, data["lower_bound"], data["upper_bound"])
    return _coordinates(whitening if data["prior_only"] else whitening.beside_noise(data["N"]))


def _coordinates(whitening: Whitening) -> dict[str, Any]:
    return {
        "bounded_size": whitening.bounded.size,
        "bounded": whitening.bounded + 1,
        "unbounded": whitening.unbounded + 1,
        "bounded_center": whitening.bounded_center,
        "bounded_spread": whitening.bounded_spread,
        "softness": whitening.softness,
        "unbounded_center": whitening.unbounded_center,
        "unbounded_slope": whitening.unbounded_slope,
        "unbounded_spread": whitening.unbounded_spread,
    }


def _column(rows: list[Parameter], field: str) -> FloatArray:
    return np.array([getattr(row, field) for row in rows], dtype=float)


def _noise_input(noise: Parameter, positive_priors: PositivePriors) -> dict[str, Any]:
    lognormal = noise.family == "lognormal_ms"
    location, spread = (
        lognormal_location_spread(noise.scaled_mean, noise.scaled_sd)
        if lognormal
        else (noise.scaled_mean, noise.scaled_sd)
    )
    return {
        "noise_family": int(lognormal),
        "noise_location": location,
        "noise_spread": spread,
        "noise_lower": noise.scaled_lower,
        "noise_upper": noise.scaled_upper,
        "noise_noncentered": int(lognormal and positive_priors == "noncentered"),
    }


def hierarchical_input(
    design: HierarchicalDesign, *, positive_priors: PositivePriors = "centered", prior_only: bool = False
) -> dict[str, Any]:
    """The data block of stan/hierarchical.stan."""
    by_name = {row.name: row for row in design.parameters}
    coefficients = [by_name[term] for term in design.matrix.terms]
    statistics = design.statistics
    first_sd = np.cumsum([0, *(len(group.terms) for group in design.groups)])
    data = {
        "N": statistics.rows,
        "K": len(coefficients),
        "T": len(design.sd_names),
        **_block_input(statistics.blocks, first_sd),
        "R": statistics.R,
        "z": statistics.z,
        "rss": statistics.rss,
        "prior_mean": _column(coefficients, "scaled_mean"),
        "prior_sd": _column(coefficients, "scaled_sd"),
        "lower_bound": _column(coefficients, "scaled_lower"),
        "upper_bound": _column(coefficients, "scaled_upper"),
        **_sd_input([by_name[name] for name in (*design.sd_names, NOISE_SD)], positive_priors),
        "prior_only": int(prior_only),
    }
    return data | _coordinates(_population_whitening(design, data, first_sd))


def _population_whitening(design: HierarchicalDesign, data: Mapping[str, Any], first_sd: NDArray[np.intp]) -> Whitening:
    rows = prior_rows(data["prior_mean"], data["prior_sd"])
    if not data["prior_only"]:
        sds = [row for row in design.parameters if row.name in design.sd_names]
        guess = np.clip(
            np.maximum(_column(sds, "scaled_mean"), _column(sds, "scaled_sd")),
            _column(sds, "scaled_lower"),
            _column(sds, "scaled_upper"),
        )
        sd_index = [_sd_index(block, first_sd) for block in design.statistics.blocks]
        rows = marginal_rows(design.statistics, sd_index, rows, guess)
    whitening = whiten(rows, data["lower_bound"], data["upper_bound"])
    return whitening if data["prior_only"] else whitening.beside_noise(data["N"])


def _sd_index(block: Block, first_sd: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which group standard deviation each deviation of the block has; `first_sd` counts those before each term."""
    index: NDArray[np.intp] = first_sd[block.deviations.term] + block.deviations.effect
    return index


def _block_input(blocks: tuple[Block, ...], first_sd: NDArray[np.intp]) -> dict[str, Any]:
    """Blocks end to end; each factor column by column."""
    return {
        "B": len(blocks),
        "block_rows": [block.F.shape[0] for block in blocks],
        "block_columns": [block.F.shape[1] for block in blocks],
        "sd_index": np.concatenate([_sd_index(block, first_sd) + 1 for block in blocks]),
        "zy": np.concatenate([block.y for block in blocks]),
        "ZX": np.vstack([block.X for block in blocks]),
        "cells": sum(block.F.size for block in blocks),
        "F": np.concatenate([block.F.ravel(order="F") for block in blocks]),
    }


def _sd_input(rows: list[Parameter], positive_priors: PositivePriors) -> dict[str, Any]:
    each = [_noise_input(row, positive_priors) for row in rows]
    fields = ("family", "location", "spread", "lower", "upper", "noncentered")
    return {f"sd_{field}": np.array([row[f"noise_{field}"] for row in each]) for field in fields}

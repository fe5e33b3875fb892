"""Data blocks of the Stan programs: the only place that knows Stan's variable names."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dsam_assets.design.blocks import Block
from dsam_assets.design.hierarchical import HierarchicalDesign
from dsam_assets.design.linear import LinearDesign
from dsam_assets.design.priors import Parameter, lognormal_location_spread
from dsam_assets.design.scaling import NOISE_SD
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
    return {
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
    return {
        "N": statistics.rows,
        "K": len(coefficients),
        "T": len(design.sd_names),
        **_block_input(statistics.blocks, np.cumsum([0, *(len(group.terms) for group in design.groups)])),
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


def _block_input(blocks: tuple[Block, ...], first_sd: NDArray[np.intp]) -> dict[str, Any]:
    """Blocks end to end; each factor column by column. `first_sd` counts the standard deviations before each term."""
    return {
        "B": len(blocks),
        "block_rows": [block.F.shape[0] for block in blocks],
        "block_columns": [block.F.shape[1] for block in blocks],
        "sd_index": np.concatenate([first_sd[b.deviations.term] + b.deviations.effect + 1 for b in blocks]),
        "zy": np.concatenate([block.y for block in blocks]),
        "ZX": np.vstack([block.X for block in blocks]),
        "cells": sum(block.F.size for block in blocks),
        "F": np.concatenate([block.F.ravel(order="F") for block in blocks]),
    }


def _sd_input(rows: list[Parameter], positive_priors: PositivePriors) -> dict[str, Any]:
    each = [_noise_input(row, positive_priors) for row in rows]
    fields = ("family", "location", "spread", "lower", "upper", "noncentered")
    return {f"sd_{field}": np.array([row[f"noise_{field}"] for row in each]) for field in fields}

"""Models for the tests of time-series selection, and a runner that shows what each fit was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.config.schema import Config
from dsam_assets.config.slices import formula_slice, priors_slice
from dsam_assets.data.pooling_map import PoolingMap
from dsam_assets.fit.runner import McmcSettings, OptimiseSettings, StanDraws, StanMode
from dsam_assets.selection.time_series import TimeSeriesInputs

SECTION = {"enabled": True, "horizon_weeks": 4, "n_folds": 2, "min_train_weeks": 10, "save_pointwise": True}


def weekly(weeks: int = 30, seed: int = 5) -> pd.DataFrame:
    """One market, a row a week."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=weeks, freq="7D")})
    frame["tv"], frame["price"] = rng.gamma(2.0, 50.0, weeks), rng.normal(40, 2, weeks)
    frame["kpi"] = 500 + 0.8 * frame["tv"] - 3 * frame["price"] + rng.normal(0, 10, weeks)
    return frame


def panel(weeks: int = 30, markets: int = 3, seed: int = 6) -> pd.DataFrame:
    """Markets in random order; the last one begins in the fourth week before the end."""
    rng = np.random.default_rng(seed)
    frames = [weekly(weeks, seed + number).assign(market=f"m{number}") for number in range(markets)]
    for number, frame in enumerate(frames):
        frame["tv"] += 40 * number
        frame["kpi"] += 60 * number
    frames[-1] = frames[-1].tail(4)
    return pd.concat(frames).sample(frac=1, random_state=int(rng.integers(100)), ignore_index=True)


def inputs(
    frame: pd.DataFrame, formula: str, *, pooling: PoolingMap | None = None, **sections: Mapping[str, Any]
) -> TimeSeriesInputs:
    """What an asset would hand over, for a config with these sections."""
    selection = {**SECTION, **sections.pop("selection", {})}
    diagnostics = {"policy_mode": "explore", **sections.pop("diagnostics", {}), "time_series_selection": selection}
    fit = {"mcmc": {"chains": 4, "iter": 400, "warmup": 200, "seed": 7}, **sections.pop("fit", {})}
    scale = sections.pop("model", {})
    raw = {
        "data": {"path": "data.csv", "date_var": "date"},
        "model": {"formula": formula, **scale},
        "fit": fit,
        "diagnostics": diagnostics,
        **sections,
    }
    config = Config.model_validate(raw)
    return TimeSeriesInputs(
        frame, formula_slice(config), config.data, priors_slice(config), config.fit, None, pooling,
        diagnostics=config.diagnostics,
    )  # fmt: skip


@dataclass
class ShowingRunner:
    """Gives draws that depend on nothing but their number and seed, and keeps the data blocks, by number of rows."""

    blocks: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def sample(self, program: str, data: Mapping[str, Any], settings: McmcSettings) -> StanDraws:
        self.blocks[data["N"]] = data
        rng = np.random.default_rng(settings.seed)
        shape = (settings.chains, settings.sampling)
        parameters = {"coef": rng.normal(size=(*shape, data["K"])), "noise_sd": rng.uniform(0.5, 1, shape)}
        if "T" in data:
            parameters["group_sd"] = rng.uniform(0.5, 1, (*shape, data["T"]))
        names = ("lp__", "energy__", "divergent__", "treedepth__", "accept_stat__", "n_leapfrog__", "stepsize__")
        sampler = {name: rng.normal(size=shape) for name in names} | {"divergent__": np.zeros(shape)}
        return StanDraws(parameters, sampler, np.ones(shape[0]), np.ones((shape[0], 1)), "0.0.0", 0.0)

    def optimise(self, program: str, data: Mapping[str, Any], settings: OptimiseSettings) -> StanMode:
        raise NotImplementedError


def same_blocks(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two fits were given the same numbers, to the last bit."""
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)

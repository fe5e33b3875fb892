"""Posterior summary: one row per parameter."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dsam_assets.fit.draws import Draws
from dsam_assets.scales import FloatArray

QUANTILES = {"q025": 0.025, "q05": 0.05, "q50": 0.5, "q95": 0.95, "q975": 0.975}


def posterior_summary(draws: Draws) -> pd.DataFrame:
    """Mean, sd and quantiles of every coefficient and of `noise_sd`, in data units on the model scale."""
    values = np.column_stack([draws.coef_flat, draws.noise_flat])
    return pd.DataFrame([_row(name, values[:, position]) for position, name in enumerate((*draws.terms, "noise_sd"))])


def _row(name: str, values: FloatArray) -> dict[str, object]:
    quantiles = np.quantile(values, list(QUANTILES.values()))
    return {
        "parameter": name,
        "mean": values.mean(),
        "sd": values.std(ddof=1),
        **dict(zip(QUANTILES, quantiles, strict=True)),
        "share_positive": float((values > 0).mean()),
    }

"""A small market on disk: config and data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

WEEKS = 102  # more than the 80 below which a series counts as short

CONFIG = """\
data:
  path: data/uk.csv
  date_var: date
model:
  formula: kpi ~ trend + m_tv + m_search
priors:
  overrides:
    - {parameter: trend, family: normal, mean: 0, sd: 50}
boundaries:
  overrides:
    - {parameter: m_tv, lower: 0}
    - {parameter: m_search, lower: 0, upper: .Inf}
fit:
  mcmc: {chains: 4, iter: 600, warmup: 200, seed: 7}
diagnostics:
  policy_mode: explore
  gating: warn
allocation:
  enabled: true
  seed: 5
  n_candidates: 50
  budget: {total: 250}
  posterior: {draws: 100}
  channels:
    - {term: m_tv, name: TV, spend_col: spend_tv, bounds: {min: 20, max: 300}, response: {type: log1p, scale: 50}}
    - term: m_search
      name: Search
      spend_col: spend_search
      bounds: {min: 20, max: 300}
      response: {type: hill, k: 80, n: 1}
"""


def market_frame() -> pd.DataFrame:
    """A weekly market whose media columns are transforms of its spend columns; `note` is not modelled."""
    rng = np.random.default_rng(11)
    tv, search = rng.gamma(4, 40, WEEKS), rng.gamma(4, 25, WEEKS)
    frame = pd.DataFrame(
        {
            "date": pd.date_range("2023-01-02", periods=WEEKS, freq="7D").strftime("%Y-%m-%d"),
            "trend": np.linspace(0, 1, WEEKS),
            "spend_tv": tv,
            "spend_search": search,
            "m_tv": np.log1p(tv / 50),
            "m_search": search / (search + 80),
            "note": np.arange(WEEKS) % 5,
        }
    )
    noise = np.random.default_rng(14).normal(0, 5, WEEKS)  # a seed whose residuals look as white as they are
    kpi = 100 + 20 * frame["trend"] + 40 * frame["m_tv"] + 120 * frame["m_search"] + noise
    return frame.assign(kpi=kpi).round(6)


def write_market(folder: Path, name: str = "uk") -> Path:
    """Write the config `<name>.yaml` and its data below a folder; returns the config's path."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    market_frame().to_csv(folder / "data" / "uk.csv", index=False, lineterminator="\n")
    config = folder / f"{name}.yaml"
    config.write_text(CONFIG)
    return config

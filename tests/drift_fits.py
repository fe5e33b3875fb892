"""Made-up fits whose drift is known: exact draws of a conjugate normal model, and tables by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.design.groups import GroupTerm
from dsam_assets.design.matrix import ModelMatrix
from dsam_assets.drift.snapshot import FitSnapshot
from dsam_assets.fit.draws import Draws, GroupDeviations
from dsam_assets.scales import FloatArray

SIGMA, PRIOR_SD, CHAINS = 0.7, 5.0, 4
TERMS = ("(Intercept)", "m_tv", "m_search")
CONFIG: Mapping[str, Any] = {
    "data": {"path": "data/uk.csv", "date_var": "date"},
    "formula": {"formula": "kpi ~ m_tv + m_search"},
    "priors": {"scale": True, "rows": [{"parameter": "m_tv", "sd": 1.0}]},
    "fit": {"mcmc": {"chains": 4, "seed": 7}},
    "decomposition": {"kpi_type": "revenue"},
}


def frame_of(rows: int, seed: int = 1) -> pd.DataFrame:
    """Weekly data: date, kpi, two media columns, and a column that no model reads."""
    rng = np.random.default_rng(seed)
    media = rng.normal(size=(rows, 2))
    frame = pd.DataFrame({"date": pd.date_range("2022-01-03", periods=rows, freq="7D")})
    frame = frame.assign(m_tv=media[:, 0], m_search=media[:, 1], note="a")
    return frame.assign(kpi=3.0 + media @ [0.5, -0.3] + SIGMA * rng.normal(size=rows))


def matrix_of(frame: pd.DataFrame) -> ModelMatrix:
    rows = np.flatnonzero(frame["kpi"].notna())
    values = np.column_stack([np.ones(len(rows)), frame[["m_tv", "m_search"]].to_numpy()[rows]])
    kpi = frame["kpi"].to_numpy()[rows]
    return ModelMatrix(TERMS, values, kpi, np.zeros(len(rows)), "kpi", "identity", rows, {})


def conjugate(matrix: ModelMatrix) -> tuple[FloatArray, FloatArray]:
    """Exact posterior mean and covariance for known sigma and normal(0, PRIOR_SD) coefficients."""
    X = matrix.values
    covariance = np.linalg.inv(X.T @ X / SIGMA**2 + np.eye(X.shape[1]) / PRIOR_SD**2)
    return covariance @ X.T @ matrix.response / SIGMA**2, covariance


def exact_draws(matrix: ModelMatrix, size: int = 1500, seed: int = 2) -> Draws:
    mean, covariance = conjugate(matrix)
    coef = np.random.default_rng(seed).multivariate_normal(mean, covariance, size=(CHAINS, size))
    return Draws(matrix.terms, coef, np.full((CHAINS, size), SIGMA), {}, 10, {"stan_version": "2.39"})


def normal_draws(means: Mapping[str, float], sd: float, size: int = 1000, seed: int = 3) -> Draws:
    """Draws whose mean and sample sd are exactly the given ones, and whose chains agree."""
    noise = np.random.default_rng(seed).normal(size=(CHAINS, size, len(means)))
    flat = noise.reshape(-1, len(means))
    coef = (noise - flat.mean(axis=0)) / flat.std(axis=0, ddof=1) * sd + np.array(list(means.values()))
    noise_sd = np.abs(np.random.default_rng(seed + 1).normal(1, 0.1, size=(CHAINS, size)))
    return Draws(tuple(means), coef, noise_sd, {}, 10, {"stan_version": "2.39"})


def point(means: Mapping[str, float]) -> Draws:
    values = np.array(list(means.values())).reshape(1, 1, -1)
    return Draws(tuple(means), values, np.ones((1, 1)), {}, 0, {"method": "optimise"})


def loo_tables(matrix: ModelMatrix, elpd: FloatArray | None = None) -> dict[str, pd.DataFrame]:
    values = np.zeros(len(matrix.rows)) if elpd is None else elpd
    summary = pd.DataFrame([{"status": "ok", "reason": ""}])
    return {"loo_summary": summary, "loo_pointwise": pd.DataFrame({"row": matrix.rows, "elpd_loo": values})}


def channels(returns: Mapping[str, float], shares: Mapping[str, float], metric: str = "roi") -> pd.DataFrame:
    """`decomp_channels` of the whole market, with intervals of ±10 %."""
    rows = [
        {
            "group": "all", "channel": name.removeprefix("m_"), "term": name, "metric": metric,
            "metric_unit": "currency per currency", "metric_value": value, "metric_q05": 0.9 * value,
            "metric_q95": 1.1 * value, "marginal_value": 0.8 * value, "share_of_effect": shares[name],
        }
        for name, value in returns.items()
    ]  # fmt: skip
    return pd.DataFrame([*rows, {**rows[0], "channel": "TOTAL", "term": "TOTAL", "share_of_effect": 1.0}])


RETURNS, SHARES = {"m_tv": 2.0, "m_search": 1.0}, {"m_tv": 0.6, "m_search": 0.4}


def snapshot(frame: pd.DataFrame | None = None, draws: Draws | None = None, **parts: Any) -> FitSnapshot:
    """A fit of the made-up market; `parts` replace attributes, and `tables` adds to the tables."""
    data = frame_of(60) if frame is None else frame
    matrix = parts.pop("matrix", None) or matrix_of(data)
    tables = {**loo_tables(matrix), "decomp_channels": channels(RETURNS, SHARES), **parts.pop("tables", {})}
    kept = {name: table for name, table in tables.items() if table is not None}
    made = FitSnapshot(
        draws or exact_draws(matrix), matrix, data, kept, CONFIG, {"fit": "v1"}, "2026-01-05T10:00:00+00:00", "final"
    )
    return replace(made, **parts)


def panel(levels: tuple[str, ...] = ("de", "uk"), rows: int = 40, seed: int = 5) -> FitSnapshot:
    """A panel with a deviation of m_tv by market, drawn exactly around known values."""
    rng = np.random.default_rng(seed)
    frame = pd.concat([frame_of(rows, seed=9).assign(market=level) for level in levels], ignore_index=True)
    matrix = matrix_of(frame)
    codes = np.repeat(np.arange(len(levels)), rows)
    group = GroupTerm(1, ("market",), ("m_tv",), matrix.values[:, 1:2], codes, levels)
    size = (CHAINS, 800)
    deviations = GroupDeviations("market", levels, ("m_tv",), rng.normal(0, 0.05, size=(*size, len(levels), 1)))
    draws = replace(
        exact_draws(matrix, size[1]), group_sd={"sd_1[m_tv]": np.abs(rng.normal(0.1, 0.01, size))},
        deviations=(deviations,),
    )  # fmt: skip
    return snapshot(frame, draws, matrix=replace(matrix, groups=(group,)))

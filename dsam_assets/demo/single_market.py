"""One synthetic market: weekly revenue driven by seven media channels, controls, seasonality and holidays.

The model is `kpi = Xβ + ε`, ε ~ normal(0, NOISE_SD), with X the columns named in COEFFICIENTS. A media column `m_tv` is
`f(spend_tv)`, f being the channel's saturating response. So a linear model in `m_*` is exactly well specified, and the
budget stage, which knows f, can translate coefficients into money. Every f is concave: the best split is unique.

Predictors are rounded as they are written *before* the KPI is computed from them: the truth holds for the file itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.demo.budget import budget_problem
from dsam_assets.demo.holidays import holiday_counts
from dsam_assets.demo.series import (
    autoregression,
    bursts,
    csv_text,
    json_text,
    mondays,
    response,
    rounded,
    seasons,
    stream,
    write_text,
)
from dsam_assets.errors import DataError
from dsam_assets.scales import FloatArray

CSV_NAME = "blm_demo.csv"
FUTURE_NAME = "blm_demo.future.csv"
TRUTH_NAME = "blm_demo.true_parameters.json"
RESPONSE = "kpi_os_hfb01_value"
FEWEST_WEEKS = 104
WEEKS_AHEAD = 26
NOISE_SD = 15_000.0

COEFFICIENTS: Mapping[str, float] = {
    "(Intercept)": 180_000.0,
    "t_scaled": 30_000.0,
    "sin52_1": 28_000.0,
    "cos52_1": -20_000.0,
    "sin52_2": 9_000.0,
    "cos52_2": -8_000.0,
    "h_black_friday": 120_000.0,
    "h_christmas": -22_000.0,
    "h_new_year": -45_000.0,
    "h_easter": 16_000.0,
    "h_summer_sale": 9_000.0,
    "bm_brand_trust_12r": 2_500.0,
    "price_index": -6_000.0,
    "distribution": 1_800.0,
    "m_tv": 75_000.0,
    "m_search": 36_000.0,
    "m_social": 40_000.0,
    "m_display": 15_000.0,
    "m_ooh": 18_000.0,
    "m_email": 6_000.0,
    "m_affiliate": 9_000.0,
}

RESPONSES: Mapping[str, Mapping[str, str | float]] = {
    "tv": {"type": "hill", "k": 25_000.0, "n": 1.0},
    "search": {"type": "log1p", "scale": 6_000.0},
    "social": {"type": "hill", "k": 6_000.0, "n": 0.9},
    "display": {"type": "atan", "scale": 6_000.0},
    "ooh": {"type": "atan", "scale": 12_000.0},
    "email": {"type": "log1p", "scale": 500.0},
    "affiliate": {"type": "log1p", "scale": 800.0},
}

UNITS: Mapping[str, str] = {
    RESPONSE: "currency per week",
    "spend_*": "currency per week",
    "m_*": "response of the channel's spend, no unit",
    "t_scaled": "0 in the first week, 1 in the last",
    "price_index": "points above the market's average price; 0 is parity",
    "distribution": "percent of the market's weighted distribution",
    "bm_brand_trust_12r": "percent who trust the brand, mean of the last 12 weeks",
    "h_*": "days of the holiday within the week, Monday to Sunday",
}


@dataclass(frozen=True)
class DemoMarket:
    """A market and what generated it.

    Attributes:
        frame: one row per week; values are rounded exactly as they are written.
        future: the predictors of the `WEEKS_AHEAD` weeks after it; their KPI is not known.
        truth: coefficients by term, noise_sd, responses, units, and the best budget split; ready for JSON.
    """

    frame: pd.DataFrame
    future: pd.DataFrame
    truth: Mapping[str, Any]


def generate(seed: int = 20240101, weeks: int = 156) -> DemoMarket:
    """The market of `weeks` weeks for `seed`; the same arguments give the same values.

    Raises:
        DataError: fewer weeks than two years, in which the holidays could not be told from noise.
    """
    if weeks < FEWEST_WEEKS:
        fix = f"Ask for {FEWEST_WEEKS} weeks or more."
        raise DataError("The demo market is too short.", where="weeks", got=weeks, wanted="at least two years", fix=fix)
    whole = _market(seed, weeks, WEEKS_AHEAD)
    frame, future = whole.iloc[:weeks], whole.iloc[weeks:].reset_index(drop=True).drop(columns=RESPONSE)
    spend = {name: frame[f"spend_{name}"].to_numpy() for name in RESPONSES}
    return DemoMarket(frame, future, _truth(seed, weeks, spend))


def _market(seed: int, weeks: int, ahead: int) -> pd.DataFrame:
    """The market's weeks and those after them: what comes later changes nothing of what was before."""
    days, spend = mondays(weeks + ahead), _spend(seed, weeks + ahead)
    predictors = (
        {f"m_{name}": rounded(response(RESPONSES[name], money), 6) for name, money in spend.items()}
        | _time(weeks, ahead)
        | _controls(seed, weeks, ahead)
        | holiday_counts(days)
    )
    kpi = {RESPONSE: _kpi(seed, predictors)}
    return pd.DataFrame({"date": [day.isoformat() for day in days]} | kpi | _named_spend(spend) | predictors)


def write(folder: Path | str, market: DemoMarket | None = None) -> tuple[Path, Path, Path]:
    """Write data, true parameters and future data of `market` (the default market when none is given)."""
    market = market or generate()
    csv = write_text(Path(folder) / CSV_NAME, csv_text(market.frame, _decimals))
    truth = write_text(Path(folder) / TRUTH_NAME, json_text(market.truth))
    return csv, truth, write_text(Path(folder) / FUTURE_NAME, csv_text(market.future, _decimals))


def _spend(seed: int, weeks: int) -> dict[str, FloatArray]:
    """Weekly spend per channel, rounded to cents."""
    tv_on = bursts(stream(seed, "tv_flights"), weeks, on=(3, 5), off=(3, 6))
    ooh_on = bursts(stream(seed, "ooh_flights"), weeks, on=(2, 4), off=(3, 6))
    campaign = stream(seed, "campaign").standard_normal(weeks)  # what social and display have in common
    demand = 0.35 * np.cos(2 * np.pi * (np.arange(weeks) - 18) / 52)  # people search most in early December

    def level(name: str, mean: float, sd: float, log_shift: FloatArray | float = 0.0) -> FloatArray:
        return np.asarray(mean * np.exp(log_shift + sd * stream(seed, f"spend_{name}").standard_normal(weeks)))

    spend = {
        "tv": tv_on * level("tv", 42_000, 0.35),
        "search": level("search", 14_000, 0.25, demand),
        "social": level("social", 6_800, 0.35, 0.50 * campaign + 0.45 * tv_on),
        "display": level("display", 5_600, 0.35, 0.50 * campaign + 0.35 * tv_on),
        "ooh": ooh_on * level("ooh", 27_000, 0.40),
        "email": level("email", 1_700, 0.75),
        "affiliate": level("affiliate", 3_600, 0.60),
    }
    return {name: rounded(money, 2) for name, money in spend.items()}


def _time(weeks: int, ahead: int) -> dict[str, FloatArray]:
    return {"t_scaled": rounded(np.arange(weeks + ahead) / (weeks - 1), 6)} | seasons(weeks + ahead, 2)


def _controls(seed: int, weeks: int, ahead: int) -> dict[str, FloatArray]:
    size = weeks + ahead
    trust = 45.0 + autoregression(stream(seed, "trust"), size + 11, keep=0.6, sd=6.0)
    listed = autoregression(stream(seed, "distribution"), size, keep=0.7, sd=2.5)
    return {
        "price_index": rounded(autoregression(stream(seed, "price"), size, keep=0.7, sd=3.0), 2),
        "distribution": rounded(80.0 + 3.0 * np.arange(size) / weeks + listed, 2),
        "bm_brand_trust_12r": rounded(np.convolve(trust, np.full(12, 1 / 12), mode="valid"), 3),
    }


def _kpi(seed: int, predictors: Mapping[str, FloatArray]) -> FloatArray:
    slopes = {term: beta for term, beta in COEFFICIENTS.items() if term != "(Intercept)"}
    mean = COEFFICIENTS["(Intercept)"] + sum(beta * predictors[term] for term, beta in slopes.items())
    noise = NOISE_SD * stream(seed, "noise").standard_normal(len(predictors["t_scaled"]))
    return rounded(mean + noise, 2)


def _named_spend(spend: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    return {f"spend_{name}": money for name, money in spend.items()}


def _truth(seed: int, weeks: int, spend: Mapping[str, FloatArray]) -> dict[str, Any]:
    return {
        "about": "What generated blm_demo.csv: response = sum of coefficient times term, plus normal noise.",
        "seed": seed,
        "weeks": weeks,
        "response": RESPONSE,
        "coefficients": dict(COEFFICIENTS),
        "noise_sd": NOISE_SD,
        "responses": {f"m_{name}": {"spend_col": f"spend_{name}", **RESPONSES[name]} for name in spend},
        "units": dict(UNITS),
        "budget": _budget(spend),
    }


def _budget(spend: Mapping[str, FloatArray]) -> dict[str, Any]:
    """The budget problem of the demo config, and its solution by bisection. Spend is per week."""
    mean = {name: float(money.mean()) for name, money in spend.items()}
    betas = {name: COEFFICIENTS[f"m_{name}"] for name in spend}
    problem = budget_problem(mean, betas, RESPONSES, decimals=-2)
    roi = {
        f"m_{name}": round(channel.response(mean[name]) / mean[name], 3) for name, channel in problem.channels.items()
    }
    return problem.stated() | {"reference_roi": roi} | problem.solved("best_kpi_uplift", problem.best_uplift)


def _decimals(column: str) -> int:
    """The decimals that a column was rounded to."""
    if column.startswith("h_"):
        return 0
    if column == "bm_brand_trust_12r":
        return 3
    return 2 if column.startswith(("kpi_", "spend_", "price_", "distribution")) else 6

"""One synthetic market: weekly revenue driven by seven media channels, controls, seasonality and holidays.

The model is `kpi = Xβ + ε`, ε ~ normal(0, NOISE_SD), with X the columns named in COEFFICIENTS. A media column `m_tv` is
`f(spend_tv)`, f being the channel's saturating response. So a linear model in `m_*` is exactly well specified, and the
budget stage, which knows f, can translate coefficients into money. Every f is concave: the best split is unique.

Predictors are rounded as they are written *before* the KPI is computed from them: the truth holds for the file itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from dsam_assets.demo.holidays import holiday_counts
from dsam_assets.errors import DataError
from dsam_assets.scales import FloatArray

CSV_NAME = "blm_demo.csv"
TRUTH_NAME = "blm_demo.true_parameters.json"
RESPONSE = "kpi_os_hfb01_value"
FIRST_WEEK = date(2022, 8, 1)  # 156 weeks from here hold three of every holiday
FEWEST_WEEKS = 104
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
        truth: coefficients by term, noise_sd, responses, units, and the best budget split; ready for JSON.
    """

    frame: pd.DataFrame
    truth: Mapping[str, Any]


def generate(seed: int = 20240101, weeks: int = 156) -> DemoMarket:
    """The market of `weeks` weeks for `seed`; the same arguments give the same values.

    Raises:
        DataError: fewer weeks than two years, in which the holidays could not be told from noise.
    """
    if weeks < FEWEST_WEEKS:
        fix = f"Ask for {FEWEST_WEEKS} weeks or more."
        raise DataError("The demo market is too short.", where="weeks", got=weeks, wanted="at least two years", fix=fix)
    days = [FIRST_WEEK + timedelta(weeks=week) for week in range(weeks)]
    spend = _spend(seed, weeks)
    predictors = (
        {f"m_{name}": _rounded(response(RESPONSES[name], money), 6) for name, money in spend.items()}
        | _seasons(weeks)
        | _controls(seed, weeks)
        | holiday_counts(days)
    )
    kpi = {RESPONSE: _kpi(seed, predictors)}
    columns = {"date": [day.isoformat() for day in days]} | kpi | _named_spend(spend) | predictors
    return DemoMarket(pd.DataFrame(columns), _truth(seed, weeks, spend))


def write(folder: Path | str, market: DemoMarket | None = None) -> tuple[Path, Path]:
    """Write the CSV and the true parameters of `market` (the default market when none is given) into `folder`."""
    market = market or generate()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    csv, truth = folder / CSV_NAME, folder / TRUTH_NAME
    csv.write_bytes(_csv_text(market.frame).encode("ascii"))
    truth.write_bytes((json.dumps(market.truth, indent=2) + "\n").encode("ascii"))
    return csv, truth


def response(spec: Mapping[str, str | float], spend: FloatArray) -> FloatArray:
    """f(spend), elementwise: spend / (spend + k) with powers n (hill), atan or log1p of spend / scale."""
    if spec["type"] == "hill":
        powered = spend ** float(spec["n"])
        return np.asarray(powered / (powered + float(spec["k"]) ** float(spec["n"])))
    curve: Callable[[FloatArray], FloatArray] = {"atan": np.arctan, "log1p": np.log1p}[str(spec["type"])]
    return curve(spend / float(spec["scale"]))


def best_split(total: float, bounds: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """The spend per channel that maximises Σ β f(spend) at `total`, within `bounds`, by bisection.

    All channels that are not at a bound have the same marginal response λ at the optimum; spend falls as λ rises.
    """
    low, high = 0.0, max(_marginal(name, bounds[name][0]) for name in bounds)
    for _ in range(60):
        price = (low + high) / 2
        spent = sum(_spend_at(name, price, bounds[name]) for name in bounds)
        low, high = (price, high) if spent > total else (low, price)
    return {name: _spend_at(name, high, bounds[name]) for name in bounds}


def _spend_at(name: str, price: float, bound: tuple[float, float]) -> float:
    """The spend within `bound` where one more unit of money brings `price` units of KPI."""
    low, high = bound
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _marginal(name, middle) > price else (low, middle)
    return (low + high) / 2


def _marginal(name: str, spend: float) -> float:
    """KPI per further unit of money: β f'(spend)."""
    spec, beta = RESPONSES[name], COEFFICIENTS[f"m_{name}"]
    if spec["type"] == "hill":
        k, n = float(spec["k"]), float(spec["n"])
        return float(beta * n * spend ** (n - 1) * k**n / (spend**n + k**n) ** 2)
    scale = float(spec["scale"])
    return beta / (scale + spend) if spec["type"] == "log1p" else beta * scale / (scale**2 + spend**2)


def _stream(seed: int, name: str) -> np.random.Generator:
    # One stream per column: adding or changing a column leaves the others as they were.
    return np.random.default_rng([seed, crc32(name.encode())])


def _rounded(values: FloatArray, decimals: int) -> FloatArray:
    return np.asarray(np.round(values, decimals) + 0.0)  # + 0.0 turns -0.0 into 0.0


def _spend(seed: int, weeks: int) -> dict[str, FloatArray]:
    """Weekly spend per channel, rounded to cents."""
    tv_on = _bursts(_stream(seed, "tv_flights"), weeks, on=(3, 5), off=(3, 6))
    ooh_on = _bursts(_stream(seed, "ooh_flights"), weeks, on=(2, 4), off=(3, 6))
    campaign = _stream(seed, "campaign").standard_normal(weeks)  # what social and display have in common
    demand = 0.35 * np.cos(2 * np.pi * (np.arange(weeks) - 18) / 52)  # people search most in early December

    def level(name: str, mean: float, sd: float, log_shift: FloatArray | float = 0.0) -> FloatArray:
        return np.asarray(mean * np.exp(log_shift + sd * _stream(seed, f"spend_{name}").standard_normal(weeks)))

    spend = {
        "tv": tv_on * level("tv", 42_000, 0.35),
        "search": level("search", 14_000, 0.25, demand),
        "social": level("social", 6_800, 0.35, 0.50 * campaign + 0.45 * tv_on),
        "display": level("display", 5_600, 0.35, 0.50 * campaign + 0.35 * tv_on),
        "ooh": ooh_on * level("ooh", 27_000, 0.40),
        "email": level("email", 1_700, 0.75),
        "affiliate": level("affiliate", 3_600, 0.60),
    }
    return {name: _rounded(money, 2) for name, money in spend.items()}


def _bursts(rng: np.random.Generator, weeks: int, on: tuple[int, int], off: tuple[int, int]) -> FloatArray:
    """1 in weeks on air, 0 otherwise; lengths are uniform within `on` and `off`, ends included."""
    flags: list[float] = []
    while len(flags) < weeks:
        flags += [0.0] * int(rng.integers(*off, endpoint=True)) + [1.0] * int(rng.integers(*on, endpoint=True))
    return np.array(flags[:weeks])


def _seasons(weeks: int) -> dict[str, FloatArray]:
    week = np.arange(weeks)
    columns = {"t_scaled": week / (weeks - 1)}
    for harmonic in (1, 2):
        angle = 2 * np.pi * harmonic * week / 52
        columns |= {f"sin52_{harmonic}": np.sin(angle), f"cos52_{harmonic}": np.cos(angle)}
    return {name: _rounded(values, 6) for name, values in columns.items()}


def _controls(seed: int, weeks: int) -> dict[str, FloatArray]:
    trust = 45.0 + _autoregression(_stream(seed, "trust"), weeks + 11, keep=0.6, sd=6.0)
    listed = _autoregression(_stream(seed, "distribution"), weeks, keep=0.7, sd=2.5)
    return {
        "price_index": _rounded(_autoregression(_stream(seed, "price"), weeks, keep=0.7, sd=3.0), 2),
        "distribution": _rounded(80.0 + 3.0 * np.arange(weeks) / weeks + listed, 2),
        "bm_brand_trust_12r": _rounded(np.convolve(trust, np.full(12, 1 / 12), mode="valid"), 3),
    }


def _autoregression(rng: np.random.Generator, weeks: int, keep: float, sd: float) -> FloatArray:
    """A stationary series with mean 0: each week keeps the share `keep` of the last; `sd` is the series' own."""
    series = sd * rng.standard_normal(weeks)
    for week in range(1, weeks):
        series[week] = keep * series[week - 1] + math.sqrt(1 - keep**2) * series[week]
    return series


def _kpi(seed: int, predictors: Mapping[str, FloatArray]) -> FloatArray:
    slopes = {term: beta for term, beta in COEFFICIENTS.items() if term != "(Intercept)"}
    mean = COEFFICIENTS["(Intercept)"] + sum(beta * predictors[term] for term, beta in slopes.items())
    noise = NOISE_SD * _stream(seed, "noise").standard_normal(len(predictors["t_scaled"]))
    return _rounded(mean + noise, 2)


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
    total = round(sum(mean.values()), -2)
    bounds = {name: (round(0.3 * money, -2), round(2 * money, -2)) for name, money in mean.items()}
    best = best_split(total, bounds)
    return {
        "total": total,
        "bounds": {f"m_{name}": list(bound) for name, bound in bounds.items()},
        "reference_spend": {f"m_{name}": round(money, 2) for name, money in mean.items()},
        "reference_roi": {f"m_{name}": round(_response_to(name, money) / money, 3) for name, money in mean.items()},
        "best_spend": {f"m_{name}": round(money, 2) for name, money in best.items()},
        "best_kpi_uplift": round(_total_response(best) - _total_response(mean), 2),
    }


def _response_to(name: str, spend: float) -> float:
    return COEFFICIENTS[f"m_{name}"] * float(response(RESPONSES[name], np.array(spend)))


def _total_response(spend: Mapping[str, float]) -> float:
    return sum(_response_to(name, money) for name, money in spend.items())


def _csv_text(frame: pd.DataFrame) -> str:
    columns = [[_cell(str(name), value) for value in frame[name]] for name in frame.columns]
    rows = [list(map(str, frame.columns)), *map(list, zip(*columns, strict=True))]
    return "".join(",".join(row) + "\n" for row in rows)


def _cell(column: str, value: str | float) -> str:
    """Text of one value, with the decimals that the column was rounded to."""
    if isinstance(value, str):
        return value
    if column.startswith("h_"):
        return f"{value:.0f}"
    if column == "bm_brand_trust_12r":
        return f"{value:.3f}"
    return f"{value:.2f}" if column.startswith(("kpi_", "spend_", "price_", "distribution")) else f"{value:.6f}"

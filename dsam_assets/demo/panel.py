"""A synthetic panel: weekly sales of eight markets of unequal length, media effects that differ between markets.

    log(kpi_value) = X β + Σ_j u_j[market] (x_j − x̄_j) + ε,   ε ~ normal(0, NOISE_SD)

X holds the columns named in COEFFICIENTS, among them the markets' mean media `cre_mean_*`; u_j is normal with sd
GROUP_SD[j], independent between markets and terms, and x̄_j is the mean of column j over all rows (0 for the intercept).

Where a brand is strong it both sells more and advertises more. The means' coefficients carry that: given them, a
market's level is independent of its media, so the model with CRE means is exactly well specified. Without them the
level goes with the media columns, and a random intercept lets the slopes take up part of it. That does harm where a
column hardly varies within the markets. Here every column varies enough; with `search_sd=ALWAYS_ON` `m_search` varies
ten times as much between the markets as within, and then takes the credit for the strong brands.

All money is per 1,000 households, so that markets of every size can share one coefficient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dsam_assets.demo.budget import budget_problem
from dsam_assets.demo.holidays import feature_name, holiday_counts
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
from dsam_assets.scales import FloatArray

CSV_NAME = "panel_demo.csv"
TRUTH_NAME = "panel_demo.true_parameters.json"
RESPONSE = "kpi_value"
SEED = 24  # one in which an always-on search shows the bias clearly; it is 0.07 on average over seeds
SEARCH_SD, ALWAYS_ON = 0.30, 0.08  # of log weekly search spend around its level
WEEKS = 156
NOISE_SD = 0.06
MEAN_PREFIX = "cre_mean_"

COEFFICIENTS: Mapping[str, float] = {
    "(Intercept)": 8.6,
    "trend": 0.06,
    "sin52_1": 0.08,
    "cos52_1": -0.05,
    "brand_metric": 0.012,
    "price_index": -0.015,
    "m_tv": 0.12,
    "m_search": 0.20,
    "m_social": 0.10,
    "holiday_black_friday": 0.30,
    "holiday_christmas": -0.06,
    "holiday_easter": 0.04,
    "holiday_new_year": -0.15,
    "holiday_summer_sale": 0.02,
    "cre_mean_m_tv": 0.10,
    "cre_mean_m_search": 0.10,
    "cre_mean_m_social": 0.0,
}
GROUP_SD: Mapping[str, float] = {"(Intercept)": 0.05, "m_tv": 0.04, "m_search": 0.06, "m_social": 0.05}
MEDIA = ("m_tv", "m_search", "m_social")
RESPONSES: Mapping[str, Mapping[str, str | float]] = {
    "tv": {"type": "log1p", "scale": 400.0},
    "search": {"type": "log1p", "scale": 30.0},
    "social": {"type": "log1p", "scale": 60.0},
}
UNITS: Mapping[str, str] = {
    RESPONSE: "currency per week and 1,000 households",
    "spend_*": "currency per week and 1,000 households",
    "m_*": "log(1 + spend / scale), no unit",
    "trend": "0 in the first week of the panel, 1 in the last",
    "brand_metric": "percent who consider the brand first",
    "price_index": "points above the market's average price; 0 is parity",
    "holiday_*": "days of the holiday within the week, Monday to Sunday; from holidays_demo.csv",
    "cre_mean_*": "mean of the column over the market's rows",
}
ABOUT = (
    "What generated panel_demo.csv: log(kpi_value) = sum of coefficient times term, plus a market's deviation times "
    "(term minus its mean over all rows), plus normal noise. group_sd are the standard deviations of the deviations; "
    "market_coefficients are population plus deviation, the intercept at zero predictors."
)


@dataclass(frozen=True)
class Market:
    """One market of the panel.

    Attributes:
        weeks: how many weeks it has, the last ones of the panel.
        strength: of the brand, roughly standard normal over the markets; media spend goes with it.
    """

    weeks: int
    strength: float


MARKETS: Mapping[str, Market] = {
    "at": Market(156, -0.3),
    "be": Market(130, 0.9),
    "ch": Market(104, 1.5),
    "de": Market(156, 0.5),
    "fr": Market(156, -0.7),
    "it": Market(91, -1.4),
    "nl": Market(65, 0.2),
    "pt": Market(26, -0.7),  # new: too short to be modelled by itself
}


@dataclass(frozen=True)
class DemoPanel:
    """A panel and what generated it.

    Attributes:
        frame: one row per market and week; values are rounded exactly as they are written.
        truth: coefficients, each market's coefficients, standard deviations, responses, budget; ready for JSON.
    """

    frame: pd.DataFrame
    truth: Mapping[str, Any]


def generate(seed: int = SEED, search_sd: float = SEARCH_SD) -> DemoPanel:
    """The panel for `seed`; the same seed gives the same values. `search_sd` changes search alone."""
    calendar = _calendar()
    frame = pd.concat([_market(seed, name, calendar, search_sd) for name in MARKETS], ignore_index=True)
    deviations = _deviations(seed)
    X = design(frame)
    centers = pd.Series({term: X[term].mean() if term in MEDIA else 0.0 for term in GROUP_SD})
    own = deviations.loc[frame["market"]].to_numpy()
    mean = X @ pd.Series(COEFFICIENTS) + (own * (X[list(GROUP_SD)] - centers)).sum(axis=1)
    noise = np.concatenate(
        [NOISE_SD * stream(seed, "noise", name).standard_normal(m.weeks) for name, m in MARKETS.items()]
    )
    frame.insert(2, RESPONSE, rounded(np.exp(mean + noise), 2))
    written = [name for name in frame.columns if not name.startswith("holiday_")]
    return DemoPanel(frame[written], _truth(seed, frame, deviations, centers))


def design(frame: pd.DataFrame) -> pd.DataFrame:
    """X: the columns of COEFFICIENTS, the markets' means and the intercept made from the frame."""
    means = {f"{MEAN_PREFIX}{term}": frame.groupby("market")[term].transform("mean") for term in MEDIA}
    return frame.assign(**means, **{"(Intercept)": 1.0})[list(COEFFICIENTS)]


def _calendar() -> pd.DataFrame:
    """What all markets share: weeks, trend, season and holidays."""
    days = mondays(WEEKS)
    holidays = {feature_name(name): counts for name, counts in holiday_counts(days).items()}
    trend = {"trend": rounded(np.arange(WEEKS) / (WEEKS - 1), 6)}
    return pd.DataFrame({"date": [day.isoformat() for day in days]} | trend | seasons(WEEKS, 1) | holidays)


def _market(seed: int, name: str, calendar: pd.DataFrame, search_sd: float) -> pd.DataFrame:
    """The last weeks of the panel, as many as the market has, without the KPI."""
    market = MARKETS[name]
    weekly = _spend(seed, name, market.strength, search_sd)
    spend = {f"spend_{channel}": money[-market.weeks :] for channel, money in weekly.items()}
    media = {
        f"m_{channel}": rounded(response(RESPONSES[channel], spend[f"spend_{channel}"]), 6) for channel in RESPONSES
    }
    controls = {
        "brand_metric": rounded(40.0 + autoregression(stream(seed, "brand", name), WEEKS, keep=0.9, sd=3.0), 2),
        "price_index": rounded(autoregression(stream(seed, "price", name), WEEKS, keep=0.7, sd=3.0), 2),
    }
    own = spend | media | {column: values[-market.weeks :] for column, values in controls.items()}
    shared = calendar.iloc[-market.weeks :].reset_index(drop=True)
    shared.insert(1, "market", name)
    return pd.concat([shared.iloc[:, :2], pd.DataFrame(own), shared.iloc[:, 2:]], axis=1)


def _spend(seed: int, name: str, strength: float, search_sd: float) -> dict[str, FloatArray]:
    """Weekly spend of one market by channel, per 1,000 households, rounded to cents."""
    tv_on = bursts(stream(seed, "tv_flights", name), WEEKS, on=(3, 5), off=(3, 6))
    luck = stream(seed, "levels", name).standard_normal(3)  # levels are not a function of the brand's strength alone
    demand = 0.05 * np.cos(2 * np.pi * (np.arange(WEEKS) - 18) / 52)

    def level(channel: str, mean: float, sd: float, shift: FloatArray | float) -> FloatArray:
        weekly = sd * stream(seed, f"spend_{channel}", name).standard_normal(WEEKS)
        return rounded(mean * np.exp(shift + weekly), 2)

    return {
        "tv": rounded(tv_on * level("tv", 700.0, 0.35, 0.45 * strength + 0.15 * luck[0]), 2),
        "search": level("search", 150.0, search_sd, 1.1 * strength + 0.15 * luck[1] + demand),
        "social": level("social", 120.0, 0.40, 0.50 * strength + 0.30 * luck[2]),
    }


def _deviations(seed: int) -> pd.DataFrame:
    """u: one row per market, one column per varying term."""
    draws = {term: sd * stream(seed, "deviations", term).standard_normal(len(MARKETS)) for term, sd in GROUP_SD.items()}
    return pd.DataFrame(draws, index=list(MARKETS))


def _truth(seed: int, frame: pd.DataFrame, deviations: pd.DataFrame, centers: pd.Series) -> dict[str, Any]:
    return {
        "about": ABOUT,
        "seed": seed,
        "weeks": {name: market.weeks for name, market in MARKETS.items()},
        "response": RESPONSE,
        "coefficients": dict(COEFFICIENTS),
        "group_sd": {f"sd_1[{term}]": sd for term, sd in GROUP_SD.items()},
        "noise_sd": NOISE_SD,
        "market_coefficients": _market_coefficients(deviations, centers),
        "responses": {f"m_{name}": {"spend_col": f"spend_{name}", **RESPONSES[name]} for name in RESPONSES},
        "units": dict(UNITS),
        "budget": _budget(frame),
    }


def _market_coefficients(deviations: pd.DataFrame, centers: pd.Series) -> dict[str, dict[str, float]]:
    """Population plus deviation, the intercept at zero predictors."""
    at_zero = deviations.copy()
    at_zero["(Intercept)"] -= deviations @ centers
    values = at_zero + pd.Series(COEFFICIENTS)[list(GROUP_SD)]
    return {str(name): {str(term): round(float(b), 6) for term, b in row.items()} for name, row in values.iterrows()}


def _budget(frame: pd.DataFrame) -> dict[str, Any]:
    """The budget problem of the demo configs, for the population's coefficients, and its solution by bisection."""
    mean = {name: float(frame[f"spend_{name}"].mean()) for name in RESPONSES}
    problem = budget_problem(mean, {name: COEFFICIENTS[f"m_{name}"] for name in mean}, RESPONSES, decimals=-1)
    baseline = round(float(frame[RESPONSE].mean()), -3)
    uplift = baseline * float(np.expm1(problem.best_uplift))
    return problem.stated() | {"kpi_baseline": baseline} | problem.solved("best_kpi_uplift", uplift)


def write(folder: Path | str, panel: DemoPanel | None = None) -> tuple[Path, Path]:
    """Write the CSV and the true parameters of `panel` (the default panel when none is given) into `folder`."""
    panel = panel or generate()
    csv = write_text(Path(folder) / CSV_NAME, csv_text(panel.frame, _decimals))
    return csv, write_text(Path(folder) / TRUTH_NAME, json_text(panel.truth))


def _decimals(column: str) -> int:
    """The decimals that a column was rounded to."""
    return 6 if column.startswith(("m_", "sin52_", "cos52_", "trend")) else 2

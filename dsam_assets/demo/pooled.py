"""One synthetic market with many small media variables: campaign × channel × platform.

The model is `kpi_value = Xβ + ε`, ε ~ normal(0, NOISE_SD). A media variable's coefficient is the sum of the effects of
its labels, β_i = γ_campaign(i) + γ_channel(i) + γ_platform(i), and every media column is log(1 + spend / SCALE): so the
pooled model is exactly well specified. Several variables are on air in few weeks only, where least squares says next to
nothing about them and their labels, shared with other variables, do. The pilot was on air in fewer weeks than the demo
config's `min_waves`: the fit leaves it out.
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

CSV_NAME = "pooled_demo.csv"
MAP_NAME = "pooled_demo.map.csv"
TRUTH_NAME = "pooled_demo.true_parameters.json"
RESPONSE = "kpi_value"
SEED = 22  # a market in which labels help as much as they usually do
WEEKS = 130
NOISE_SD = 12_000.0
SCALE = 1_000.0
MIN_WAVES = 8

BASE_COEFFICIENTS: Mapping[str, float] = {
    "(Intercept)": 180_000.0,
    "trend": 20_000.0,
    "sin52_1": 15_000.0,
    "cos52_1": -10_000.0,
    "price_index": -3_000.0,
    "holiday_black_friday": 70_000.0,
    "holiday_christmas": -12_000.0,
    "holiday_easter": 8_000.0,
    "holiday_new_year": -25_000.0,
    "holiday_summer_sale": 4_000.0,
}
LABELS: Mapping[str, Mapping[str, float]] = {
    "campaign": {"brand": 5_000.0, "promo": 9_000.0, "pilot": 1_000.0},
    "channel": {"video": 8_000.0, "social": 4_000.0, "display": 1_000.0},
    "platform": {"mobile": 3_000.0, "desktop": 500.0},
}


@dataclass(frozen=True)
class Variable:
    """One media variable: its labels, when it is on air (weeks on, weeks off, ends included), and its spend then."""

    campaign: str
    channel: str
    platform: str
    on: tuple[int, int]
    off: tuple[int, int]
    spend: float

    @property
    def name(self) -> str:
        """Name of the channel in columns: `m_<name>`, `spend_<name>`."""
        return f"{self.campaign}_{self.channel}_{self.platform}"

    @property
    def labels(self) -> dict[str, str]:
        """Label by grouping variable."""
        return {"campaign": self.campaign, "channel": self.channel, "platform": self.platform}

    @property
    def beta(self) -> float:
        """The coefficient: the sum of the labels' effects."""
        return sum(LABELS[group][label] for group, label in self.labels.items())


VARIABLES = (
    Variable("brand", "video", "mobile", (4, 8), (3, 7), 4_000.0),
    Variable("brand", "video", "desktop", (4, 8), (4, 9), 3_000.0),
    Variable("brand", "social", "mobile", (6, 12), (2, 4), 2_500.0),
    Variable("brand", "display", "desktop", (2, 3), (22, 28), 1_500.0),
    Variable("promo", "video", "mobile", (2, 2), (24, 30), 3_500.0),
    Variable("promo", "social", "mobile", (2, 4), (4, 8), 3_000.0),
    Variable("promo", "social", "desktop", (2, 2), (20, 26), 2_000.0),
    Variable("promo", "display", "mobile", (2, 4), (5, 9), 2_000.0),
    Variable("promo", "display", "desktop", (2, 3), (18, 24), 1_500.0),
    Variable("pilot", "social", "mobile", (5, 5), (118, 120), 2_000.0),
)
UNITS: Mapping[str, str] = {
    RESPONSE: "currency per week",
    "spend_*": "currency per week",
    "m_*": "log(1 + spend / 1000), no unit",
    "trend": "0 in the first week, 1 in the last",
    "price_index": "points above the market's average price; 0 is parity",
    "holiday_*": "days of the holiday within the week, Monday to Sunday; from holidays_demo.csv",
}
ABOUT = (
    "What generated pooled_demo.csv: response = sum of coefficient times term, plus normal noise. A media coefficient "
    "is the sum of its labels' coefficients. Those are known only up to constants that move from one grouping variable "
    "to another, unless a prior settles it; their sums, and differences within a grouping variable, are what a fit can "
    "find."
)


@dataclass(frozen=True)
class DemoPooled:
    """A market with labelled media, and what generated it.

    Attributes:
        frame: one row per week; values are rounded exactly as they are written.
        labels: the pooling map: `variable` and one column per grouping variable.
        truth: coefficients, label coefficients, noise_sd, responses, budget; ready for JSON.
    """

    frame: pd.DataFrame
    labels: pd.DataFrame
    truth: Mapping[str, Any]


def generate(seed: int = SEED) -> DemoPooled:
    """The market for `seed`; the same seed gives the same values."""
    days = mondays(WEEKS)
    spend = {variable.name: _spend(seed, variable) for variable in VARIABLES}
    media = {f"m_{name}": rounded(response(_curve(), money), 6) for name, money in spend.items()}
    base = (
        {"trend": rounded(np.arange(WEEKS) / (WEEKS - 1), 6)}
        | seasons(WEEKS, 1)
        | {"price_index": rounded(autoregression(stream(seed, "price"), WEEKS, keep=0.7, sd=3.0), 2)}
    )
    holidays = {feature_name(name): counts for name, counts in holiday_counts(days).items()}
    kpi = {RESPONSE: _kpi(seed, base | holidays | media)}
    dates = {"date": [day.isoformat() for day in days]}
    named = {f"spend_{name}": money for name, money in spend.items()}
    frame = pd.DataFrame(dates | kpi | named | media | base)
    return DemoPooled(frame, pooling_map(), _truth(seed, spend))


def coefficients() -> dict[str, float]:
    """Every coefficient by term, base terms first."""
    return dict(BASE_COEFFICIENTS) | {f"m_{variable.name}": variable.beta for variable in VARIABLES}


def pooling_map() -> pd.DataFrame:
    """The labels of each media variable."""
    return pd.DataFrame([{"variable": f"m_{variable.name}"} | variable.labels for variable in VARIABLES])


def _curve() -> dict[str, str | float]:
    return {"type": "log1p", "scale": SCALE}


def _spend(seed: int, variable: Variable) -> FloatArray:
    """Weekly spend, rounded to cents; 0 when the variable is off air."""
    on_air = bursts(stream(seed, "flights", variable.name), WEEKS, on=variable.on, off=variable.off)
    weekly = np.exp(0.5 * stream(seed, "spend", variable.name).standard_normal(WEEKS))
    return rounded(on_air * variable.spend * weekly, 2)


def _kpi(seed: int, predictors: Mapping[str, FloatArray]) -> FloatArray:
    beta = coefficients()
    mean = beta["(Intercept)"] + sum(beta[term] * values for term, values in predictors.items())
    return rounded(mean + NOISE_SD * stream(seed, "noise").standard_normal(WEEKS), 2)


def _truth(seed: int, spend: Mapping[str, FloatArray]) -> dict[str, Any]:
    active = {f"m_{name}": int(np.count_nonzero(money)) for name, money in spend.items()}
    return {
        "about": ABOUT,
        "seed": seed,
        "weeks": WEEKS,
        "response": RESPONSE,
        "coefficients": coefficients(),
        "label_coefficients": {
            f"{group}[{label}]": value for group, labels in LABELS.items() for label, value in labels.items()
        },
        "noise_sd": NOISE_SD,
        "active_weeks": active,
        "below_min_waves": [name for name, weeks in active.items() if weeks < MIN_WAVES],
        "responses": {f"m_{name}": {"spend_col": f"spend_{name}", **_curve()} for name in spend},
        "units": dict(UNITS),
        "budget": _budget(spend),
    }


def _budget(spend: Mapping[str, FloatArray]) -> dict[str, Any]:
    """The budget problem of the demo config, and its solution by bisection; the pilot is over and takes no part."""
    kept = [variable for variable in VARIABLES if variable.campaign != "pilot"]
    mean = {variable.name: float(spend[variable.name].mean()) for variable in kept}
    betas, curves = {variable.name: variable.beta for variable in kept}, {name: _curve() for name in mean}
    problem = budget_problem(mean, betas, curves, decimals=-1)
    return problem.stated() | problem.solved("best_kpi_uplift", problem.best_uplift)


def write(folder: Path | str, market: DemoPooled | None = None) -> tuple[Path, Path, Path]:
    """Write the CSV, the pooling map and the true parameters of `market` (the default one when none is given)."""
    market, folder = market or generate(), Path(folder)
    return (
        write_text(folder / CSV_NAME, csv_text(market.frame, _decimals)),
        write_text(folder / MAP_NAME, csv_text(market.labels, _decimals)),
        write_text(folder / TRUTH_NAME, json_text(market.truth)),
    )


def _decimals(column: str) -> int:
    """The decimals that a column was rounded to."""
    return 6 if column.startswith(("m_", "sin52_", "cos52_", "trend")) else 2

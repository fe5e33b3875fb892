"""The budget problem of a demo market and its solution by bisection, which is not how the product solves it.

The KPI, or its logarithm, is Σ β f(spend) and what does not depend on spend; so the best split of a total maximises
that sum. Every f is concave: the best split is unique, and all channels that are not at a bound have the same marginal
response λ there; spend falls as λ rises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsam_assets.demo.series import response

HALVINGS = 60


@dataclass(frozen=True)
class Channel:
    """A channel's part of the response, `beta · f(spend)`, and the range of its spend."""

    beta: float
    curve: Mapping[str, str | float]
    low: float
    high: float

    def response(self, spend: float) -> float:
        """β f(spend)."""
        return self.beta * float(response(self.curve, np.array(spend)))

    def marginal(self, spend: float) -> float:
        """Response per further unit of money: β f'(spend)."""
        if self.curve["type"] == "hill":
            k, n = float(self.curve["k"]), float(self.curve["n"])
            return float(self.beta * n * spend ** (n - 1) * k**n / (spend**n + k**n) ** 2)
        scale = float(self.curve["scale"])
        return (
            self.beta / (scale + spend) if self.curve["type"] == "log1p" else self.beta * scale / (scale**2 + spend**2)
        )

    def spend_at(self, price: float) -> float:
        """The spend within the range where one more unit of money brings `price` units of response."""
        low, high = self.low, self.high
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.marginal(middle) > price else (low, middle)
        return (low + high) / 2


def best_split(total: float, channels: Mapping[str, Channel]) -> dict[str, float]:
    """The spend per channel that maximises the sum of the responses at `total`."""
    low, high = 0.0, max(channel.marginal(channel.low) for channel in channels.values())
    for _ in range(HALVINGS):
        price = (low + high) / 2
        spent = sum(channel.spend_at(price) for channel in channels.values())
        low, high = (price, high) if spent > total else (low, price)
    return {name: channel.spend_at(high) for name, channel in channels.items()}


@dataclass(frozen=True)
class BudgetProblem:
    """The mean spend split anew, each channel within a range around its own mean.

    Attributes:
        total: what is split, per period.
        mean: mean spend by channel, the reference.
        channels: the channels.
        best: the best split.
    """

    total: float
    mean: Mapping[str, float]
    channels: Mapping[str, Channel]
    best: Mapping[str, float]

    @property
    def best_uplift(self) -> float:
        """What the best split adds to Σ β f(spend) over the reference."""
        return sum(channel.response(self.best[name]) for name, channel in self.channels.items()) - sum(
            channel.response(self.mean[name]) for name, channel in self.channels.items()
        )

    def stated(self) -> dict[str, Any]:
        """The problem by term, ready for JSON."""
        return {
            "total": self.total,
            "bounds": {f"m_{name}": [channel.low, channel.high] for name, channel in self.channels.items()},
            "reference_spend": {f"m_{name}": round(money, 2) for name, money in self.mean.items()},
        }

    def solved(self, name: str, uplift: float) -> dict[str, Any]:
        """The best split by term, and under `name` what it adds to the KPI, ready for JSON."""
        return {
            "best_spend": {f"m_{name}": round(money, 2) for name, money in self.best.items()},
            name: round(uplift, 2),
        }


def budget_problem(
    mean: Mapping[str, float],
    betas: Mapping[str, float],
    curves: Mapping[str, Mapping[str, str | float]],
    decimals: int,
) -> BudgetProblem:
    """Split the mean total spend; every channel may move between 0.3 and 2 times its own mean.

    Args:
        mean: mean spend per period by channel.
        betas: coefficient by channel.
        curves: response by channel.
        decimals: those of the total and of the ranges; -2 rounds to hundreds.
    """
    channels = {
        name: Channel(betas[name], curves[name], round(0.3 * money, decimals), round(2 * money, decimals))
        for name, money in mean.items()
    }
    total = round(sum(mean.values()), decimals)
    return BudgetProblem(total, mean, channels, best_split(total, channels))

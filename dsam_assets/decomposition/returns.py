"""What each channel brought for its money: shares of spend and effect, ROI or cost per KPI unit, and at the margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from dsam_assets.decomposition.channels import MediaChannel
from dsam_assets.decomposition.impact import TOTAL, summarise
from dsam_assets.decomposition.periods import HIGH, LOW
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import FloatArray

KpiType = Literal["revenue", "subscriptions"]
EFFECT = ("contribution", "q05", "q95", "share_of_effect", "share_of_effect_q05", "share_of_effect_q95")


class Returns:
    """The channels' rows, panel unit by panel unit.

    A ROI is value_per_kpi × KPI units per money (value 1 where none is given); for subscriptions the return is the cost
    per KPI unit, money per KPI units, which only a positive effect has.
    """

    def __init__(self, channels: Sequence[MediaChannel], kpi_type: KpiType, value_per_kpi: float | None) -> None:
        """Start empty; without channels it stays so."""
        self._channels, self._kpi_type, self._value = tuple(channels), kpi_type, value_per_kpi
        self._tables: list[pd.DataFrame] = []

    @property
    def _is_cost(self) -> bool:
        return self._kpi_type == "subscriptions"

    def add(self, label: str, parts: FloatArray, marginals: FloatArray, spend: FloatArray, money: FloatArray) -> None:
        """Add a panel unit, or at last `all`.

        Args:
            label: its name.
            parts: KPI units that each channel brought, shape (M, S).
            marginals: KPI units per 100 % more spend, shape (M, S).
            spend, money: what was spent, in units of the spend column and in money, shape (M,); NaN where unknown.
        """
        if not self._channels:
            return
        effects, slopes = np.vstack([parts, parts.sum(axis=0)]), np.vstack([marginals, marginals.sum(axis=0)])
        joint = float(money.sum())  # missing unless all are known
        paid = np.append(money, joint)
        columns = dict(zip(EFFECT, summarise(effects, parts.sum(axis=0)), strict=True))
        returned, marginal = (self._per_money(draws, paid) for draws in (effects, slopes))
        table = pd.DataFrame({
            "group": label, "channel": [*(c.name for c in self._channels), TOTAL],
            "term": [*(c.term for c in self._channels), TOTAL],
            **columns, "spend": np.append(spend, np.nan), "money": paid,
            "share_of_spend": paid / joint if joint > 0 else np.nan,
            "metric": "cpa" if self._is_cost else "roi", "metric_unit": self._unit(),
            **dict(zip(("metric_value", "metric_q05", "metric_q95"), returned, strict=True)),
            **dict(zip(("marginal_value", "marginal_q05", "marginal_q95"), marginal, strict=True)),
            "response": [*(str(c.response) for c in self._channels), ""],
            "assumption": [*(c.assumption for c in self._channels), ""],
        })  # fmt: skip
        self._tables.append(table)

    def _per_money(self, draws: FloatArray, money: FloatArray) -> FloatArray:
        """Return of the mean effect, and its interval: (K, S), (K,) → (3, K)."""
        mean, (low, high) = draws.mean(axis=-1), quantiles(draws, (LOW, HIGH), axis=-1)
        ends = (high, low) if self._is_cost else (low, high)  # a cost falls as the effect rises
        return np.stack([self._ratio(effect, money) for effect in (mean, *ends)])

    def _ratio(self, effect: FloatArray, money: FloatArray) -> FloatArray:
        out = np.full_like(effect, np.nan)
        if self._is_cost:
            return np.divide(money, effect, out=out, where=(effect > 0) & (money > 0))
        value = 1.0 if self._value is None else self._value
        return np.divide(value * effect, money, out=out, where=money > 0)

    def _unit(self) -> str:
        if self._is_cost:
            return "currency per KPI unit"
        return "KPI units per currency" if self._value is None else "currency per currency"

    def table(self) -> pd.DataFrame:
        """One row per unit and channel, then TOTAL; `all`, added last, comes first. Empty without channels."""
        if not self._tables:
            return pd.DataFrame()
        return pd.concat([self._tables[-1], *self._tables[:-1]], ignore_index=True)

"""Totals of parts over all rows: by term and by group of terms, for all rows and for each panel unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dsam_assets.decomposition.periods import HIGH, LOW
from dsam_assets.decomposition.term_groups import OFFSET, TERM_GROUPS, TermGroup
from dsam_assets.design.scaling import INTERCEPT
from dsam_assets.fit.spread import quantiles
from dsam_assets.scales import FloatArray

TOTAL = "TOTAL"
ALL = "all"
MEASURES = ("contribution", "q05", "q95", "share", "share_q05", "share_q95")


def summarise(parts: FloatArray, whole: FloatArray) -> FloatArray:
    """The columns `MEASURES` of K parts: (K, S) and their whole (S,) → (6, K).

    A share is mean part / mean whole, so that shares add up; its interval is that of part / whole draw by draw, and
    missing where a draw's whole is not positive. A whole that is not positive on average has no shares.
    """
    mean, base = parts.mean(axis=-1), float(whole.mean())
    unknown = np.full_like(mean, np.nan)
    share = mean / base if base > 0 else unknown
    ends = quantiles(parts / whole, (LOW, HIGH), axis=-1) if (whole > 0).all() else np.stack([unknown] * 2)
    return np.stack([mean, *quantiles(parts, (LOW, HIGH), axis=-1), share, *ends])


class Totals:
    """Summaries of parts by panel unit, and over all."""

    def __init__(self, parts: Sequence[str], groups: Mapping[str, TermGroup]) -> None:
        """Start empty; `parts` are named by term, and `groups` says what kind each is."""
        self._parts, self._groups = tuple(parts), groups
        self._kinds = tuple(kind for kind in TERM_GROUPS if kind in {groups[part] for part in parts})
        self._labels: list[str] = []
        self._terms: list[FloatArray] = []
        self._sums: list[FloatArray] = []
        self._model_scale: list[FloatArray] = []

    def add(self, label: str, parts: FloatArray, model_scale: FloatArray) -> None:
        """Add a panel unit, or at last `all`: sums (P, S), and posterior means on the model scale (P,)."""
        whole = parts.sum(axis=0)
        kinds = [parts[[self._groups[p] == kind for p in self._parts]].sum(axis=0) for kind in self._kinds]
        self._labels.append(label)
        self._terms.append(summarise(np.vstack([parts, whole]), whole))
        self._sums.append(summarise(np.vstack([*kinds, whole]), whole))
        self._model_scale.append(np.append(model_scale, model_scale.sum()))

    def by_term(self, top_n: int) -> pd.DataFrame:
        """One row per unit and term, the largest first: `group`, `term`, `term_group`, `rank` (intercept, offset and
        TOTAL have none), `top_n`, `MEASURES`, `model_scale`."""
        names = np.asarray([*self._parts, TOTAL], dtype=object)
        ranked = np.array([name not in (INTERCEPT, OFFSET, TOTAL) for name in names])
        tables = []
        for label, values, linear in zip(self._labels, self._terms, self._model_scale, strict=True):
            order = self._order(values[0], ranked)
            rank = np.where(ranked[order], np.cumsum(ranked[order]), 0)
            columns = dict(zip(MEASURES, values[:, order], strict=True))
            tables.append({"group": np.full(len(names), label, dtype=object), "term": names[order], "rank": rank,
                           **columns, "model_scale": linear[order]})  # fmt: skip
        table = _stacked(tables)
        table.insert(2, "term_group", table["term"].map({**self._groups, TOTAL: "total"}))
        table["rank"] = table["rank"].where(table["rank"] > 0).astype("Int64")
        table.insert(4, "top_n", (table["rank"] <= top_n).fillna(False).astype("bool"))
        return table

    @staticmethod
    def _order(mean: FloatArray, ranked: np.ndarray) -> np.ndarray:
        """Level first, then terms by size, TOTAL last."""
        key = np.where(ranked, -np.abs(mean), -np.inf)
        key[-1] = np.inf
        return np.argsort(key, kind="stable")

    def by_group(self) -> pd.DataFrame:
        """One row per unit and group of terms in the order of a waterfall, then TOTAL: `group`, `term_group`, `terms`
        (how many), `MEASURES`, and `start` and `end` of its bar."""
        counts = [sum(self._groups[part] == kind for part in self._parts) for kind in self._kinds]
        tables = []
        for label, values in zip(self._labels, self._sums, strict=True):
            end = np.append(np.cumsum(values[0, :-1]), values[0, -1])
            start = np.append(np.append(0.0, end[:-2]), 0.0)
            tables.append({
                "group": np.full(len(end), label, dtype=object), "term_group": np.asarray([*self._kinds, "total"]),
                "terms": np.asarray([*counts, sum(counts)], dtype=np.int64), **dict(zip(MEASURES, values, strict=True)),
                "start": start, "end": end,
            })  # fmt: skip
        return _stacked(tables)


def _stacked(tables: Sequence[Mapping[str, np.ndarray]]) -> pd.DataFrame:
    """All rows; those of `all`, which was added last, come first."""
    ordered = [tables[-1], *tables[:-1]]
    return pd.DataFrame({name: np.concatenate([table[name] for table in ordered]) for name in ordered[0]})

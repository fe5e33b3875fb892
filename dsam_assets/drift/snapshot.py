"""What is kept of a fit so that the next one can be compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dsam_assets.design.formula import parse_formula
from dsam_assets.scales import FloatArray, observed_to_kpi

if TYPE_CHECKING:
    import pandas as pd

    from dsam_assets.design.matrix import ModelMatrix
    from dsam_assets.fit.draws import Draws

# Sections of the config that reach a coefficient, a contribution or a return.
SECTIONS = ("data", "formula", "priors", "fit", "decomposition")


@dataclass(frozen=True, eq=False)
class FitSnapshot:
    """One fit with all that it is told by.

    Attributes:
        draws: the posterior, or its mode.
        matrix: the rows that were modelled.
        frame: the data file, every row and column.
        tables: published tables by name: those of `loo` and of `decomposition`.
        config: section → its keys as plain values; `SECTIONS`.
        code: version of each part of the code that made the posterior; empty when it is not known.
        fitted_at: when, ISO 8601 in UTC; empty when it is not known.
        reliability: of its verdict.
    """

    draws: Draws
    matrix: ModelMatrix
    frame: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    config: Mapping[str, Mapping[str, Any]]
    code: Mapping[str, str] = field(default_factory=dict)
    fitted_at: str = ""
    reliability: str = ""

    @property
    def date_var(self) -> str | None:
        """The date column."""
        return self.config["data"].get("date_var")

    @property
    def columns_read(self) -> frozenset[str]:
        """Columns of the data that the formula, the dates or the channels read."""
        channels = self.config["decomposition"].get("channels") or ()
        money = [channel.get(key) for channel in channels for key in ("spend_col", "currency_col")]
        section = self.config["formula"]
        unsafe = bool((section.get("security") or {}).get("allow_unsafe_formula"))
        formula = parse_formula(section["formula"], unsafe=unsafe).variables
        return frozenset(name for name in (self.date_var, *formula, *money) if name is not None)

    @property
    def panel_columns(self) -> tuple[str, ...]:
        """Columns that tell panel units apart."""
        return tuple(dict.fromkeys(name for group in self.matrix.groups for name in group.group))

    @property
    def observed_kpi(self) -> FloatArray:
        """The observed KPI of every modelled row, shape (N,)."""
        return np.asarray(observed_to_kpi(self.matrix.response, self.matrix.response_scale), dtype=np.float64)

"""Stationarity of the response and the predictors: what kind of movement each series has. Information, never a gate.

Two tests with opposite null hypotheses (a unit root for ADF, stationarity for KPSS) are read together, first around a
level, then around a straight line. At 5 %:

                        KPSS does not reject     KPSS rejects
    ADF rejects         stationary               both reject
    ADF does not        neither rejects          unit root

A series is `stationary` when the level tests say so; else `trend_stationary` when those around a line do; else
`unit_root` when those around a line say that; else `inconclusive`. So a level unit root alone proves nothing: a line
would look the same. The numbers shown are those of the tests that decided.

Sources: Dickey and Fuller (1979), with lags by AIC up to 12 (n/100)^¼ (Schwert, 1989) and MacKinnon's (2010) p-values;
Kwiatkowski, Phillips, Schmidt and Shin (1992), with the lags of Hobijn, Franses and Ooms (1998). The KPSS table ends at
1 % and 10 %: beyond it, only a bound of p is known.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dsam_assets.design.checks import CONSTANT_TOLERANCE, INTERCEPT
from dsam_assets.diagnostics.rows import listed
from dsam_assets.diagnostics.series import UnitSeries, unit_series
from dsam_assets.scales import FloatArray

if TYPE_CHECKING:
    from dsam_assets.design.matrix import ModelMatrix

Regression = Literal["level", "trend"]
Bound = Literal["", "<=", ">="]

LEVEL = 0.05
# Below this Schwert's lags leave fewer than half the rows, and neither test tells anything from anything.
LEAST_ROWS = 30
MOST_ROWS = 1_000
MOST_SERIES = 500
# Share of a series' spread that rounding in a file can leave around an exact line or wave.
_LINE_TOLERANCE = 1e-5
_KINDS: dict[Regression, str] = {"level": "c", "trend": "ct"}
_COLUMNS = (
    "series", "group", "n", "conclusion", "regression",
    "adf_stat", "adf_p", "adf_lags", "kpss_stat", "kpss_p", "kpss_p_bound", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class UnitRootTests:
    """Both tests of one series; NaN and `None` where a test has no result.

    Attributes:
        regression: what the series is taken to move around.
        adf_stat, adf_p, adf_lags: Dickey and Fuller's t statistic, its p-value and the lagged differences used.
        kpss_stat, kpss_p, kpss_p_bound: the KPSS statistic and its p-value, of which only a bound may be known.
    """

    regression: Regression
    adf_stat: float
    adf_p: float
    adf_lags: int | None
    kpss_stat: float
    kpss_p: float
    kpss_p_bound: Bound

    @property
    def computed(self) -> bool:
        """Whether both tests have a result."""
        return math.isfinite(self.adf_p) and math.isfinite(self.kpss_p)

    @property
    def stationary(self) -> bool:
        """ADF rejects a unit root, and KPSS does not reject stationarity."""
        return self.computed and self.adf_p < LEVEL <= self.kpss_p

    @property
    def unit_root(self) -> bool:
        """KPSS rejects stationarity, and ADF does not reject a unit root."""
        return self.computed and self.kpss_p < LEVEL <= self.adf_p


def stationarity_report(matrix: ModelMatrix, labels: pd.DataFrame) -> pd.DataFrame:
    """ADF and KPSS of the response (model scale) and of every predictor, per panel unit.

    Rows are taken as equally spaced. Of longer series the latest 1,000 rows are tested; of panels with more than 500
    series, evenly spaced units, and the others are `not_tested`.

    Args:
        matrix: the model matrix.
        labels: `design.labels.row_labels` of it.

    Returns:
        One row per series and unit: series, group, n (rows tested), conclusion, regression (of the tests shown, empty
        when there are none), adf_stat, adf_p, adf_lags, kpss_stat, kpss_p, kpss_p_bound (`<=` or `>=` where p is only
        a bound), reason (why a test is missing, or why there is no conclusion; else empty).
    """
    rows = [_report_row(*item) for item in _series(matrix, unit_series(labels))]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.astype({"adf_lags": "Int64", **dict.fromkeys(("adf_stat", "adf_p", "kpss_stat", "kpss_p"), "float64")})


def stationarity_facts(table: pd.DataFrame) -> dict[str, int | str]:
    """Key numbers for the asset's metadata: series by conclusion, and which of them have a unit root."""
    counts = {str(name): int(number) for name, number in table["conclusion"].value_counts(sort=False).items()}
    wandering = table.loc[table["conclusion"] == "unit_root", "series"].value_counts(sort=False)
    units = table["group"].nunique()
    names = [f"{name} in {number} of {units} units" if units > 1 else str(name) for name, number in wandering.items()]
    return {"tested": int((table["regression"] != "").sum()), **counts, "unit_root_series": listed(names)}


def _series(matrix: ModelMatrix, units: tuple[UnitSeries, ...]) -> Iterator[tuple[str, UnitSeries, FloatArray, bool]]:
    """Name, unit, values in date order, and whether it is tested; the response first."""
    columns = {matrix.response_name: matrix.response}
    columns |= {term: matrix.values[:, j] for j, term in enumerate(matrix.terms) if term != INTERCEPT}
    tested = min(len(units), max(1, MOST_SERIES // len(columns)))
    chosen = set(np.linspace(0, len(units) - 1, tested).round().astype(int).tolist())
    for name, values in columns.items():
        for position, unit in enumerate(units):
            yield name, unit, values[unit.rows], position in chosen


def _report_row(name: str, unit: UnitSeries, values: FloatArray, tested: bool) -> dict[str, object]:
    kept = values[-MOST_ROWS:]
    row: dict[str, object] = {"series": name, "group": unit.group, "n": len(kept), "regression": "", "kpss_p_bound": ""}
    conclusion, reason = _untestable(kept, unit, tested)
    if not conclusion:
        tests, conclusion, reason = conclude(kept)
        row |= asdict(tests)
    shortened = f"the latest {len(kept):,} of {len(values):,} rows" if len(kept) < len(values) else ""
    return row | {"conclusion": conclusion, "reason": "; ".join(part for part in (reason, shortened) if part)}


def _untestable(values: FloatArray, unit: UnitSeries, tested: bool) -> tuple[str, str]:
    """Conclusion and reason where no test applies, else empty texts."""
    if not tested:
        return "not_tested", f"only {MOST_SERIES:,} series are tested, of evenly spaced units"
    if unit.repeated.size:
        return "inconclusive", f"not one series: {unit.repeated.size:,} dates repeat, the first {unit.repeated[0]}"
    if not np.isfinite(values).all():
        return "inconclusive", "the series has values that are not finite"
    if np.ptp(values) <= CONSTANT_TOLERANCE * np.abs(values).max():
        return "constant", "the series does not vary"
    if len(values) < LEAST_ROWS:
        return "too_short", f"fewer than {LEAST_ROWS} rows"
    if _is_line(values):
        return "trend_stationary", "an exact straight line: nothing is left to test"
    if _is_wave(values):
        return "stationary", "an exact wave: nothing is left to test"
    return "", ""


def _is_line(values: FloatArray) -> bool:
    time = np.arange(len(values)) - (len(values) - 1) / 2
    centred = values - values.mean()
    rest = centred - time * (time @ centred) / (time @ time)
    return bool(np.abs(rest).max() <= _LINE_TOLERANCE * np.abs(centred).max())


def _is_wave(values: FloatArray) -> bool:
    """Whether x_{t+1} + x_{t−1} is an exact linear function of x_t with a slope below 2: a sinusoid about a level."""
    sums, middle = values[2:] + values[:-2], values[1:-1]
    centred, spread = middle - middle.mean(), np.ptp(values)
    square = float(centred @ centred)
    slope = float(centred @ sums) / square if square > 0 else math.inf
    if abs(slope) >= 2:
        return False
    rest = sums - sums.mean() - slope * centred
    return bool(np.abs(rest).max() <= _LINE_TOLERANCE * spread)


def conclude(values: FloatArray) -> tuple[UnitRootTests, str, str]:
    """The tests that decided, the conclusion, and for `inconclusive` the reason.

    Args:
        values: a series that varies and is no straight line, at least 30 values in time order, shape (n,).
    """
    level = unit_root_tests(values, "level")
    if level.stationary:
        return level, "stationary", ""
    trend = unit_root_tests(values, "trend")
    if trend.stationary:
        return trend, "trend_stationary", ""
    if trend.unit_root:
        return trend, "unit_root", ""
    if not trend.computed:
        return trend, "inconclusive", "a test has no finite result: the series repeats itself exactly"
    return trend, "inconclusive", "both tests reject" if trend.adf_p < LEVEL else "neither test rejects"


def unit_root_tests(values: FloatArray, regression: Regression) -> UnitRootTests:
    """ADF and KPSS of one series, around its level or around a straight line."""
    from statsmodels.tsa.stattools import adfuller, kpss

    kind = _KINDS[regression]
    # Warnings are facts here: a p-value at the end of its table, or a regression that fits exactly.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        adf = adfuller(values, regression=kind, autolag="AIC", result_object=True)
        level = kpss(values, regression=kind, nlags="auto", result_object=True)
    return UnitRootTests(
        regression,
        float(adf.statistic),
        float(adf.pvalue),
        int(adf.lags),
        float(level.statistic),
        float(level.pvalue) if math.isfinite(level.statistic) else math.nan,
        kpss_bound(float(level.statistic), level.critical_values),
    )


def kpss_bound(statistic: float, critical_values: dict[str, float]) -> Bound:
    """How p stands to the end of the table beyond which the statistic lies."""
    if statistic >= critical_values["1%"]:
        return "<="
    return ">=" if statistic <= critical_values["10%"] else ""

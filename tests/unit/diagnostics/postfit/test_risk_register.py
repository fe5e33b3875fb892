"""The register of predictors: each number against its definition, each rule from both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dsam_assets.diagnostics.boundary_hits import boundary_hits
from dsam_assets.diagnostics.lag_grid import lagged_series
from dsam_assets.diagnostics.risk_register import (
    COLUMNS,
    METRICS,
    RULES,
    RegisterTables,
    lag1_correlations,
    predictor_risk_register,
    truncated_sd,
)

Make = Callable[..., Any]
TERMS = ("(Intercept)", "t", "m_tv", "m_search", "price")

# metric → (last value of low, last value of medium or None)
LIMITS = {
    "vif": (5, 10),
    "abs_corr_baseline": (0.80, 0.95),
    "boundary_hit_frac": (0.05, 0.20),
    "within_var_ratio": (0.10, 0.05),
    "lag1_correlation": (0.9, None),
    "sign_probability": (0.90, None),
    "sd_of_prior_sd": (0.5, 0.9),
}


def test_rules_are_these() -> None:
    assert tuple(LIMITS) == METRICS
    for rule in RULES:
        low, medium = LIMITS[rule.metric]
        worse = 0.0 if rule.metric in ("within_var_ratio", "sign_probability") else np.inf
        assert rule.level(low) == "low"
        assert rule.level(float(np.nextafter(low, worse))) == "medium"
        assert rule.level(np.nan) == "low"
        if medium is None:
            assert rule.level(worse) == "medium"
        else:
            assert rule.level(medium) == "medium"
            assert rule.level(float(np.nextafter(medium, worse))) == "high"
    assert [rule.metric for rule in RULES if not rule.of_baseline] == ["lag1_correlation", "sign_probability"]


def test_lag_correlations_by_hand(make_matrix: Make) -> None:
    """Two units, one with a gap: pairs of neighbouring weeks, written out."""
    rng = np.random.default_rng(1)
    weeks = {"a": list(range(10)), "b": [0, 1, 2, 5, 6, 7, 8]}
    labels = pd.DataFrame([(unit, week) for unit in weeks for week in weeks[unit]], columns=["group", "week"])
    labels = labels.assign(date=pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * labels["week"], unit="D"))
    x = 5 + rng.normal(size=17).cumsum()
    matrix = make_matrix(np.column_stack([np.ones(17), x, np.full(17, 3.3)]), np.zeros(17))
    product = square = pairs = 0.0
    for unit in weeks:
        rows = np.flatnonzero(labels["group"] == unit)
        e = x[rows] - x[rows].mean()
        square += e @ e
        for i in range(len(rows) - 1):
            if weeks[unit][i + 1] == weeks[unit][i] + 1:
                product, pairs = product + e[i] * e[i + 1], pairs + 1
    found = lag1_correlations(matrix, lagged_series(labels))
    assert found == {"x1": pytest.approx(product / pairs / (square / 17), rel=1e-10)}
    assert lag1_correlations(matrix, lagged_series(labels.drop(columns="date"))) == {}


@pytest.mark.parametrize(("lower", "upper"), [(-np.inf, np.inf), (0.0, np.inf), (-1.0, 4.0), (3.0, np.inf)])
def test_prior_sd_is_that_between_the_bounds(lower: float, upper: float) -> None:
    from scipy.integrate import quad

    low, high = max(lower, -60), min(upper, 60)
    mass = quad(stats.norm(1, 5).pdf, low, high)[0]
    moments = [quad(lambda x, k=k: x**k * stats.norm(1, 5).pdf(x) / mass, low, high)[0] for k in (1, 2)]
    assert truncated_sd(1.0, 5.0, lower, upper) == pytest.approx(np.sqrt(moments[1] - moments[0] ** 2), rel=1e-5)


@pytest.fixture
def case(make_matrix: Make, as_draws: Make, make_weeks: Make) -> Callable[..., pd.DataFrame]:
    """A register whose posterior, priors and tables are made by hand."""

    def build(point: bool = False, baseline: tuple[str, ...] = ("t",)) -> pd.DataFrame:
        rng, n, size = np.random.default_rng(2), 100, 20_000
        t = np.linspace(-1, 1, n)
        values = np.column_stack([np.ones(n), t, t + 0.05 * rng.normal(size=n), rng.gamma(2, size=(n, 2))])
        matrix = make_matrix(values, np.zeros(n), TERMS)
        coef = np.column_stack(
            [
                rng.normal(size=size),
                rng.normal(0, 0.1, size),
                np.abs(rng.normal(0, 1, size)),
                rng.normal(4, 1, size),
                stats.norm.ppf((np.arange(size) + 0.5) / size, -0.95, 1.0),
            ]
        )
        draws = as_draws(TERMS, coef[:1] if point else coef, np.ones(1 if point else size))
        bounds = {"m_tv": (0.0, np.inf), "m_search": (0.0, np.inf)}
        sds = {"m_tv": 1.0, "price": 1.05}
        rows = [(name, "normal", 0.0, sds.get(name, 5.0), *bounds.get(name, (-np.inf, np.inf))) for name in TERMS]
        priors = pd.DataFrame(rows, columns=["parameter", "family", "mean", "sd", "lower", "upper"])
        pairs = pd.DataFrame({"media": ["m_tv", "m_search"], "abs_correlation": [0.97, 0.85]})
        within = pd.DataFrame({"term": ["price", "price", "t"], "ratio": [0.5, 0.07, 1.0]})
        tables = RegisterTables(boundary_hits(draws, priors, "publish"), within, pairs, priors)
        return predictor_risk_register(draws, matrix, make_weeks(n), tables, baseline)

    return build


def test_numbers_levels_and_order(case: Make) -> None:
    table = case()
    assert list(table.columns) == list(COLUMNS)
    assert list(table["term"]) == ["m_tv", "price", "t", "m_search"]
    assert list(table["rank"]) == [1, 2, 3, 4]
    assert list(table["risk"]) == ["high", "high", "high", "medium"]
    rows = table.set_index("term")
    tv, price, t = rows.loc["m_tv"], rows.loc["price"], rows.loc["t"]
    assert (tv["high_flags"], tv["medium_flags"]) == (3, 2)  # VIF, baseline, prior; boundary, slow
    assert tv["vif"] > 100
    assert tv["abs_corr_baseline"] == 0.97
    assert tv["boundary_hit_frac"] == pytest.approx(2 * stats.norm.cdf(0.3 * np.sqrt(1 - 2 / np.pi)) - 1, abs=0.01)
    assert tv["sd_of_prior_sd"] == pytest.approx(1.0, abs=0.03), "half-normal prior, half-normal posterior"
    assert np.isnan(tv["sign_probability"]), "its boundary fixes the sign"
    assert tv["reasons"].split("; ")[1] == "moves with a baseline term (|r| 0.97)"
    assert len(tv["reasons"].split("; ")) == 5
    assert price["sign_probability"] == pytest.approx(stats.norm.cdf(0.95), abs=1e-4)
    assert price["within_var_ratio"] == 0.07
    assert price["sd_of_prior_sd"] == pytest.approx(1 / 1.05, abs=1e-3)
    assert (price["high_flags"], price["medium_flags"]) == (1, 2)
    assert t["lag1_correlation"] > 0.95
    assert t["sign_probability"] < 0.9
    assert (t["high_flags"], t["medium_flags"], t["reasons"][:5]) == (1, 0, "other"), "slow and of any sign by purpose"


def test_what_a_baseline_may_do_others_may_not(case: Make) -> None:
    t = case(baseline=()).set_index("term").loc["t"]
    assert (t["high_flags"], t["medium_flags"]) == (1, 2)
    assert "moves slowly" in t["reasons"]


def test_a_point_estimate_has_no_spread_to_speak_of(case: Make) -> None:
    table = case(point=True)
    assert table[["boundary_hit_frac", "sign_probability", "sd_of_prior_sd"]].isna().all().all()
    assert table["vif"].notna().all()

"""Draws next to boundaries: posteriors whose share of hits is known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dsam_assets.diagnostics.boundary_hits import boundary_gate, boundary_hits
from dsam_assets.diagnostics.thresholds import THRESHOLDS, judge
from dsam_assets.scales import FloatArray
from dsam_assets.verdict import GateResult, PolicyMode

Make = Callable[..., Any]
MODES: tuple[PolicyMode, ...] = ("explore", "publish", "strict")
TERMS = ("(Intercept)", "m_tv", "lag(x, 3)")
SIZE = 40_000


def priors(**bounds: tuple[float, float]) -> pd.DataFrame:
    """A prior table with these bounds; `x` stands for lag(x, 3)."""
    names = {"x": "lag(x, 3)"}
    free: dict[str, tuple[float, float]] = dict.fromkeys(TERMS, (-np.inf, np.inf))
    table = free | {"noise_sd": (0.0, np.inf)} | {names.get(name, name): pair for name, pair in bounds.items()}
    return pd.DataFrame([(name, *pair) for name, pair in table.items()], columns=["parameter", "lower", "upper"])


@pytest.fixture
def fit(as_draws: Make) -> Callable[..., Any]:
    def make(m_tv: FloatArray | None = None, x: FloatArray | None = None, **group_sd: FloatArray) -> Any:
        rng = np.random.default_rng(1)
        size = SIZE if m_tv is None else len(m_tv)
        columns = [rng.normal(size=size), *(rng.normal(9, 1, size) if c is None else c for c in (m_tv, x))]
        return as_draws(TERMS, np.column_stack(columns), 1 + 0.1 * rng.random(size), group_sd)

    return make


def truncated(m: float, seed: int = 2) -> FloatArray:
    """Draws of a normal with mean m and sd 1 above 0, at evenly spaced probabilities: no sampling error."""
    shares = (np.arange(SIZE) + 0.5) / SIZE
    return np.random.default_rng(seed).permutation(stats.truncnorm(-m, np.inf, loc=m).ppf(shares))


@pytest.mark.parametrize(
    ("m", "documented"),
    [(3, 0.002), (2, 0.021), (1.4, 0.05), (1, 0.076), (0.67, 0.10), (0, 0.144), (-1, 0.19), (-1.3, 0.20), (-2, 0.218)],
)
def test_share_of_a_truncated_normal(m: float, documented: float, fit: Make) -> None:
    posterior = stats.truncnorm(-m, np.inf, loc=m)
    table = boundary_hits(fit(truncated(m)), priors(m_tv=(0.0, np.inf)), "publish").set_index("parameter")
    expected = posterior.cdf(0.3 * posterior.std())
    assert table.loc["m_tv", "hit_frac"] == pytest.approx(expected, abs=2e-4)
    assert table.loc["m_tv", "tolerance"] == pytest.approx(0.3 * posterior.std(), rel=1e-3)
    assert expected == pytest.approx(documented, abs=1e-3), "the table in the module's documentation"


def test_units_and_sides_do_not_matter(fit: Make) -> None:
    shares = [
        boundary_hits(fit(m_tv), priors(m_tv=bounds), "publish").set_index("parameter").loc["m_tv"]
        for m_tv, bounds in (
            (truncated(0.5), (0.0, np.inf)),
            (1e6 * truncated(0.5), (0.0, np.inf)),
            (-1e-3 * truncated(0.5), (-np.inf, 0.0)),
            (7 - truncated(0.5), (-np.inf, 7.0)),
        )
    ]
    assert {round(row["hit_frac"], 3) for row in shares} == {round(shares[0]["hit_frac"], 3)}
    assert [row["side"] for row in shares] == ["lower", "lower", "upper", "upper"]


def gate(draws: Any, table: pd.DataFrame, mode: PolicyMode = "publish") -> GateResult:
    return boundary_gate(boundary_hits(draws, table, mode), mode)


@pytest.mark.parametrize(
    ("m", "expected"),
    [
        (4.0, ["pass", "pass", "pass"]),
        (1.7, ["pass", "pass", "warn"]),
        (1.0, ["warn", "warn", "warn"]),
        (0.0, ["warn", "warn", "fail"]),
        (-3.0, ["warn", "fail", "fail"]),
    ],
)
def test_policies(m: float, expected: list[str], fit: Make) -> None:
    """The data keep the coefficient away from zero, hardly, not, and push it beyond."""
    table = priors(m_tv=(0.0, np.inf), x=(0.0, 50.0))
    rows = [gate(fit(truncated(m)), table, mode) for mode in MODES]
    assert [row.status for row in rows] == expected
    if m < 3:
        assert {row.subject for row in rows} == {"m_tv"}
        assert "(m_tv, lower bound 0)" in rows[0].message


def test_the_worst_boundary_decides_and_a_name_with_a_comma_survives(fit: Make) -> None:
    draws = fit(truncated(1.0), 5 - truncated(-3.0))
    table = boundary_hits(draws, priors(m_tv=(0.0, np.inf), x=(-5.0, 5.0)), "publish")
    assert list(table["parameter"]) == ["m_tv", "lag(x, 3)", "lag(x, 3)", "noise_sd"]
    assert list(table["side"]) == ["lower", "lower", "upper", "lower"]
    assert list(table["status"]) == ["warn", "pass", "fail", "skipped"]
    for share, status in zip(table["hit_frac"][:3], table["status"][:3], strict=True):
        assert judge(share, THRESHOLDS["publish"]["boundary_hit_fraction"]) == status
    row = boundary_gate(table, "publish")
    assert (row.status, row.subject, row.value) == ("fail", "lag(x, 3)", table["hit_frac"].max())


def test_zero_of_a_standard_deviation_is_shown_and_not_judged(fit: Make) -> None:
    near_zero = truncated(-3.0)
    draws = fit(truncated(5.0), **{"sd_1[(Intercept)]": near_zero})
    sd = {"sd_1[(Intercept)]": (0.0, np.inf)}
    table = boundary_hits(draws, priors(**sd), "publish")
    assert list(table["structural"]) == [True, True]
    assert list(table["status"]) == ["skipped", "skipped"]
    assert table["hit_frac"].iloc[1] > 0.2
    assert boundary_gate(table, "publish").status == "skipped"
    chosen = {"sd_1[(Intercept)]": (0.0, float(near_zero.max())), "noise_sd": (1.0, np.inf)}
    judged = boundary_hits(draws, priors(**chosen), "publish")
    assert list(judged["structural"]) == [False, True, False]


@pytest.mark.parametrize("mode", MODES)
def test_without_boundaries_it_does_not_apply(mode: PolicyMode, fit: Make) -> None:
    row = gate(fit(), priors(), mode)
    assert (row.status, row.value, row.advice) == ("skipped", None, "")
    assert "no parameter has a finite boundary" in row.message


@pytest.mark.parametrize("mode", MODES)
def test_a_point_estimate_has_no_share(mode: PolicyMode, as_draws: Make) -> None:
    draws = as_draws(TERMS, np.zeros((1, 3)), np.ones(1))
    table = boundary_hits(draws, priors(m_tv=(0.0, np.inf)), mode)
    assert table["hit_frac"].isna().all()
    assert set(table["status"]) == {"skipped"}
    row = boundary_gate(table, mode)
    assert (row.status, "optimisation_best" in row.message) == ("skipped", True)


@pytest.mark.parametrize("mode", MODES)
def test_draws_without_a_share_are_not_computed(mode: PolicyMode, fit: Make) -> None:
    table = priors(m_tv=(0.0, np.inf), x=(0.0, np.inf))
    for value, words in ((np.nan, "not finite"), (2.0, "every draw is the same")):
        row = gate(fit(np.full(SIZE, value)), table, mode)
        assert (row.status, row.value) == ("not_computed", None)
        assert "m_tv, lower bound 0" in row.message
        assert words in row.message
    if mode != "explore":
        row = gate(fit(np.full(SIZE, np.nan), truncated(-3.0)), table, mode)
        assert (row.status, row.subject) == ("fail", "lag(x, 3)")

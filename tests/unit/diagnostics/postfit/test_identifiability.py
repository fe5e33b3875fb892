"""Baseline against media: term detection, thresholds and skip conditions as the page has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsam_assets.config.schema_diagnostics import IdentifiabilitySection
from dsam_assets.diagnostics.identifiability import baseline_media_correlations, identifiability_gate, term_roles
from dsam_assets.verdict import GateResult, PolicyMode

Make = Callable[..., Any]
MODES: tuple[PolicyMode, ...] = ("explore", "publish", "strict")
TERMS = ("(Intercept)", "t", "t_squared", "trend", "sin52_1", "cos_x", "holiday_easter", "m_tv", "m_search", "flat")


def section(**keys: object) -> IdentifiabilitySection:
    return IdentifiabilitySection(**{"media_terms": ("m_tv", "m_search"), **keys})  # type: ignore[arg-type]


def roles(generated: tuple[str, ...] = (), **keys: object) -> tuple[set[str], set[str]]:
    found = term_roles(TERMS, section(**keys), generated)
    return set(found.media), set(found.baseline)


def test_terms_are_found_as_documented() -> None:
    default = {"t", "t_squared", "sin52_1", "holiday_easter"}
    assert roles() == ({"m_tv", "m_search"}, default)
    assert roles(baseline_terms=("trend", "absent"))[1] == default | {"trend"}
    assert roles(("cos_x",), baseline_regex=())[1] == {"cos_x"}
    assert roles(baseline_regex=("^sin", "^cos", "^h_"))[1] == {"sin52_1", "cos_x"}
    assert roles(baseline_regex=("earch", ".*"))[1] == set(TERMS) - {"(Intercept)", "m_tv", "m_search"}
    assert roles(media_terms=("t", "m_tv"))[1] == default - {"t"}, "media that a pattern finds stay media"
    assert term_roles(TERMS, section(media_terms=("m_tv", "m_radio"), baseline_terms=("gdp",))).unknown == (
        "m_radio",
        "gdp",
    )


def columns(r: float, n: int = 50) -> dict[str, Any]:
    """Orthonormal u, v, w; t = u, m_tv correlates with it at −r, m_search not at all."""
    q = np.linalg.qr(np.column_stack([np.ones(n), np.random.default_rng(1).normal(size=(n, 3))]))[0][:, 1:]
    u, v, w = q.T
    return {"t": 5 + 100 * u, "m_tv": 3 * (-r * u + np.sqrt(1 - r**2) * v) + 7, "m_search": w, "flat": np.full(n, 4.0)}


@pytest.fixture
def judge(make_matrix: Make) -> Callable[..., tuple[GateResult, pd.DataFrame]]:
    def run(data: dict[str, Any], mode: PolicyMode = "publish", **keys: object) -> tuple[GateResult, pd.DataFrame]:
        values = np.column_stack([np.ones(50), *data.values()])
        matrix = make_matrix(values, np.zeros(50), ("(Intercept)", *data))
        table = baseline_media_correlations(matrix, section(**keys), mode)
        return identifiability_gate(table, matrix.terms, section(**keys), mode), table

    return run


def test_pairs_are_sorted_by_size_and_match_numpy(judge: Make) -> None:
    data = columns(0.6) | {"sin52_1": np.sin(np.arange(50.0)), "flat": np.full(50, 4.0)}
    row, table = judge(data, baseline_terms=("flat",))
    assert (table["media"][0], table["baseline"][0]) == ("m_tv", "t")
    assert len(table) == 4, "two media, two baseline terms that vary"
    assert table["abs_correlation"].is_monotonic_decreasing
    for pair in table.to_dict("records"):
        expected = np.corrcoef(data[pair["media"]], data[pair["baseline"]])[0, 1]
        assert pair["correlation"] == pytest.approx(expected, abs=1e-12)
    assert table["correlation"][0] == pytest.approx(-0.6)
    assert (row.gate, row.phase, row.metric, row.subject) == ("p1", "P1", "max_abs_corr", "m_tv")
    assert row.value == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("r", "expected"),
    [
        (0.69, ["pass", "pass", "pass"]),
        (0.71, ["pass", "pass", "warn"]),
        (0.81, ["warn", "warn", "warn"]),
        (0.86, ["warn", "warn", "fail"]),
        (0.96, ["warn", "fail", "fail"]),
    ],
)
def test_default_thresholds_by_mode(r: float, expected: list[str], judge: Make) -> None:
    found = [judge(columns(r), mode) for mode in MODES]
    assert [row.status for row, _ in found] == expected
    assert [table["status"][0] for _, table in found] == expected


@pytest.mark.parametrize(
    ("warn", "fail", "rules"),
    [
        (0.5, 0.6, ["warn > 0.5", "warn > 0.5, fail > 0.6", "warn > 0.5, fail > 0.6"]),
        (0.9, 0.99, ["warn > 0.9", "warn > 0.9, fail > 0.99", "warn > 0.7, fail > 0.85"]),
        (0.9, np.inf, ["warn > 0.9", "warn > 0.9", "warn > 0.7, fail > 0.85"]),
        (0.6, 0.99, ["warn > 0.6", "warn > 0.6, fail > 0.99", "warn > 0.6, fail > 0.85"]),
    ],
)
def test_configured_thresholds_by_mode(warn: float, fail: float, rules: list[str], judge: Make) -> None:
    found = [judge(columns(0.1), mode, abs_corr_warn=warn, abs_corr_fail=fail)[0].threshold for mode in MODES]
    assert found == rules


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"enabled": False}, "enabled is false"),
        ({"media_terms": ()}, "media_terms is empty"),
        ({"media_terms": ("m_radio",)}, "none of diagnostics.identifiability.media_terms is a column"),
        ({"baseline_regex": ()}, "no baseline terms were found"),
        ({"media_terms": ("flat",)}, "constant"),
        ({"baseline_regex": (), "baseline_terms": ("flat",)}, "constant"),
    ],
)
def test_skip_conditions(mode: PolicyMode, keys: dict[str, object], words: str, judge: Make) -> None:
    row, table = judge(columns(0.99), mode, **keys)
    assert (row.status, row.value, row.advice, len(table)) == ("skipped", None, "", 0)
    assert words in row.message


def test_unknown_names_are_said(judge: Make) -> None:
    row, _ = judge(columns(0.2), media_terms=("m_tv", "m_radio"))
    assert row.status == "pass"
    assert "Not in the design matrix: m_radio." in row.message


def test_copy_of_the_trend_is_exactly_one(judge: Make) -> None:
    row, _ = judge(columns(1.0))
    assert (row.status, row.value) == ("fail", pytest.approx(1.0, abs=1e-12))
    assert row.value <= 1.0


def test_values_that_are_not_finite_are_not_computed(judge: Make) -> None:
    data = columns(0.2)
    data["m_search"] = np.where(np.arange(50) == 3, np.nan, data["m_search"])
    row, _ = judge(data)
    assert (row.status, row.value) == ("not_computed", None)
    assert "m_search" in row.message

"""P0 numbers against LAPACK on the whole matrix and matrices whose defects are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from dsam_assets.data.findings import Finding
from dsam_assets.design import checks as module
from dsam_assets.design.checks import (
    condition_number,
    dependent_columns,
    design_checks,
    require_usable,
    unit_r_factor,
)
from dsam_assets.errors import DesignError
from dsam_assets.scales import FloatArray


@dataclass(frozen=True)
class Matrix:
    terms: tuple[str, ...]
    values: FloatArray
    response: FloatArray
    response_name: str = "kpi"
    findings: tuple[Finding, ...] = ()


def make(extra: dict[str, FloatArray] | None = None, n_rows: int = 60, seed: int = 1) -> Matrix:
    rng = np.random.default_rng(seed)
    columns = {"(Intercept)": np.ones(n_rows), "a": rng.normal(size=n_rows), "b": 1e6 * rng.random(n_rows)}
    columns |= extra or {}
    return Matrix(tuple(columns), np.column_stack(list(columns.values())), rng.normal(size=n_rows))


def column(name: str, seed: int = 1) -> FloatArray:
    matrix = make(seed=seed)
    return matrix.values[:, matrix.terms.index(name)]


def test_clean_matrix() -> None:
    checks = design_checks(make())  # type: ignore[arg-type]
    assert (checks.n_rows, checks.n_terms, checks.rank) == (60, 3, 3)
    assert (checks.constant, checks.duplicates, checks.dependent, checks.non_finite_columns) == ((), (), (), ())
    assert checks.non_finite_response == 0
    require_usable(checks)


def test_condition_number_is_belsleys_whatever_the_units(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = make({"c": column("a") + 0.001 * np.arange(60)})
    scaled = matrix.values / np.linalg.norm(matrix.values, axis=0)
    expected = np.linalg.cond(scaled)
    assert design_checks(matrix).condition_number == pytest.approx(expected, rel=1e-10)  # type: ignore[arg-type]
    in_thousands = matrix.values / [1.0, 1e3, 1e9, 1e-4]
    monkeypatch.setattr(module, "_BLOCK_BYTES", 7 * 8 * 4)
    assert condition_number(unit_r_factor(in_thousands)) == pytest.approx(expected, rel=1e-10)


def test_known_condition_number() -> None:
    # Two unit columns at correlation r have singular values sqrt(1 ± r).
    angle = 0.01
    values = np.column_stack([[1.0, 0.0, 0.0], [np.cos(angle), np.sin(angle), 0.0]])
    r = np.cos(angle)
    assert condition_number(unit_r_factor(values)) == pytest.approx(np.sqrt((1 + r) / (1 - r)), rel=1e-10)


def test_blocks_give_the_factor_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    values = make().values
    monkeypatch.setattr(module, "_BLOCK_BYTES", 5 * 8 * 3)
    r = unit_r_factor(values)
    unit = values / np.linalg.norm(values, axis=0)
    np.testing.assert_allclose(r.T @ r, unit.T @ unit, atol=1e-12)
    assert len(list(module.row_blocks(60, 3))) == 12


def test_constant_and_duplicate_columns() -> None:
    flat = np.full(60, 3.7)
    matrix = make({"flat": flat, "zero": np.zeros(60), "copy": column("a"), "copy2": column("a"), "near": flat + 1e-14})
    checks = design_checks(matrix)  # type: ignore[arg-type]
    assert checks.constant == ("flat", "zero", "near")
    assert checks.duplicates == (("copy", "a"), ("copy2", "a"))
    with pytest.raises(DesignError, match="constant or duplicate") as caught:
        require_usable(checks)
    assert caught.value.fix == "Remove from the formula: flat, zero, near, copy, copy2."
    assert "copy equals a" in str(caught.value.got)


def test_same_sum_is_not_a_duplicate() -> None:
    up = np.arange(60.0)
    assert design_checks(make({"up": up, "down": up[::-1].copy()})).duplicates == ()  # type: ignore[arg-type]


def test_small_variation_on_a_large_level_is_not_constant() -> None:
    assert design_checks(make({"time": 1.7e9 + np.arange(60.0)})).constant == ()  # type: ignore[arg-type]


def test_rank_deficit_names_the_later_column_and_does_not_abort() -> None:
    total = column("a") + 2e-6 * column("b")
    checks = design_checks(make({"total": total, "last": np.arange(60.0) ** 2}))  # type: ignore[arg-type]
    assert (checks.rank, checks.n_terms, checks.dependent) == (4, 5, ("total",))
    assert checks.condition_number is not None
    assert checks.condition_number > 1e12
    require_usable(checks)


def test_more_columns_than_rows() -> None:
    rng = np.random.default_rng(3)
    matrix = Matrix(tuple("abcdef"), rng.normal(size=(4, 6)), rng.normal(size=4))
    checks = design_checks(matrix)  # type: ignore[arg-type]
    assert (checks.rank, checks.dependent, checks.condition_number) == (4, ("e", "f"), np.inf)


@pytest.mark.parametrize(("rest", "dependent"), [(2e-7, []), (0.5e-7, [1])])
def test_rank_tolerance_from_both_sides(rest: float, dependent: list[int]) -> None:
    values = np.column_stack([[1.0, 0.0, 0.0], [1.0, rest, 0.0]])
    assert dependent_columns(unit_r_factor(values)) == dependent


def test_exactly_singular_is_infinite() -> None:
    assert condition_number(np.array([[1.0, 1.0], [0.0, 0.0]])) == np.inf


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_response_that_is_not_finite(bad: float) -> None:
    matrix = make()
    matrix.response[[3, 9]] = bad
    checks = design_checks(matrix)  # type: ignore[arg-type]
    assert checks.non_finite_response == 2
    with pytest.raises(DesignError, match="response"):
        require_usable(checks)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_column_that_is_not_finite_leaves_rank_and_condition_uncomputed(bad: float) -> None:
    matrix = make()
    matrix.values[5, 1] = bad
    checks = design_checks(matrix)  # type: ignore[arg-type]
    assert (checks.non_finite_columns, checks.rank, checks.condition_number) == (("a",), None, None)
    assert checks.constant == ()
    with pytest.raises(DesignError, match="missing or infinite") as caught:
        require_usable(checks)
    assert caught.value.where == "a"


def test_no_rows() -> None:
    checks = design_checks(Matrix(("(Intercept)", "a"), np.empty((0, 2)), np.empty(0)))  # type: ignore[arg-type]
    assert (checks.n_rows, checks.rank, checks.condition_number) == (0, None, None)

"""VIFs against least squares, predictor by predictor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dsam_assets.design import checks
from dsam_assets.design.vif import correlations, vif_facts, vif_level, vif_report
from dsam_assets.scales import FloatArray


def matrix(**columns: FloatArray) -> Any:
    n_rows = len(next(iter(columns.values())))
    return SimpleNamespace(
        terms=("(Intercept)", *columns), values=np.column_stack([np.ones(n_rows), *columns.values()])
    )


def predictors(n_rows: int = 80, seed: int = 1) -> dict[str, FloatArray]:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n_rows))
    return {"a": a, "b": 1e5 * (b + 3), "c": a + 0.3 * rng.normal(size=n_rows) + 50, "d": rng.random(n_rows)}


def by_regression(values: FloatArray) -> list[float]:
    """1/(1 − R²) of each column on the others (intercept first)."""
    result = []
    for j in range(1, values.shape[1]):
        others = np.delete(values, j, axis=1)
        target = values[:, j]
        rest = target - others @ np.linalg.lstsq(others, target, rcond=None)[0]
        result.append(float(((target - target.mean()) ** 2).sum() / (rest**2).sum()))
    return result


def test_equals_regression_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_BLOCK_BYTES", 7 * 8 * 5)
    design = matrix(**predictors())
    report = vif_report(design)
    assert list(report.columns) == ["term", "vif", "tolerance", "level", "note"]
    assert list(report["term"]) == ["a", "b", "c", "d"]
    np.testing.assert_allclose(report["vif"], by_regression(design.values), rtol=1e-8)
    np.testing.assert_allclose(report["tolerance"], 1 / report["vif"])
    assert list(report["level"]) == ["moderate", "ok", "moderate", "ok"]


def test_two_predictors_have_the_closed_form() -> None:
    a, b = predictors()["a"], predictors()["c"]
    r = np.corrcoef(a, b)[0, 1]
    np.testing.assert_allclose(vif_report(matrix(a=a, b=b))["vif"], 1 / (1 - r**2), rtol=1e-10)


def test_linear_dependency_is_infinite_for_those_involved_only() -> None:
    columns = predictors()
    columns["total"] = columns["a"] + 2e-5 * columns["b"]
    report = vif_report(matrix(**columns)).set_index("term")
    assert list(report.index[np.isinf(report["vif"])]) == ["a", "b", "total"]
    assert (report.loc["total", "tolerance"], report.loc["total", "level"]) == (0.0, "high")
    assert report.loc["total", "note"] == "linear combination of other predictors"
    without = vif_report(matrix(**predictors())).set_index("term")
    np.testing.assert_allclose(report.loc[["c", "d"], "vif"], without.loc[["c", "d"], "vif"], rtol=1e-6)


def test_facts_are_numbers_only_where_there_is_one() -> None:
    """The catalogue plots numbers over time, and cannot show infinity."""
    columns = predictors()
    report = vif_report(matrix(**columns))
    assert vif_facts(report) == {"high": 0, "max_vif": pytest.approx(report["vif"].max())}
    columns["total"] = columns["a"] + 2e-5 * columns["b"]
    collinear = vif_facts(vif_report(matrix(**columns)))
    assert collinear["max_vif"] == "infinite: a, b, total take part in exact linear dependencies"
    assert collinear["high"] == 3
    assert vif_facts(vif_report(matrix(flat=np.ones(9)))) == {"high": 0}


def test_constant_column_is_not_computed_and_spoils_no_other() -> None:
    report = vif_report(matrix(**predictors(), flat=np.full(80, 0.1))).set_index("term")
    assert np.isnan(report.loc["flat", "vif"])
    assert (report.loc["flat", "level"], report.loc["flat", "note"]) == ("not_computed", "constant")
    np.testing.assert_allclose(report["vif"][:4], vif_report(matrix(**predictors()))["vif"], rtol=1e-12)


def test_column_that_is_not_finite_spoils_no_other() -> None:
    bad = np.arange(80.0)
    bad[3] = np.nan
    report = vif_report(matrix(**predictors(), bad=bad)).set_index("term")
    assert (report.loc["bad", "level"], report.loc["bad", "note"]) == (
        "not_computed",
        "has values that are not finite",
    )
    np.testing.assert_allclose(report["vif"][:4], vif_report(matrix(**predictors()))["vif"], rtol=1e-12)


def test_one_predictor_none_and_one_row() -> None:
    assert vif_report(matrix(a=predictors()["a"])).loc[0, "vif"] == 1.0
    assert vif_report(SimpleNamespace(terms=("(Intercept)",), values=np.ones((5, 1)))).empty  # type: ignore[arg-type]
    single = vif_report(matrix(a=np.array([1.0]), b=np.array([2.0])))
    assert list(single["note"]) == ["needs at least two rows"] * 2
    assert single["vif"].isna().all()


def test_fewer_rows_than_predictors_is_infinite() -> None:
    columns = {name: values[:4] for name, values in predictors().items()}
    assert np.isinf(vif_report(matrix(**columns))["vif"]).all()


def test_correlations() -> None:
    values = matrix(**predictors()).values
    sd, correlation = correlations(values)
    np.testing.assert_allclose(sd, values.std(axis=0, ddof=1), atol=1e-12)
    np.testing.assert_allclose(correlation[1:, 1:], np.corrcoef(values[:, 1:], rowvar=False), atol=1e-12)


@pytest.mark.parametrize(
    ("value", "level"),
    [(1.0, "ok"), (4.999, "ok"), (5.0, "moderate"), (9.999, "moderate"), (10.0, "high"), (np.inf, "high")],
)
def test_levels(value: float, level: str) -> None:
    assert vif_level(value) == level

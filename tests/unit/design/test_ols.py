"""Models from OLS results: against statsmodels itself, and against the algebra of normal distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from dsam_assets.design.formula import parse_formula
from dsam_assets.design.linear import LinearDesign, build_linear_design
from dsam_assets.design.matrix import build_model_matrix
from dsam_assets.design.ols import OlsModel, ols_model
from dsam_assets.errors import DesignError


def market(seed: int = 1, rows: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.gamma(2.0, size=rows) + 0.1})
    frame["region"] = rng.choice(["south", "north", "east"], rows)
    frame["flag"] = rng.choice([True, False], rows)
    frame["brand"] = pd.Categorical(rng.choice(["b", "A"], rows), categories=["b", "A"])
    frame["my col"] = rng.normal(size=rows)
    frame["log_base"] = 0.3 * rng.normal(size=rows)
    effect = 0.4 * frame["x"] - 0.2 * frame["z"] + 0.3 * (frame["region"] == "north") + frame["log_base"]
    frame["kpi"] = np.exp(3 + effect + 0.1 * rng.normal(size=rows))
    return frame


def fitted(formula: str, frame: pd.DataFrame | None = None) -> Any:
    return smf.ols(formula, market() if frame is None else frame).fit()


def design(model: OlsModel, frame: pd.DataFrame, *, scale: bool = False) -> LinearDesign:
    matrix = build_model_matrix(parse_formula(model.formula), frame)
    return build_linear_design(matrix, scale=scale, priors=model.priors)


# --- the formula and the names


@pytest.mark.parametrize(
    ("patsy", "formula", "names"),
    [
        ("kpi ~ x + z", "kpi ~ x + z", ["(Intercept)", "x", "z"]),
        ("np.log(kpi) ~ x", "log(kpi) ~ x", ["(Intercept)", "x"]),
        ("kpi ~ 0 + x", "kpi ~ 0 + x", ["x"]),
        ("kpi ~ 1", "kpi ~ 1", ["(Intercept)"]),
        ("kpi ~ x*z - x", "kpi ~ z + x:z", ["(Intercept)", "z", "z:x"]),
        ("kpi ~ I(x ** 2) + I(x/z)", "kpi ~ I(x^2) + I(x/z)", ["(Intercept)", "I(x^2)", "I(x/z)"]),
        ("kpi ~ I((x+1)**2)", "kpi ~ I((x + 1)^2)", ["(Intercept)", "I((x + 1)^2)"]),
        ("kpi ~ I(-x**2 + 2*(z - x))", "kpi ~ I(-x^2 + 2 * (z - x))", ["(Intercept)", "I(-x^2 + 2 * (z - x))"]),
        ("kpi ~ I(x - (z - 1)) + I((x*z)/(z + 2))", None, ["(Intercept)", "I(x - (z - 1))", "I(x * z/(z + 2))"]),
        ("kpi ~ I(2 ** -x) + I((2 * z) ** 2 ** x)", None, ["(Intercept)", "I(2^-x)", "I((2 * z)^2^x)"]),
        ("kpi ~ I((z ** 2) ** x) + I((-z) ** 2)", None, ["(Intercept)", "I((z^2)^x)", "I((-z)^2)"]),
        ("kpi ~ np.log(z + 1) + np.log1p(z ** 2)", None, ["(Intercept)", "log(z + 1)", "log(1 + z^2)"]),
        ("kpi ~ np.sqrt(z) + np.arctan(x) + abs(x)", None, ["(Intercept)", "sqrt(z)", "atan(x)", "abs(x)"]),
        ("kpi ~ np.maximum(x, 0)", "kpi ~ pmax(x, 0)", ["(Intercept)", "pmax(x, 0)"]),
        ("kpi ~ Q('my col') + x", "kpi ~ `my col` + x", ["(Intercept)", "`my col`", "x"]),
        ("kpi ~ C(region) + x", "kpi ~ region + x", ["(Intercept)", "regionnorth", "regionsouth", "x"]),
        ("kpi ~ 0 + region", "kpi ~ 0 + region", ["regioneast", "regionnorth", "regionsouth"]),
        ("kpi ~ flag", "kpi ~ flag", ["(Intercept)", "flagTRUE"]),
        ("kpi ~ brand", "kpi ~ brand", ["(Intercept)", "brandA"]),
        (
            "kpi ~ x + region + region:x",
            "kpi ~ region + x + region:x",
            ["(Intercept)", "regionnorth", "regionsouth", "x", "regionnorth:x", "regionsouth:x"],
        ),
    ],
)
def test_formulas_and_names(patsy: str, formula: str | None, names: list[str]) -> None:
    results = fitted(patsy)
    model = ols_model(results)
    assert formula in (None, model.formula)
    assert [prior.parameter for prior in model.priors] == names
    assert [prior.mean for prior in model.priors] == pytest.approx(list(results.params))
    assert [prior.sd for prior in model.priors] == pytest.approx(list(results.bse))
    assert {prior.family for prior in model.priors} == {"normal"}


@pytest.mark.parametrize(
    "patsy",
    [
        "np.log(kpi) ~ x*z + I(x**2)",
        "kpi ~ I((x+1)**2/z) + I(-x**2 + 2*(z - x))",
        "kpi ~ region*x + flag",
        "kpi ~ I(2 ** -x) + I((2 * z) ** 2 ** x) + I(x - (z - 1))",
        "kpi ~ I((z ** 2) ** x) + I(x / (z / 2))",
        "kpi ~ np.log1p(2*z) + np.exp(-x)",
        "kpi ~ C(region):brand + C(region) + brand + Q('my col')",
        "kpi ~ 0 + flag + x:z",
    ],
)
def test_the_model_fits_like_the_ols(patsy: str) -> None:
    """Least squares on our matrix of the formula, term by term, gives statsmodels' estimates back."""
    results, frame = fitted(patsy), market()
    model = ols_model(results)
    matrix = build_model_matrix(parse_formula(model.formula), frame)
    estimates = dict(zip(matrix.terms, np.linalg.lstsq(matrix.values, matrix.response, rcond=None)[0], strict=True))
    assert {prior.parameter: prior.mean for prior in model.priors} == pytest.approx(estimates, rel=1e-6)
    assert set(model.columns) <= set(frame.columns)


def test_rows_with_missing_values_are_left_out_by_both() -> None:
    frame = market()
    frame.loc[[3, 7], "x"] = np.nan
    assert ols_model(fitted("kpi ~ x + region", frame)).columns == ("kpi", "region", "x")


def test_columns_of_a_frame() -> None:
    frame = market()
    results = sm.OLS(frame["kpi"], sm.add_constant(frame[["x", "my col"]])).fit()
    model = ols_model(results)
    assert model.formula == "kpi ~ x + `my col`"
    assert [prior.parameter for prior in model.priors] == ["(Intercept)", "x", "`my col`"]
    assert [prior.sd for prior in model.priors] == pytest.approx(list(results.bse))
    assert ols_model(sm.OLS(frame["kpi"], frame[["x", "z"]]).fit()).formula == "kpi ~ 0 + x + z"
    assert design(model, frame).parameters[-1].prior_is_default, "noise_sd keeps its default"


def test_robust_standard_errors_are_taken() -> None:
    results = smf.ols("kpi ~ x", market()).fit(cov_type="HC1")
    assert [prior.sd for prior in ols_model(results).priors] == pytest.approx(list(results.bse))


def test_the_response_of_a_frame_can_be_named() -> None:
    frame = market()
    results = sm.OLS(np.log(frame["kpi"]), sm.add_constant(frame[["x"]])).fit()
    assert ols_model(results, response="log(kpi)").formula == "log(kpi) ~ x"


# --- what the priors do


def conjugate(model: OlsModel, frame: pd.DataFrame, noise_sd: float) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Mean and precision of the coefficients given the noise, from the statistics of the design."""
    built = design(model, frame)
    statistics, parameters = built.statistics, built.parameters[:-1]
    prior = np.diag([row.scaled_sd**-2 for row in parameters])
    precision = prior + statistics.R.T @ statistics.R / noise_sd**2
    right = prior @ np.array([row.scaled_mean for row in parameters]) + statistics.R.T @ statistics.z / noise_sd**2
    return np.linalg.solve(precision, right), precision, built.matrix.terms


def test_the_same_data_again_leave_the_mean_and_double_the_precision() -> None:
    """With orthogonal columns the independent priors are the whole OLS posterior: N(b, σ²(X'X)⁻¹)."""
    frame = market()
    columns = np.linalg.qr(np.column_stack([np.ones(len(frame)), frame[["x", "z"]]]))[0] * np.sqrt(len(frame))
    frame[["x", "z"]] = columns[:, 1:]
    results = fitted("kpi ~ x + z", frame)
    noise_sd = float(np.sqrt(results.scale))
    mean, precision, terms = conjugate(ols_model(results), frame, noise_sd)
    assert mean == pytest.approx([results.params[name] for name in ("Intercept", "x", "z")])
    assert terms == ("(Intercept)", "x", "z")
    np.testing.assert_allclose(precision, 2 * np.linalg.inv(results.cov_params()), rtol=1e-9, atol=1e-9)


def test_other_data_give_the_precision_weighted_mean() -> None:
    """Correlated columns: prior diag(se²) from the first data, likelihood of the second, by dense normal algebra."""
    first, second = fitted("kpi ~ x + I(x + z)", market()), market(seed=2)
    model = ols_model(first)
    mean, _, _ = conjugate(model, second, 7.0)
    X = np.column_stack([np.ones(len(second)), second["x"], second["x"] + second["z"]])
    covariance = 49.0 * np.eye(len(second)) + X @ np.diag(first.bse**2) @ X.T
    residual = second["kpi"].to_numpy() - X @ first.params.to_numpy()
    expected = first.params + np.diag(first.bse**2) @ X.T @ np.linalg.solve(covariance, residual)
    assert mean == pytest.approx(list(expected))


# --- offsets


def test_offset_of_a_formula_fit() -> None:
    results = fitted("I(np.log(kpi) - log_base) ~ x + z")
    model = ols_model(results, offset="offset(log_base)")
    assert model.formula == "log(kpi) ~ x + z + offset(log_base)"
    assert model.columns == ("kpi", "x", "z", "log_base")
    frame = market()
    matrix = build_model_matrix(parse_formula(model.formula), frame)
    estimates = np.linalg.lstsq(matrix.values, matrix.response - matrix.offset, rcond=None)[0]
    assert estimates == pytest.approx([prior.mean for prior in model.priors])


def test_offset_of_a_frame_fit() -> None:
    frame = market()
    results = sm.OLS(np.log(frame["kpi"]) - frame["log_base"], sm.add_constant(frame[["x"]])).fit()
    model = ols_model(results, response="log(kpi)", offset="offset(log_base)")
    assert model.formula == "log(kpi) ~ x + offset(log_base)"
    with pytest.raises(DesignError, match="what its response was made of"):
        ols_model(results, offset="offset(log_base)")
    with pytest.raises(DesignError, match="what its response was made of"):
        ols_model(results)


def test_scale_with_an_offset_does_not_change_the_posterior() -> None:
    """The closed-form posterior in data units is the same with and without `model.scale`, given the noise."""
    frame, noise_sd = market(), 0.1
    model = ols_model(fitted("I(np.log(kpi) - log_base) ~ x + z"), offset="offset(log_base)")
    found = []
    for scale in (True, False):
        built = design(model, market(seed=3), scale=scale)
        factor = built.scaling.coefficient_factor()
        sigma = noise_sd / built.scaling.y_spread
        prior = np.diag([row.scaled_sd**-2 for row in built.parameters[:-1]])
        precision = prior + built.statistics.R.T @ built.statistics.R / sigma**2
        right = prior @ [row.scaled_mean for row in built.parameters[:-1]]
        right = right + built.statistics.R.T @ built.statistics.z / sigma**2
        mean = built.scaling.coefficients_to_data_units(np.linalg.solve(precision, right))
        found.append((mean, np.linalg.inv(precision) / np.outer(factor, factor)))
    assert not np.allclose(frame["log_base"], 0)
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-9)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-9)


@pytest.mark.parametrize(
    ("patsy", "offset"),
    [
        ("np.log(kpi) ~ x", "offset(log_base)"),
        ("I(np.log(kpi) - log_base) ~ x", None),
        ("I(np.log(kpi) - log_base) ~ x", "offset(z)"),
        ("I(np.log(kpi) - log_base) ~ x", "log_base"),
    ],
)
def test_offsets_that_the_fit_does_not_have(patsy: str, offset: str | None) -> None:
    with pytest.raises(DesignError, match="response minus the offset"):
        ols_model(fitted(patsy), offset=offset)


@pytest.mark.parametrize("offset", ["log_base", "offset(log_base) + offset(x)", "x", "offset("])
def test_an_offset_is_one_offset(offset: str) -> None:
    with pytest.raises(DesignError):
        ols_model(fitted("kpi ~ z"), response="kpi", offset=offset)


# --- refusals


@pytest.mark.parametrize(
    ("patsy", "named"),
    [
        ("kpi ~ center(x)", r"center\(x\)"),
        ("kpi ~ bs(z, df=4)", r"bs\(z, df=4\)"),
        ("kpi ~ np.log10(z) + x", r"np.log10\(z\)"),
        ("kpi ~ I(x // 2)", r"I\(x // 2\)"),
        ("kpi ~ I(x > 0)", r"I\(x > 0\)"),
        ("kpi ~ C(region, Sum)", r"C\(region, Sum\)"),
        ("kpi ~ C(region, Treatment('north'))", "Treatment"),
        ("kpi ~ x:C(region, Sum)", "Sum"),
        ("np.sqrt(kpi) ~ x", "sqrt"),
        ("np.log1p(kpi) ~ x", "log"),
    ],
)
def test_terms_without_a_counterpart_are_named(patsy: str, named: str) -> None:
    with pytest.raises(DesignError, match=named):
        ols_model(fitted(patsy))


def test_factors_of_numbers_are_refused() -> None:
    frame = market().assign(month=np.tile([1, 2, 3], 30))
    with pytest.raises(DesignError, match="factor of numbers"):
        ols_model(fitted("kpi ~ C(month)", frame))


def test_another_reference_level_is_refused() -> None:
    """Python sorts capitals first, R (and this system) ignores case: the first level would be another one."""
    frame = market()
    frame["kind"] = np.where(frame["x"] > 0, "apple", "Pear")
    with pytest.raises(DesignError, match="codes its columns in another way"):
        ols_model(fitted("kpi ~ kind", frame))


def test_results_of_other_fits_are_refused() -> None:
    frame = market()
    exog = sm.add_constant(frame[["x"]])
    with pytest.raises(DesignError, match="not the results"):
        ols_model(sm.WLS(frame["kpi"], exog, weights=frame["z"]).fit())
    with pytest.raises(DesignError, match="not the results"):
        ols_model(sm.OLS(frame["kpi"], exog).fit_regularized(alpha=0.1))
    with pytest.raises(DesignError, match="not the results"):
        ols_model("kpi ~ x")
    with pytest.raises(DesignError, match="names of its columns"):
        ols_model(sm.OLS(frame["kpi"].to_numpy(), exog.to_numpy()).fit())
    with pytest.raises(DesignError, match="not all ones"):
        ols_model(sm.OLS(frame["kpi"], frame[["x"]].rename(columns={"x": "const"})).fit())
    with pytest.raises(DesignError, match="a formula made"):
        ols_model(sm.OLS(frame["kpi"], exog.rename(columns={"x": "region[T.north]"})).fit())


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:The design matrix is rank-deficient")
def test_estimates_without_a_standard_error_are_refused() -> None:
    frame = market().assign(twice=lambda data: 2 * data["x"], exact=lambda data: 3 + 2 * data["x"])
    with pytest.raises(DesignError, match=r"linearly dependent \(rank 2 of 3\)"):
        ols_model(fitted("kpi ~ x + twice", frame))
    with pytest.raises(DesignError, match="fits perfectly"):
        ols_model(fitted("exact ~ x + z", frame))
    with pytest.raises(DesignError, match="gives no priors"):
        ols_model(fitted("kpi ~ x + z", frame.head(3)))

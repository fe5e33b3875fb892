"""Python in formulas where a config allows it: the design that formulaic makes of the whole formula, and refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulaic import Formula as Formulaic

from dsam_assets.config.schema import Config
from dsam_assets.config.slices import formula_slice
from dsam_assets.design.additions import model_inputs
from dsam_assets.design.build import build_matrix
from dsam_assets.design.formula import parse_formula
from dsam_assets.design.matrix import ModelMatrix, build_model_matrix
from dsam_assets.design.unsafe import formula_python, unsafe_formula
from dsam_assets.errors import DesignError, DsamError, FormulaError

N = 60


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=N, freq="7D"),
            "y": rng.normal(size=N),
            "x": rng.gamma(2.0, size=N),
            "z": rng.gamma(2.0, size=N),
            "month": np.tile([1, 2, 3, 4], N // 4),
            "region": np.tile(["a", "b", "c"], N // 3),
            "my spend": rng.gamma(2.0, size=N),
        }
    )


def design(text: str, frame: pd.DataFrame) -> ModelMatrix:
    return build_model_matrix(parse_formula(text, unsafe=True), frame, date_var="date")


@pytest.mark.parametrize(
    "right",
    [
        "x + np.log1p(z)",
        "{x + 1}:z",
        "x*C(month)",
        "C(region):C(month)",
        "0 + C(month) + np.sqrt(x)",
        "bs(z, df=4) + x",
        "poly(`my spend`, 2):C(month)",
        "center(x) + scale(z)",
        "{`my spend` > 1} + x",
        "{np.where(x > z, x, z)}",
        "C(x.gt(1).map({True: 'high', False: 'low'}))*z",
        "{[value**2 for value in x]} + (x + np.exp(-z))^2",
        "C(region.str.upper()) + x",
        "{__import__('math').pi * x}",
    ],
)
def test_the_design_is_that_of_formulaic(right: str, frame: pd.DataFrame) -> None:
    """It has the same columns up to their order."""
    built = design(f"y ~ {right}", frame)
    whole = Formulaic(right).get_model_matrix(frame, context={"np": np}).to_numpy(dtype=float)
    assert built.values.shape == whole.shape
    gaps = np.abs(built.values[:, :, None] - whole[:, None, :]).max(axis=0)
    assert (gaps.min(axis=0) < 1e-12).all()
    assert (gaps.min(axis=1) < 1e-12).all()


def test_without_the_permission_nothing_of_it_is_read(frame: pd.DataFrame) -> None:
    for text in ("y ~ np.log1p(x)", "y ~ {x + 1}", "y ~ C(month)", "y ~ poly(x, 2)", "y ~ x[0]"):
        with pytest.raises(FormulaError):
            parse_formula(text)
        assert parse_formula(text, unsafe=True).python


@pytest.mark.parametrize(
    "text",
    ["y ~ x + log(z)", "log(y) ~ lag(x, 2) + I(z^2):x", "y ~ x + (1 + z | region)", "y ~ offset(log(x)) + pmax(z, 1)"],
)
def test_what_the_grammar_reads_is_never_python(text: str) -> None:
    safe, unsafe = parse_formula(text), parse_formula(text, unsafe=True)
    assert unsafe == safe
    assert unsafe.python == ()


def test_parsing_runs_nothing() -> None:
    formula = parse_formula("y ~ {1 / 0} + {exit()} + x", unsafe=True)
    assert formula.python == ("{1 / 0}", "{exit()}")


def test_the_columns_that_python_reads_are_known(frame: pd.DataFrame) -> None:
    text = "y ~ np.maximum(x, z) + {[abs(month) + v for v in `my spend`]} + {(lambda a: a)(x)}"
    formula = parse_formula(text, unsafe=True)
    assert formula.variables == ("y", "x", "z", "month", "my spend")
    with pytest.raises(FormulaError, match="The data has no column `sales`"):
        design("y ~ np.log(sales)", frame)
    with pytest.raises(FormulaError, match="also used as a predictor"):
        design("y ~ {y.shift(1)}", frame)


def test_python_sees_only_the_columns_that_it_names(frame: pd.DataFrame) -> None:
    """A column called like a function is not read behind the back of what says which columns are."""
    frame["abs"] = 7.0
    built = design("y ~ {x.map(abs)} + z", frame)
    np.testing.assert_array_equal(built.values[:, 1], frame["x"].abs())


def test_rows_without_a_value_are_counted_under_the_piece_and_filled_gaps_are_none(frame: pd.DataFrame) -> None:
    frame.loc[7, "x"] = np.nan
    built = design("y ~ {z.rolling(4).mean()} + {x.fillna(0)}", frame)
    assert built.dropped == {"{z.rolling(4).mean()}": 3}
    assert built.rows.tolist() == list(range(3, N))
    assert built.values[4, 2] == 0.0
    np.testing.assert_allclose(built.values[0, 1], frame["z"][:4].mean())


def test_group_effects_and_offsets_may_be_python(frame: pd.DataFrame) -> None:
    config = Config.model_validate(
        {
            "data": {"path": "d.csv"},
            "model": {"formula": "y ~ x + offset(np.log1p(z)) + (1 + np.sqrt(x) | region)"},
            "security": {"allow_unsafe_formula": True},
        }
    )
    built = build_matrix(model_inputs(formula_slice(config), frame), date_var="date").matrix
    np.testing.assert_allclose(built.offset, np.log1p(frame["z"]))
    assert built.groups[0].terms == ("(Intercept)", "np.sqrt(x)")
    assert formula_python(formula_slice(config)) == ("np.log1p(z)", "np.sqrt(x)")
    assert unsafe_formula(formula_slice(config)) == "RUNS PYTHON: np.log1p(z); np.sqrt(x)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y ~ nope(x)", "NameError: name 'nope'"),
        ("y ~ {1 / 0}", "ZeroDivisionError"),
        ("y ~ {x[:3]}", "cannot be computed"),
        ("y ~ {x / 0}", "is infinite in 60 of 60 rows"),
        ("y ~ C(month, contr.sum)", "asks for a coding of its own"),
        ("y ~ offset(poly(x, 2))", "several columns"),
        ("y ~ offset(C(region))", "levels"),
        ("y ~ {x +}", "neither part of a formula nor Python"),
        ("y ~ {x", "never closed"),
        ("y ~ {x + 'a}", "never closed"),
        ("y ~ {lag(x)}", "would not know the order of dates"),
        ("y ~ np.log(lag(x))", "would not know the order of dates"),
        ("np.log(y) ~ x", "is Python, which is not supported on the response"),
        ("y ~ x > 3", "or put it in braces to have it run as Python"),
        ("y ~ " + "x + " * 4000 + "z", "too long"),
    ],
)
def test_what_cannot_be_a_variable_is_refused(text: str, words: str, frame: pd.DataFrame) -> None:
    with pytest.raises(DsamError) as caught:
        design(text, frame)
    assert words in str(caught.value)


def test_python_that_fails_names_the_piece_and_what_it_can_use(frame: pd.DataFrame) -> None:
    with pytest.raises(DesignError) as caught:
        design("y ~ x + np.log(z, bass=2)", frame)
    assert caught.value.where == "formula term np.log(z, bass=2)"
    assert "a power is **" in str(caught.value.fix)

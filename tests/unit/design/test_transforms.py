"""Arithmetic against values worked out by hand or by R, shifts against tables written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design.formula import parse_formula
from dsam_assets.design.syntax import Node
from dsam_assets.design.transforms import RowOrder, evaluate
from dsam_assets.errors import DataError, DesignError, FormulaError


def node(text: str) -> Node:
    return parse_formula(f"response ~ {text}").terms[0].factors[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # R's answer to the expression inside I()
        ("2 + 3 * 4 ^ 2 / 8", 8.0),
        ("-2 ^ 2", -4.0),
        ("(-2) ^ 2", 4.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("2 ^ -1", 0.5),
        ("-2 ^ -2", -0.25),
        ("8 / 4 / 2", 1.0),
        ("10 - 4 - 3", 3.0),
        ("10 - (4 - 3)", 9.0),
        ("2 * -3 + - -1", -5.0),
        ("6 / 2 * 3", 9.0),
        ("1e3 * .5 + 2L", 502.0),
        ("0 * x + 7", 7.0),
    ],
)
def test_arithmetic_has_r_precedence(text: str, expected: float) -> None:
    result = evaluate(node(f"I({text})"), pd.DataFrame({"x": [1.0, 2.0]}))
    np.testing.assert_array_equal(result, [expected, expected])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log(x)", [math.log(4), math.log(0.5)]),
        ("exp(-x)", [math.exp(-4), math.exp(-0.5)]),
        ("sqrt(x)", [2.0, math.sqrt(0.5)]),
        ("atan(x/2)", [math.atan(2), math.atan(0.25)]),
        ("sin(x)", [math.sin(4), math.sin(0.5)]),
        ("cos(x)", [math.cos(4), math.cos(0.5)]),
        ("tan(x)", [math.tan(4), math.tan(0.5)]),
        ("abs(x - 1)", [3.0, 0.5]),
        ("pmax(x, 1, z)", [4.0, 3.0]),
        ("pmin(x, 1, z)", [-1.0, 0.5]),
        ("I(x^2 - z)", [17.0, -2.75]),
        ("I(flag + 1)", [2.0, 1.0]),
    ],
)
def test_calls(text: str, expected: list[float]) -> None:
    frame = pd.DataFrame({"x": [4.0, 0.5], "z": [-1, 3], "flag": [True, False]})
    np.testing.assert_allclose(evaluate(node(text), frame), expected, rtol=1e-15)


def test_missing_stays_missing_through_every_call() -> None:
    frame = pd.DataFrame({"x": [np.nan, 1.0]})
    for text in ("log(x)", "I(x + 1)", "pmax(x, 0)", "pmin(0, x)", "I(1/x)"):
        assert np.isnan(evaluate(node(text), frame)).tolist() == [True, False], text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.array([1, None], dtype="Int64"), [1.0, np.nan]),
        (pd.array([True, None], dtype="boolean"), [1.0, np.nan]),
        (np.array([1, None], dtype=object), [1.0, np.nan]),
        (np.array([1, 2.5], dtype=object), [1.0, 2.5]),
        (np.array([None, None], dtype=object), [np.nan, np.nan]),
        (np.array([1, 2], dtype=np.uint8), [1.0, 2.0]),
    ],
)
def test_numeric_columns_of_any_storage(values: object, expected: list[float]) -> None:
    result = evaluate(node("I(x)"), pd.DataFrame({"x": values}))
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("log(x)", "x is 0, -2 in rows 1, 2"),
        ("log(x - 5)", "x - 5 is -2"),
        ("sqrt(x)", "values of 0 or more"),
        ("I(1/x)", "the divisor is 0 in row 1"),
        ("I(x^0.5)", "in row 2"),
        ("exp(1000 * x)", "no finite value in 1 of 3"),
        ("I(x * 1e300 * 1e300)", "no finite value in 2 of 3"),
        ("I(1/0)", "no finite value in 3 of 3"),
    ],
)
def test_finite_inputs_never_turn_missing_in_silence(text: str, words: str) -> None:
    frame = pd.DataFrame({"x": [3.0, 0.0, -2.0]})
    with pytest.raises(DesignError) as caught:
        evaluate(node(text), frame)
    assert words in str(caught.value)


def test_text_dates_and_infinities_are_no_numbers() -> None:
    frame = pd.DataFrame({"events": ["na"] * 206 + ["1", "2"], "inf": np.inf})
    frame["region"] = pd.Categorical(["n", "s"] * 104)
    frame["week"] = pd.Timestamp("2024-01-01")
    with pytest.raises(DataError, match=r'The column events holds text \("na" in 206 rows\)'):
        evaluate(node("log(events)"), frame)
    with pytest.raises(DataError, match="dtype category"):
        evaluate(node("I(region + 1)"), frame)
    with pytest.raises(DataError, match="dtype datetime64"):
        evaluate(node("I(week + 1)"), frame)
    with pytest.raises(DataError, match=r"(?s)non-finite.*rows 0, 1, 2, 3, 4 and 203 more"):
        evaluate(node("atan(inf)"), frame)


PANEL = pd.DataFrame(
    {
        "week": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-08", "2024-01-15", "2024-01-08"]),
        "market": ["fr", "de", "fr", "fr", "de"],
        "x": [1.0, 10.0, 2.0, 3.0, 20.0],
    }
)
NA = float("nan")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lag(x)", [NA, NA, 1, 2, 10]),
        ("dplyr::lag(x, 2)", [NA, NA, NA, 1, NA]),
        ("lead(x)", [2, 20, 3, NA, NA]),
        ("dplyr::lead(x, n = 2)", [3, NA, NA, NA, NA]),
        ("lag(x, 9)", [NA] * 5),
        ("lag(log(x))", [NA, NA, 0, math.log(2), math.log(10)]),
        ("I(x - lag(x))", [NA, NA, 1, 1, 10]),
    ],
)
def test_shifts_stay_within_their_group(text: str, expected: list[float]) -> None:
    result = evaluate(node(text), PANEL, RowOrder("week", ("market",)))
    np.testing.assert_array_equal(result, expected)


def test_shift_without_groups_and_with_dates_as_text() -> None:
    frame = pd.DataFrame({"day": ["2024-01-31", "2024-02-01", "2024-02-02"], "x": [1, 2, 3]})
    np.testing.assert_array_equal(evaluate(node("lag(x)"), frame, RowOrder("day")), [NA, 1, 2])


def test_two_group_columns_make_one_key() -> None:
    frame = pd.DataFrame({"t": [1, 1, 2, 2], "a": list("uuuu"), "b": list("vwvw"), "x": [1.0, 2.0, 3.0, 4.0]})
    np.testing.assert_array_equal(evaluate(node("lag(x)"), frame, RowOrder("t", ("a", "b"))), [NA, NA, 1, 2])


def test_shifts_need_a_known_order() -> None:
    with pytest.raises(FormulaError, match=r"data\.date_var"):
        evaluate(node("lag(x)"), PANEL)
    with pytest.raises(DataError, match=r"date 2024-01-01, row 1 .* occurs twice"):
        evaluate(node("lag(x)"), PANEL, RowOrder("week"))
    with pytest.raises(DataError, match=r"date 2024-01-08, market fr, row 2 .* out of order"):
        evaluate(node("lag(x)"), PANEL[::-1].reset_index(drop=True), RowOrder("week", ("market",)))
    with pytest.raises(DataError, match="market has missing values"):
        evaluate(node("lag(x)"), PANEL.replace("fr", np.nan), RowOrder("week", ("market",)))
    with pytest.raises(DataError, match="no dates"):
        evaluate(node("lag(x)"), PANEL, RowOrder("market"))
    with pytest.raises(DataError, match="column brand is missing"):
        evaluate(node("lag(x)"), PANEL, RowOrder("week", ("brand",)))

"""Expansion by R's rules. Expected labels are what R 4 gives for `attr(terms(f), "term.labels")`, typed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dsam_assets.design.formula import BarTerm, Term, parse_formula
from dsam_assets.design.syntax import Name, deparse, number_text
from dsam_assets.errors import FormulaError

R_LABELS = [
    # attr(terms(y ~ <left>), "term.labels")
    ("x", ["x"]),
    ("1", []),
    ("a + b", ["a", "b"]),
    ("a + (b + c)", ["a", "b", "c"]),
    ("x + x", ["x"]),
    ("(a) + ((b))", ["a", "b"]),
    ("a*b", ["a", "b", "a:b"]),
    ("a*b + c", ["a", "b", "c", "a:b"]),
    ("a*b*c", ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"]),
    ("a*b*c - a:b:c", ["a", "b", "c", "a:b", "a:c", "b:c"]),
    ("a:b", ["a:b"]),
    ("a:a", ["a"]),
    ("a:b + b:a", ["a:b"]),
    ("b:a + a", ["a", "b:a"]),  # variables are numbered by first appearance …
    ("a + b:a", ["a", "a:b"]),  # … and a label lists them in that order
    ("c:b + a", ["a", "c:b"]),
    ("a:b*c", ["c", "a:b", "a:b:c"]),  # `:` binds tighter than `*`
    ("a*b:c", ["a", "b:c", "a:b:c"]),
    ("a + b*c^2", ["a", "b", "c", "b:c"]),
    ("(a + b):(c + d)", ["a:c", "a:d", "b:c", "b:d"]),
    ("(a + b + c)^2", ["a", "b", "c", "a:b", "a:c", "b:c"]),
    ("(a + b + c)^3", ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"]),
    ("(a + b)^2 - a:b", ["a", "b"]),
    ("(a + b)^2 - b:a", ["a", "b"]),
    ("a^2", ["a"]),
    ("a/b", ["a", "a:b"]),
    ("a/b/c", ["a", "a:b", "a:b:c"]),
    ("(a + b)/c", ["a", "b", "a:b:c"]),
    ("a/(b + c)", ["a", "a:b", "a:c"]),
    ("a - a", []),
    ("a - a + a", ["a"]),
    ("a*b - a", ["b", "a:b"]),
    ("a + b - a*b", []),
    ("a - (b - a)", ["a"]),
    ("-a + b", ["b"]),
    ("+a:b", ["a:b"]),
    ("x + I(x^2)", ["x", "I(x^2)"]),
    ("I( x ^ 2 )+I(x^2)", ["I(x^2)"]),
    ("log(m_tv):price", ["log(m_tv):price"]),
    ("pmax(x,0)", ["pmax(x, 0)"]),
    ("dplyr::lag(x,1)", ["dplyr::lag(x, 1)"]),
    ("lag(x, n=2L)", ["lag(x, n = 2L)"]),
    ("I(a*b-c/d)", ["I(a * b - c/d)"]),
    ("I((a+b)/2)", ["I((a + b)/2)"]),
    ("I(x^-1) + exp(-x)", ["I(x^-1)", "exp(-x)"]),
    ("I(x/1000) + I(x/100000)", ["I(x/1000)", "I(x/1e+05)"]),
    ("sin(2*3.14159*t/52)", ["sin(2 * 3.14159 * t/52)"]),
    ("`my col` + `plain`", ["`my col`", "plain"]),
    ("a + offset(log(w))", ["a"]),
    ("größe + .x1 + 销量", ["größe", ".x1", "销量"]),
]


@pytest.mark.parametrize(("right", "labels"), R_LABELS)
def test_term_labels_are_those_of_r(right: str, labels: list[str]) -> None:
    assert list(parse_formula(f"y ~ {right}").labels) == labels


@pytest.mark.parametrize(
    ("right", "intercept"),
    [  # attr(terms(y ~ <left>), "intercept")
        ("a", True),
        ("a - 1", False),
        ("-1 + a", False),
        ("0 + a", False),
        ("a + 0 + 1", True),  # the last word counts
        ("a + 1 - 1", False),
        ("a - 0", True),
        ("a - (b + 0)", True),  # right of a minus, 0 means 1
        ("a + (0 + b)", False),
    ],
)
def test_intercept_follows_r(right: str, intercept: bool) -> None:
    assert parse_formula(f"y ~ {right}").intercept is intercept


@pytest.mark.parametrize(
    ("value", "text"),
    [  # deparse(<value>) in R
        (0.5, "0.5"),
        (0.001, "0.001"),
        (0.0001, "1e-04"),
        (0.00012, "0.00012"),
        (1e5, "1e+05"),
        (123456.0, "123456"),
        (12345678.0, "12345678"),
        (1.5e10, "1.5e+10"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.333333333333333"),
        (0.0, "0"),
    ],
)
def test_numbers_are_spelt_as_r_spells_them(value: float, text: str) -> None:
    assert number_text(value) == text


def test_group_terms() -> None:
    formula = parse_formula("y ~ x + (1 + x | market:brand) + (0 + z | region)")
    x, z = Term((Name("x"),)), Term((Name("z"),))
    assert formula.bar_terms == (BarTerm((x,), True, ("market", "brand")), BarTerm((z,), False, ("region",)))
    assert formula.labels == ("x",)
    assert formula.variables == ("y", "x", "market", "brand", "z", "region")


def test_nested_groups_become_two_as_in_lme4() -> None:
    assert [bar.group for bar in parse_formula("y ~ (1 | a/b)").bar_terms] == [("a",), ("a", "b")]


def test_offsets_and_log_response() -> None:
    formula = parse_formula("log(`my kpi`) ~ x + offset(log(pop)) + offset(w)")
    assert [deparse(node) for node in formula.offsets] == ["log(pop)", "w"]
    assert (formula.response_scale, formula.response_column) == ("log", "my kpi")
    assert formula.variables == ("my kpi", "x", "pop", "w")
    assert parse_formula("y ~ x").response_scale == "identity"


def test_variables_are_those_in_use_in_textual_order() -> None:
    assert parse_formula("y ~ b:a + log(c) - b:a + a").variables == ("y", "a", "c")


def test_past_values_of_the_response_are_allowed() -> None:
    assert parse_formula("y ~ lag(y) + x").labels == ("lag(y)", "x")


def test_random_legal_formulas_expand_as_formulaic_does() -> None:
    from formulaic.parser import DefaultFormulaParser

    rng = np.random.default_rng(20)
    compared = 0
    for _ in range(400):
        right = _random_formula(rng, 3)
        try:
            ours = parse_formula(f"y ~ {right}")
        except FormulaError as refused:
            if "grows to" not in refused.what:
                raise
            continue
        theirs = {frozenset(map(str, term.factors)) for term in DefaultFormulaParser().get_terms(right)}
        assert {frozenset(map(deparse, term.factors)) for term in ours.terms} | {frozenset("1")} == theirs, right
        compared += 1
    assert compared > 350


def _random_formula(rng: np.random.Generator, depth: int) -> str:
    if depth == 0 or rng.random() < 0.25:
        return str(rng.choice(list("abcde")))
    left, right = _random_formula(rng, depth - 1), _random_formula(rng, depth - 1)
    match rng.integers(6):
        case 0:
            return f"({left})^{rng.integers(1, 4)}"
        case 1:
            return f"({left} - {rng.choice(list('abcde'))})" if rng.random() < 0.5 else f"{left} + {right}"
        case 2:
            return f"({left}):({right})"
        case 3:
            return f"({left})*({right})"
        case 4:
            return f"{left}*{right}"
        case _:
            return f"{left} + {right}"

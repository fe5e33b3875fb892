"""Priors and boundaries as texts and as keywords."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from dsam_assets.errors import ConfigError
from dsam_assets.notation import Bounds, boundary_rows, lognormal_ms, normal, prior_rows


def prior(parameter: str, mean: float, sd: float, family: str = "normal") -> dict[str, object]:
    return {"parameter": parameter, "family": family, "mean": mean, "sd": sd}


def bound(parameter: str, lower: float, upper: float) -> dict[str, object]:
    return {"parameter": parameter, "lower": lower, "upper": upper}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m_tv ~ normal(0, 10)", prior("m_tv", 0, 10)),
        ("  m_tv~normal( -0.5 ,1e-3 ) ", prior("m_tv", -0.5, 0.001)),
        ("(Intercept) ~ normal(1e6, 2.)", prior("(Intercept)", 1e6, 2)),
        ("sd_1[log(m_tv)] ~ normal(0, .5)", prior("sd_1[log(m_tv)]", 0, 0.5)),
        ("noise_sd ~ lognormal_ms(1, 0.5)", prior("noise_sd", 1, 0.5, "lognormal_ms")),
        ("`my ~ column` ~ normal(0, 1)", prior("`my ~ column`", 0, 1)),
    ],
)
def test_prior_texts(text: str, expected: dict[str, object]) -> None:
    assert prior_rows([text], {}) == [expected]


def test_prior_keywords_and_mappings_and_the_last_one_wins() -> None:
    rows = prior_rows(
        ["m_tv ~ normal(0, 1)", {"(Intercept)": normal(5, 2)}], {"m_tv": normal(1, 3), "noise_sd": lognormal_ms(1, 1)}
    )
    assert rows == [prior("m_tv", 1, 3), prior("(Intercept)", 5, 2), prior("noise_sd", 1, 1, "lognormal_ms")]


@pytest.mark.parametrize(
    "text", ["m_tv", "m_tv ~ cauchy(0, 1)", "m_tv ~ normal(0)", "~ normal(0, 1)", "m_tv ~ normal(a, 1)"]
)
def test_texts_that_are_no_prior(text: str) -> None:
    with pytest.raises(ConfigError, match="not a prior") as caught:
        prior_rows([text], {})
    assert text in str(caught.value)


def test_a_value_that_is_no_distribution() -> None:
    wrong: Any = (0, 1)
    with pytest.raises(ConfigError, match="not a prior") as caught:
        prior_rows([], {"m_tv": wrong})
    assert "m_tv" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m_tv > 0", bound("m_tv", 0, inf)),
        ("m_tv >= 0.5", bound("m_tv", 0.5, inf)),
        ("price<0", bound("price", -inf, 0)),
        ("price <= -1e2", bound("price", -inf, -100)),
        ("0 < m_tv < 5", bound("m_tv", 0, 5)),
        ("-1 <= sd_1[x:z] <= Inf", bound("sd_1[x:z]", -1, inf)),
        ("0 < m_tv", bound("m_tv", 0, inf)),
        ("3 >= m_tv", bound("m_tv", -inf, 3)),
        ("I(x > 3) > 0", bound("I(x > 3)", 0, inf)),
    ],
)
def test_boundary_texts(text: str, expected: dict[str, object]) -> None:
    assert boundary_rows([text], {}) == [expected]


def test_the_sides_of_a_boundary_may_come_one_by_one() -> None:
    assert boundary_rows(["m_tv > 0", "m_tv < 3"], {"x": (0, 1), "y": Bounds(upper=2)}) == [
        bound("m_tv", 0, 3), bound("x", 0, 1), bound("y", -inf, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["m_tv", "m_tv = 0", "m_tv > a", "> 0", "0 <"])
def test_texts_that_are_no_boundary(text: str) -> None:
    with pytest.raises(ConfigError, match="not a boundary"):
        boundary_rows([text], {})


@pytest.mark.parametrize("limits", [0, (0,), ("0", "1"), [0, 1]])
def test_values_that_are_no_boundary(limits: Any) -> None:
    with pytest.raises(ConfigError, match="not a boundary"):
        boundary_rows([], {"m_tv": limits})

"""Which kind of driver a term is taken for, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from panels import case
from pooled_markets import ONE, market

from dsam_assets.decomposition.term_groups import OFFSET, TERM_GROUPS, TermGroup, baseline_terms, term_groups
from dsam_assets.design.matrix import ModelMatrix


@dataclass(frozen=True)
class Channel:
    term: str
    spend_col: str


@dataclass(frozen=True)
class Section:
    media_terms: tuple[str, ...] = ()
    baseline_terms: tuple[str, ...] = ()
    baseline_regex: tuple[str, ...] = ("^t(_|$)", "^sin[0-9]", "^cos[0-9]", "^holiday_")


def with_terms(*terms: str) -> ModelMatrix:
    size = len(terms)
    return ModelMatrix(terms, np.ones((3, size)), np.ones(3), np.zeros(3), "kpi", "identity", np.arange(3), {})


@pytest.mark.parametrize(
    ("term", "group"),
    [
        ("(Intercept)", "baseline"),
        ("t_scaled", "trend"),
        ("t", "trend"),
        ("trend", "trend"),
        ("temperature", "controls"),
        ("sin52_1", "seasonality"),
        ("cos(2 * 3.14159265 * dayofyear/365.25)", "seasonality"),
        ("single_day", "controls"),
        ("holiday_easter", "holidays"),
        ("h_christmas", "holidays"),
        ("m_tv", "media"),
        ("log(1 + m_tv/5)", "media"),
        ("lag(`m_tv`, 1)", "media"),
        ("price:m_tv", "media"),
        ("cre_mean_m_tv", "controls"),  # a column of that name which the model did not make
        ("distribution", "controls"),
        ("marketde", "controls"),
    ],
)
def test_names_tell_the_group(term: str, group: TermGroup) -> None:
    assert term_groups(with_terms(term))[term] == group
    assert group in TERM_GROUPS


def test_what_the_config_calls_media_is_media_whatever_its_name() -> None:
    matrix = with_terms("log(1 + tv_S/2)", "search", "trend_watch", "radio")
    channels = [Channel("search", "spend"), Channel("unused", "tv_S")]
    kinds = term_groups(matrix, channels, Section(media_terms=("trend_watch",)))
    assert kinds == {
        "log(1 + tv_S/2)": "media", "search": "media", "trend_watch": "media", "radio": "controls", OFFSET: "baseline",
    }  # fmt: skip


def test_baseline_terms_of_the_config_keep_their_more_specific_group() -> None:
    section = Section(baseline_terms=("stores", "sin52_1"), baseline_regex=("^income",))
    kinds = term_groups(with_terms("stores", "sin52_1", "income_index", "price"), identifiability=section)
    assert [kinds[term] for term in ("stores", "sin52_1", "income_index", "price")] == [
        "baseline", "seasonality", "baseline", "controls",
    ]  # fmt: skip


def test_generated_features_are_holidays_under_any_prefix() -> None:
    assert term_groups(with_terms("fest_easter"), generated=["fest_easter"])["fest_easter"] == "holidays"


def test_group_means_are_part_of_a_units_level() -> None:
    matrix = replace(with_terms("m_tv", "cre_mean_m_tv"), group_means=("cre_mean_m_tv",))
    assert term_groups(matrix) == {"m_tv": "media", "cre_mean_m_tv": "baseline", OFFSET: "baseline"}
    assert baseline_terms(term_groups(matrix), matrix) == ()


def test_pooled_variables_are_media() -> None:
    pooled = replace(market(), pooling=ONE)
    kinds = term_groups(pooled)
    assert {term for term, group in kinds.items() if group == "media"} == set(ONE.variables)
    assert baseline_terms(kinds, pooled) == ("trend",)


def test_terms_that_only_vary_have_a_group_too() -> None:
    matrix = case("varying_only").matrix
    assert term_groups(matrix) == {"(Intercept)": "baseline", "x": "controls", "w": "controls", OFFSET: "baseline"}

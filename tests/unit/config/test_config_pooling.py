"""Keys and rules of `pooling`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

POOLED = {"pooling.enabled": True, "pooling.grouping_vars": ["channel"], "pooling.map_path": "map.csv"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [("map.csv", "csv"), ("map.RDS", "rds"), ("map.parquet", "parquet"), ("map.pq", "parquet"), ("map.txt", None)],
)
def test_the_format_is_inferred_from_the_extension(make: Callable[..., Any], path: str, kind: str | None) -> None:
    assert make({**POOLED, "pooling.map_path": path}).pooling.map_format == kind


def test_a_written_format_stays(make: Callable[..., Any]) -> None:
    assert make({**POOLED, "pooling.map_format": "parquet"}).pooling.map_format == "parquet"


def test_min_waves_says_what_a_wave_is(make: Callable[..., Any]) -> None:
    text = type(make(POOLED).pooling).model_fields["min_waves"].description
    assert "at least one of its variables is not zero" in text


def test_a_grouping_variable_is_named_once(broken: Callable[..., list[str]]) -> None:
    assert broken({**POOLED, "pooling.grouping_vars": ["a", "b"]}) == []
    assert broken({**POOLED, "pooling.grouping_vars": ["a", "b", "a"]}) == ["pooling.grouping_vars[2]"]


def test_pooling_that_is_off_is_not_judged(broken: Callable[..., list[str]]) -> None:
    assert broken({"pooling.enabled": False, "pooling.grouping_vars": ["a", "a"]}) == []

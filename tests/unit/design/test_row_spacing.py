"""Under `lag` and `lead` the rows of a group must be equally spaced in time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dsam_assets.design.formula import parse_formula
from dsam_assets.design.matrix import build_model_matrix
from dsam_assets.design.syntax import Node
from dsam_assets.design.transforms import RowOrder, evaluate
from dsam_assets.errors import DataError

WEEKS = pd.date_range("2024-01-01", periods=12, freq="7D")


def node(text: str) -> Node:
    return parse_formula(f"response ~ {text}").terms[0].factors[0]


def lag(dates: object, groups: dict[str, list[str]] | None = None, text: str = "lag(x)") -> np.ndarray:
    frame = pd.DataFrame({"date": dates, **(groups or {})}).assign(x=lambda rows: np.arange(len(rows), dtype=float))
    return evaluate(node(text), frame, RowOrder("date", tuple(groups or ())))


def refusal(*args: object) -> str:
    with pytest.raises(DataError) as caught:
        lag(*args)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("text", ["lag(x)", "lead(x)", "lag(x, 3)", "log(lag(x) + 1)"])
def test_a_missing_week_is_refused_with_the_dates_around_it(text: str) -> None:
    message = refusal(WEEKS.delete(5), None, text)
    assert "the series is not regularly spaced (weekly)" in message
    assert "2024-01-29 is followed by 2024-02-12 (14 days later)" in message
    assert "7 days from row to row (weekly), the most common step" in message
    assert "add the missing rows" in message


def test_one_day_off_is_refused_twice() -> None:
    dates = WEEKS.to_series().reset_index(drop=True)
    dates[4] = pd.Timestamp("2024-01-30")
    message = refusal(dates)
    assert "2024-01-22 is followed by 2024-01-30 (8 days later); 2024-01-30 is followed by 2024-02-05 (6" in message


def test_only_the_first_three_offences_are_shown() -> None:
    dates = pd.date_range("2024-01-01", periods=40, freq="7D").delete([5, 10, 15, 20, 25])
    message = refusal(dates)
    assert message.count("is followed by") == 3
    assert "; and 2 more" in message


@pytest.mark.parametrize(
    "dates",
    [
        WEEKS,
        WEEKS.strftime("%Y-%m-%d"),
        pd.date_range("2024-01-01", periods=12, freq="D"),
        pd.date_range("2024-01-31", periods=14, freq="ME"),
        pd.date_range("2024-01-01", periods=9, freq="QS"),
        pd.date_range("2024-03-04", periods=9, freq="7D", tz="Europe/Berlin"),
        WEEKS[:1],
        WEEKS[:2],
        np.arange(2001, 2011),
        np.arange(8) * 0.1,
    ],
    ids=["weeks", "text", "days", "months", "quarters", "summer time", "one", "two", "numbers", "fractions"],
)
def test_regular_series_are_shifted(dates: object) -> None:
    result = lag(dates)
    np.testing.assert_array_equal(result, [np.nan, *range(len(result) - 1)])


def test_numbers_may_not_jump() -> None:
    message = refusal([1, 2, 3, 5])
    assert "3 is followed by 5 (2 later)" in message
    assert "1 from row to row, the most common step" in message


def test_groups_may_start_at_different_times_but_keep_the_step() -> None:
    late = pd.date_range("2024-07-29", periods=12, freq="7D")
    groups = {"market": ["de"] * 12 + ["fr"] * 12}
    result = lag([*WEEKS, *late], groups)
    np.testing.assert_array_equal(result, [np.nan, *range(11), np.nan, *range(12, 23)])
    assert "2024-08-26, market fr, is followed by 2024-09-09 (14 days later)" in refusal(
        [*WEEKS, *late.delete(5)], {"market": groups["market"][:-1]}
    )


def test_a_group_with_a_step_of_its_own_is_refused() -> None:
    daily = pd.date_range("2024-01-01", periods=4, freq="D")
    message = refusal([*WEEKS, *daily], {"market": ["de"] * 12 + ["fr"] * 4})
    assert "2024-01-01, market fr, is followed by 2024-01-02 (1 day later)" in message


def test_gaps_do_not_matter_without_shifts_and_before_incomplete_rows_are_dropped() -> None:
    frame = pd.DataFrame({"date": WEEKS, "y": np.arange(12.0), "x": np.arange(12.0) ** 2})
    gap = frame.drop(index=5).reset_index(drop=True)
    assert build_model_matrix(parse_formula("y ~ x"), gap, date_var="date").values.shape == (11, 2)
    holes = frame.assign(x=frame["x"].where(frame.index != 5))
    assert build_model_matrix(parse_formula("y ~ lag(x)"), holes, date_var="date").rows.tolist() == [
        1, 2, 3, 4, 5, 7, 8, 9, 10, 11
    ]  # fmt: skip

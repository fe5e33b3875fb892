"""Intervals as plotly draws them, from both ends, and none where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dsam_assets.report.figures.intervals import error_bars, spread_words


def test_bars_reach_from_one_end_to_the_other() -> None:
    rows = pd.DataFrame({"middle": [1.0, 5.0], "low": [0.5, 3.0], "high": [3.0, 6.0]})
    bars = error_bars(rows["middle"], rows["low"], rows["high"], "red", width=3, thickness=1.2)
    assert bars is not None
    assert list(bars["arrayminus"]) == [0.5, 2.0]
    assert list(bars["array"]) == [2.0, 1.0]
    assert (bars["color"], bars["width"], bars["thickness"], bars["symmetric"]) == ("red", 3, 1.2, False)


def test_a_point_estimate_has_none() -> None:
    middle, unknown = np.array([1.0, 2.0]), np.full(2, np.nan)
    assert error_bars(middle, unknown, unknown, "red") is None


def test_a_row_with_one_end_has_that_half_and_a_row_without_ends_none() -> None:
    middle, low, high = np.array([1.0, 2.0, 3.0]), np.array([0.5, np.nan, np.nan]), np.array([np.nan, np.nan, 5.0])
    bars = error_bars(middle, low, high, "red")
    assert bars is not None
    np.testing.assert_array_equal(bars["arrayminus"], [0.5, np.nan, 0.0])
    np.testing.assert_array_equal(bars["array"], [0.0, np.nan, 2.0])


def test_words_say_what_is_drawn() -> None:
    known, unknown = np.array([np.nan, 1.0]), np.full(2, np.nan)
    assert spread_words(known, "with its band") == "with its band"
    assert spread_words(unknown, "with its band") == "point estimate (MAP), no interval"
    assert spread_words(unknown, "Bands hold 90 %") == "Point estimate (MAP), no interval"

"""The figures of the fit show the numbers of their tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dsam_assets.fit.densities import density_table
from dsam_assets.fit.draws import Draws
from dsam_assets.report.figures.canvas import Stamp
from dsam_assets.report.figures.model_fit import fit_scatter, fit_timeseries, posterior_forest, prior_posterior
from dsam_assets.report.figures.series import MOST_PANELS, MOST_POINTS, panels_of, thinned

STAMP = Stamp("uk", "final")
METRICS = pd.DataFrame(
    [{"group": "all", "metric": name, "q50": value, "rows": 20} for name, value in (("r2", 0.9), ("me", np.nan))]
)


def predictive(groups: int = 1, rows: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    middle = rng.normal(100, 5, groups * rows)
    frame = pd.DataFrame({
        "row": np.arange(groups * rows), "date": np.tile(pd.date_range("2024-01-01", periods=rows, freq="W"), groups),
        "observed": middle + 1, "q025": middle - 9, "q50": middle, "q975": middle + 9,
    })  # fmt: skip
    return frame.assign(group=np.repeat([f"g{i:02}" for i in range(groups)], rows)) if groups > 1 else frame


def test_the_time_series_shows_observed_median_and_band() -> None:
    frame = predictive()
    figure = fit_timeseries(frame, METRICS, "sales", STAMP)
    upper, lower, middle, observed = figure.data
    np.testing.assert_array_equal(upper.y, frame["q975"])
    np.testing.assert_array_equal(lower.y, frame["q025"])
    np.testing.assert_array_equal(middle.y, frame["q50"])
    np.testing.assert_array_equal(observed.y, frame["observed"])
    assert lower.fill == "tonexty"
    subtitle = figure.layout.title.subtitle.text
    assert "R² 0.900" in subtitle
    assert "bias" not in subtitle  # what is not known is not shown as a number
    assert "20 rows" in subtitle


def test_a_point_estimate_has_no_band() -> None:
    figure = fit_timeseries(predictive().assign(q025=np.nan, q975=np.nan), METRICS, "sales", STAMP)
    assert [trace.name for trace in figure.data] == ["fitted", "observed"]


@pytest.mark.parametrize("groups", [2, 5])
def test_panels_hold_their_own_rows(groups: int) -> None:
    frame = predictive(groups).sample(frac=1, random_state=1)
    figure = fit_timeseries(frame, METRICS, "sales", STAMP)
    assert len(figure.data) == 4 * groups
    assert sum(bool(trace.showlegend) for trace in figure.data) == 3
    for index, (_, part) in enumerate(panels_of(frame).items()):
        observed = figure.data[4 * index + 3]
        assert list(observed.x) == sorted(observed.x)
        np.testing.assert_array_equal(observed.y, part["observed"])
    assert len(fit_scatter(frame, METRICS, "sales", STAMP).data) == 2 * groups


def test_long_series_and_many_panels_are_cut() -> None:
    assert len(thinned(predictive(rows=3 * MOST_POINTS))) == MOST_POINTS
    assert len(panels_of(predictive(groups=MOST_PANELS + 3, rows=2))) == MOST_PANELS


def test_the_forest_orders_effects_by_size_and_colours_what_excludes_zero() -> None:
    summary = pd.DataFrame({
        "parameter": ["(Intercept)", "small", "large", "unsure", "noise_sd"], "q50": [9.0, 1.0, -2.0, 3.0, 1.0],
        "q05": [8.0, 0.5, -3.0, -1.0, 0.5], "q95": [10.0, 1.5, -1.0, 7.0, 2.0],
    })  # fmt: skip
    effects = pd.DataFrame({"term": ["(Intercept)", "small", "large", "unsure"], "sd": [0.0, 0.1, 4.0, 0.5]})
    figure = posterior_forest(summary, effects, STAMP)
    assert figure.layout.yaxis.categoryarray == ("small", "unsure", "large")
    grey, coloured = figure.data
    assert list(grey.y) == ["unsure"]
    assert dict(zip(coloured.y, coloured.x, strict=True)) == {"small": 0.1, "large": -8.0}
    assert list(grey.error_x.array) == [2.0]
    assert list(grey.error_x.arrayminus) == [2.0]


def test_densities_by_term() -> None:
    rng = np.random.default_rng(2)
    draws = Draws(("m_tv", "m_search"), rng.normal(1, 0.1, (2, 200, 2)), np.ones((2, 200)), {}, 10, {})
    priors = pd.DataFrame(
        {"parameter": draws.terms, "family": "normal", "mean": 0.0, "sd": 1.0, "lower": -np.inf, "upper": np.inf}
    )
    table = density_table(draws, priors, draws.terms)
    figure = prior_posterior(table, STAMP)
    assert [trace.name for trace in figure.data] == ["prior", "posterior"] * 2
    np.testing.assert_array_equal(figure.data[1].y, table.query("term == 'm_tv'")["posterior"])

"""Names on a figure: cut, but never mistaken for one another."""

from __future__ import annotations

import pandas as pd
import pytest

from dsam_assets.report.figures.budget import budget_contribution, budget_roi_cpa, budget_spend_share
from dsam_assets.report.figures.canvas import Stamp, Words, canvas
from dsam_assets.report.figures.labels import (
    LABEL_CHARACTERS,
    LEGEND_ABOVE,
    categories,
    label,
    legend_rows,
    room_for_legend,
    safe,
    wrapped_label,
)
from dsam_assets.report.figures.pre_run import media_spend_timeseries
from dsam_assets.report.figures.style import HEIGHT, WIDTH

STAMP = Stamp("uk", "final")
WORDS = Words("A title", "a subtitle", "", "")
ALIKE = ["Promotion social mobile", "Promotion social desktop", "Promotion social tablet"]


def test_a_long_name_keeps_both_its_ends() -> None:
    shown = label("m_promotion_social_mobile_retargeting_desktop")
    assert len(shown) == LABEL_CHARACTERS
    assert shown.startswith("m_promotion_soci")
    assert shown.endswith("_desktop")
    assert label("short") == "short"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("TV", "TV"),
        ("Out of home", "Out of home"),
        ("Promo social mobile", "Promo social<br>mobile"),
        ("Promo social mobile in Scotland", "Promo social<br>mobile i…land"),
        ("m_promo_social_mobile", "m_promo_<br>social_mobile"),
        ("<b> & co", "&lt;b&gt; &amp; co"),
        ("", ""),
    ],
)
def test_a_name_under_an_axis_takes_two_lines(name: str, shown: str) -> None:
    assert wrapped_label(name, 13) == shown


def test_names_that_look_alike_remain_apart() -> None:
    figure = canvas(WORDS, STAMP)
    keys = categories(figure, "y", [f"{'x' * 60}{index}{'y' * 60}" for index in range(3)])
    axis = figure.layout.yaxis
    assert len(set(keys)) == 3
    assert list(axis.tickvals) == list(axis.categoryarray) == keys
    assert len(set(axis.ticktext)) == 1  # what is shown of them is the same


def roi(channels: list[str]) -> pd.DataFrame:
    size = len(channels)
    columns = {
        f"{value}_{when}{bound}": [1.0 + index for index in range(size)]
        for value in ("value", "mean")
        for when in ("reference", "optimised")
        for bound in ("", "_lower", "_upper")
    }
    facts = {"metric": "roi", "metric_unit": "kpi per currency", "response_unit": "kpi", "delta_response": 0.5}
    return pd.DataFrame({"channel": channels, "is_total": [name == "TOTAL" for name in channels], **facts, **columns})


@pytest.mark.parametrize("draw", [budget_roi_cpa, budget_contribution])
def test_every_channel_has_its_own_bar(draw: object) -> None:
    figure = draw(roi([*ALIKE, "TOTAL"]), STAMP)  # type: ignore[operator]
    for bars in figure.data:
        assert list(bars.x) == [*ALIKE, "TOTAL"]
    placed = [each.x for each in figure.layout.annotations if each.name != "stamp"]
    assert set(placed) <= {*ALIKE, "TOTAL"}


def legend_of(count: int) -> object:
    figure = canvas(WORDS, STAMP)
    for index in range(count):
        figure.add_scatter(x=[0, 1], y=[0, 1], name=f"a channel {index}")
    return room_for_legend(figure).layout


def test_a_short_legend_stays_above_and_a_long_one_goes_below() -> None:
    few, many, most = (legend_of(count) for count in (LEGEND_ABOVE, LEGEND_ABOVE + 1, 40))
    assert few.legend.yanchor == "bottom"  # type: ignore[attr-defined]
    assert few.height == HEIGHT  # type: ignore[attr-defined]
    for layout in (many, most):
        assert layout.legend.yanchor == "top"  # type: ignore[attr-defined]
        assert layout.legend.y < 0  # type: ignore[attr-defined]
        panel = layout.height - layout.margin.t - layout.margin.b  # type: ignore[attr-defined]
        assert panel == HEIGHT - few.margin.t - few.margin.b  # type: ignore[attr-defined]


def test_a_legend_has_a_row_for_what_fits_side_by_side() -> None:
    assert legend_rows(["x" * 10] * 8, WIDTH) == 1
    assert legend_rows(["x" * 10] * 9, WIDTH) == 2
    assert legend_rows(["x" * 500] * 3, WIDTH) == 3  # one that is wider than the figure has a row of its own


def test_shares_of_channels_that_look_alike_have_each_a_name() -> None:
    share = pd.DataFrame(
        {"channel": [*ALIKE, "TOTAL"], "is_total": [False, False, False, True], "share_optimised": [0.2, 0.3, 0.5, 1.0],
         "share_reference": [0.5, 0.3, 0.2, 1.0], "spend_reference_currency": 10.0, "spend_optimised_currency": 10.0}
    )  # fmt: skip
    assert [bar.name for bar in budget_spend_share(share, STAMP).data] == [safe(name) for name in ALIKE]


@pytest.mark.parametrize(("count", "angle", "lines"), [(10, None, 2), (11, -45, 1)])
def test_names_under_an_axis_stand_upright_until_there_are_too_many(count: int, angle: int | None, lines: int) -> None:
    figure = canvas(WORDS, STAMP)
    categories(figure, "x", [f"Promotion social {index}" for index in range(count)])
    assert figure.layout.xaxis.tickangle == angle
    assert {text.count("<br>") + 1 for text in figure.layout.xaxis.ticktext} == {lines}


def test_a_channel_has_one_colour_whatever_is_drawn_first() -> None:
    weeks = pd.DataFrame({"TV": [1.0, 2.0], "Search": [5.0, 6.0], "Radio": [3.0, 3.5]})
    stacked = {trace.name: trace.line.color for trace in media_spend_timeseries(weeks, STAMP).data}
    share = pd.DataFrame(
        {"channel": ["TV", "Search", "Radio", "TOTAL"], "is_total": [False, False, False, True],
         "share_optimised": 0.3, "share_reference": 0.3, "spend_reference_currency": 1.0,
         "spend_optimised_currency": 1.0}
    )  # fmt: skip
    assert {bar.name: bar.marker.color for bar in budget_spend_share(share, STAMP).data} == stacked
    assert len(set(stacked.values())) == 3


def test_more_channels_than_colours_stay_apart_as_far_as_they_are_drawn() -> None:
    weeks = pd.DataFrame({f"channel {index}": [1.0 + index, 2.0] for index in range(25)})
    colours = [trace.line.color for trace in media_spend_timeseries(weeks, STAMP).data]
    assert len(colours) == len(set(colours)) == 10

"""The words on a figure, and what a hostile name does to it."""

from __future__ import annotations

import pytest

from dsam_assets.report.figures.canvas import Stamp, Words, canvas, facets, place, rule
from dsam_assets.report.figures.labels import LABEL_CHARACTERS, label, safe
from dsam_assets.report.figures.style import HEIGHT, WIDTH, translucent

WORDS = Words("A title", "a subtitle", "x, in weeks", "KPI (KPI scale)")


def test_a_figure_says_what_it_shows() -> None:
    layout = canvas(WORDS, Stamp("uk", "provisional")).layout
    assert layout.title.text == "<b>A title</b>"
    assert layout.title.subtitle.text == "a subtitle"
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("x, in weeks", "KPI (KPI scale)")
    assert (layout.width, layout.height) == (WIDTH, HEIGHT)
    (stamp,) = [each.text for each in layout.annotations if each.name == "stamp"]
    assert "uk" in stamp
    assert "PROVISIONAL" in stamp


def test_without_a_verdict_there_is_no_word_about_it() -> None:
    (stamp,) = [each.text for each in canvas(WORDS, Stamp("uk")).layout.annotations]
    assert stamp == "uk"


@pytest.mark.parametrize(("axis", "panel"), [("x", 0), ("x", 4), ("y", 0), ("y", 2)])
def test_a_rule_is_the_line_that_plotly_draws(axis: str, panel: int) -> None:
    figure = facets(WORDS, Stamp("uk"), list("abcde"), columns=3)
    add = figure.add_vline if axis == "x" else figure.add_hline
    for index in range(5):
        figure.add_scatter(x=[0, 1], y=[0, 1], **place(index, 3))
    add(**{axis: 0.5}, line={"color": "red", "width": 2}, **place(panel, 3))
    drawn, own = figure.layout.shapes[0].to_plotly_json(), rule(axis, 0.5, panel, color="red", width=2)
    assert own == drawn


@pytest.mark.parametrize(("title", "most"), [("Short", 64), ("w" * 40, 57), ("w" * 72, 13)])
def test_a_long_market_gives_way_to_the_title(title: str, most: int) -> None:
    market = "a" * 30 + "z" * 34
    (stamp,) = canvas(Words(title, "", "", ""), Stamp(market, "final")).layout.annotations
    shown = stamp.text.partition(" ")[0]
    assert 8 <= len(shown) <= most
    assert (shown[0], shown[-1]) == ("a", "z")


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    words = Words("Title", f"{'word ' * 22}and 90 % of it", "", "")
    lines = canvas(words, Stamp("uk")).layout.title.subtitle.text.split("<br>")
    assert len(lines) == 2
    assert lines[1].startswith("90 % of")


def test_a_long_subtitle_wraps_and_makes_room() -> None:
    words = Words("A title", "word " * 60, "", "")
    layout = canvas(words, Stamp("uk")).layout
    assert layout.title.subtitle.text.count("<br>") == 2
    assert layout.margin.t == canvas(WORDS, Stamp("uk")).layout.margin.t + 34


@pytest.mark.parametrize("count", [1, 2, 3, 7, 24])
def test_facets_have_a_panel_per_name_and_axis_titles_at_the_edges(count: int) -> None:
    names = [f"market {index}" for index in range(count)]
    figure = facets(WORDS, Stamp("uk"), names, columns=3)
    columns = min(3, count)
    assert [each.text for each in figure.layout.annotations][:count] == names
    titled = [axis for axis in figure.select_xaxes() if axis.title.text]
    assert len(titled) == columns
    assert figure.layout.height >= HEIGHT
    for index in range(count):
        figure.add_scatter(x=[1], y=[1], **place(index, columns))  # raises where there is no panel
    # The x title stands under the last panel of its column, also where the last row is not full.
    for column in range(columns):
        last = (count - 1 - column) // columns
        name = figure.data[last * columns + column].xaxis or "x"
        assert figure.layout[name.replace("x", "xaxis")].title.text == "x, in weeks"


def test_names_are_shown_literally_and_cut() -> None:
    assert safe("<b>a & b</b>") == "&lt;b&gt;a &amp; b&lt;/b&gt;"
    assert len(label("x" * 40)) == LABEL_CHARACTERS
    assert "<script>" not in canvas(Words("<script>", "", "", ""), Stamp("<i>")).to_json()


def test_translucent_keeps_the_colour() -> None:
    assert translucent("#0072B2", 0.5) == "rgba(0,114,178,0.5)"

"""Pages and galleries: what is written, what a name cannot break out of, what the switches turn off."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import plotly.graph_objects as go
import pytest

from dsam_assets.report.artefacts import ARTEFACTS
from dsam_assets.report.figures.catalogue import DRAWINGS, drawings_of
from dsam_assets.report.figures.gallery import PREVIEW_SCALE, gallery
from dsam_assets.report.figures.page import figure_page, plotly_script


def test_a_page_holds_its_figure_and_nothing_from_elsewhere() -> None:
    hostile = "</script><script>alert(1)</script>"
    page = figure_page(go.Figure(layout_title_text=hostile).to_json(), hostile, "../plotly.min.js")
    assert page.count("<script") == 2  # plotly.js and the figure
    assert '<script src="../plotly.min.js">' in page
    assert "http" not in page.split("const figure")[0]
    start = page.index("const figure = ") + len("const figure = ")
    figure = json.JSONDecoder().raw_decode(page[start:])[0]
    assert figure["layout"]["title"]["text"] == hostile
    assert len(plotly_script()) > 1_000_000


def test_every_drawing_has_a_page_and_an_image_in_the_run_folder() -> None:
    files = {artefact.file: artefact for artefact in ARTEFACTS}
    for drawing in DRAWINGS:
        page, image = files[f"{drawing.name}.html"], files[f"{drawing.name}.png"]
        assert (page.switch, image.switch) == (None, drawing.switch)
        assert page.asset == image.asset == drawing.asset
        assert page.stage == image.stage == drawing.stage


class Renderer:
    """Remembers what it was asked for; draws a byte per figure."""

    def __init__(self) -> None:
        self.asked: dict[str, float] = {}

    def __call__(self, figures: Any) -> dict[str, bytes]:
        self.asked = {name: scale for name, (_, scale) in figures.items()}
        return {name: name.encode() for name in figures}


def test_switches_turn_images_off_and_leave_the_preview() -> None:
    figures = {name: go.Figure() for name in ("fit_timeseries", "fit_scatter")}
    render = Renderer()
    drawn = gallery("model_fit_plots", figures, SimpleNamespace(save_fit_png=True), render)
    assert set(drawn.images) == set(figures)
    off = gallery("model_fit_plots", figures, SimpleNamespace(save_fit_png=False), render)
    assert off.images == {}
    assert set(off.figures) == set(figures)
    assert list(render.asked.values()) == [PREVIEW_SCALE]
    assert off.preview is not None


def test_without_a_browser_there_are_figures_and_no_images() -> None:
    drawn = gallery("model_fit_plots", {"fit_scatter": go.Figure()}, SimpleNamespace(save_fit_png=True), lambda _: {})
    assert (drawn.images, drawn.preview) == ({}, None)
    assert drawn.facts() == {"figures": 1, "images": 0}


def test_a_figure_that_the_catalogue_does_not_name_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        gallery("model_fit_plots", {"nonsense": go.Figure()}, SimpleNamespace(), lambda _: {})


def test_names_are_unique() -> None:
    names = [drawing.name for drawing in DRAWINGS]
    assert len(names) == len(set(names))
    assert drawings_of("no such asset") == {}

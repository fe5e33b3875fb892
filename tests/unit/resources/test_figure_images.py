"""PNG images from a real browser, where there is one, and honest silence where there is none."""

from __future__ import annotations

import logging
import struct

import plotly.graph_objects as go
import pytest

from resources import figure_images
from resources.figure_images import FigureImages, find_browser


def test_without_a_browser_it_says_so_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DSAM_BROWSER")
    monkeypatch.setattr(figure_images, "find_browser", lambda chosen="": None)
    images = FigureImages()
    assert images.marker() == "none"
    figure = go.Figure().to_plotly_json()
    with caplog.at_level(logging.WARNING, logger="dsam.images"):
        assert images.render({"a": (figure, 1.0)}) == {}
        assert images.render({"b": (figure, 1.0)}) == {}
    assert [record.getMessage() for record in caplog.records] == [
        "No Chrome or Chromium was found, so figures are HTML only; DSAM_BROWSER names one."
    ]


def test_who_wants_no_browser_is_not_told_that_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="dsam.images"):
        assert FigureImages(browser="none").render({"a": (go.Figure().to_plotly_json(), 1.0)}) == {}
    assert caplog.records == []


def test_the_environment_names_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSAM_BROWSER", "/opt/chrome")
    assert find_browser() == "/opt/chrome"
    assert find_browser("none") is None


@pytest.mark.ui
def test_a_browser_draws_at_the_size_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DSAM_BROWSER")
    if find_browser() is None:
        pytest.skip("no Chrome or Chromium on this machine")
    images = FigureImages()
    figure = go.Figure(layout={"width": 300, "height": 200}).to_plotly_json()
    try:
        drawn = images.render({"full": (figure, 1.0), "small": (figure, 0.5)})
    finally:
        images.teardown_after_execution(None)  # type: ignore[arg-type]
    sizes = {name: struct.unpack(">II", content[16:24]) for name, content in drawn.items()}
    assert sizes == {"full": (300, 200), "small": (150, 100)}
